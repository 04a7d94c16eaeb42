/** What a pool is made of. */
export interface PoolSpec {
  /** The engine's name, as in `EngineInfo`. */
  readonly name: string;
  /** The worker's file and the options that its `serve` gets. */
  readonly file: URL;
  readonly options: unknown;
  /** Threads, each with a copy of the model. Minimum 1. */
  readonly workers: number;
  /** Longest time that one run may take, milliseconds; what takes longer counts as hung. */
  readonly maxRunMs: number;
  /** The model as error messages name it: its path. */
  readonly model: string;
  /** What to do when a package can't be imported: the end of the error's message. */
  remedy(packageName: string): string;
}
