import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** The `java` command: that of `JAVA_HOME`, or the one on the path. Throws when there is none of version 17 or later. */
export function findJava(): string {
  const home = process.env["JAVA_HOME"];
  const java = home ? join(home, "bin", "java") : "java";
  const { stdout, stderr, error } = spawnSync(java, ["-version"], { encoding: "utf8" });
  const install = "install one: apt-get install openjdk-17-jre-headless, or brew install openjdk";
  if (error !== undefined) throw new Error(`Java 17 or later is needed, and ${java} does not run; ${install}`);
  const version = /version "(\d+)/.exec(stderr + stdout)?.[1];
  if (version === undefined || Number(version) < 17) {
    throw new Error(`Java 17 or later is needed, and ${java} is ${version ?? "of an unknown version"}; ${install}`);
  }
  return java;
}
