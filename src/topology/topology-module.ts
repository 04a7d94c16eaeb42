import type { Logger } from "../core/logger.ts";
import type { Topology } from "./topology.ts";

/** What the command line offers to a topology module; a module takes of it what it can use. */
export interface TopologyModuleOptions {
  /** Topic that is read. */
  readonly input?: string;
  /** Topic that results go to. */
  readonly output?: string;
  /** Where results go. */
  readonly sink?: "console" | "topic";
  /** Name of an engine, or "auto". */
  readonly engine?: string;
  readonly logger?: Logger;
}

/** The default export of a module that the command line can run: a topology, or a function that makes one. */
export type TopologyModule = Topology | ((options: TopologyModuleOptions) => Topology | Promise<Topology>);
