import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** The version of Kafka that is run. */
const kafkaVersion = "4.1.1";

const cache = join(import.meta.dirname, "../../.cache");

/** Class path of Kafka and its tools. Maven fetches them, the first time, into `.cache`. */
export function kafkaClasspath(): string {
  const folder = join(cache, `kafka-${kafkaVersion}`);
  if (!existsSync(folder)) fetchJars(folder);
  return join(folder, "*");
}

function fetchJars(folder: string): void {
  mkdirSync(cache, { recursive: true });
  // Moved when it is complete: another run may fetch at the same time, and this one may be ended.
  const partial = mkdtempSync(`${folder}-`);
  try {
    runMaven(partial);
    renameSync(partial, folder);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw cause;
  }
}

function runMaven(outputDirectory: string): void {
  const { status, stdout, error } = spawnSync(
    "mvn",
    [
      ...["--batch-mode", "--quiet", "--file", join(import.meta.dirname, "kafka-pom.xml")],
      ...[`-Dkafka.version=${kafkaVersion}`, `-DoutputDirectory=${outputDirectory}`],
      "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
    ],
    { encoding: "utf8" },
  );
  if (error !== undefined) {
    throw new Error(
      "Maven is needed to fetch Kafka, and mvn does not run; install it: apt-get install maven, or brew install maven",
    );
  }
  if (status !== 0) throw new Error(`Maven could not fetch Kafka ${kafkaVersion}:\n${stdout.trim()}`);
}
