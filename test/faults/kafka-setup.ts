import type { TestProject } from "vitest/node";
import { startKafka } from "../../scripts/brokers/kafka.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The one Kafka that all files share; undefined when there is none. */
    kafka: { readonly brokers: string[]; readonly classpath: string } | undefined;
  }
}

/** One Kafka for all files. Without one the tests are skipped, but fail under `CI=true`. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    const cluster = await startKafka();
    project.provide("kafka", { brokers: [...cluster.brokers], classpath: cluster.classpath });
    return () => cluster.stop();
  } catch (cause) {
    if (process.env["CI"] === "true") throw cause;
    process.stderr.write(
      `fault tests are skipped: no Kafka (${cause instanceof Error ? cause.message : String(cause)})\n`,
    );
    project.provide("kafka", undefined);
    return () => Promise.resolve();
  }
}
