import type { Processor, ProcessorContext } from "../../../src/operators/process.ts";

/** What a processor of texts is given. */
export type Context = ProcessorContext<string | null, string>;
/** From text to text. */
export type TextProcessor = Processor<string | null, string, string | null, string>;

/** A processor made of its `process` function. */
export function processor(
  work: (context: Context, record: Parameters<TextProcessor["process"]>[0]) => void,
  extra: Partial<TextProcessor> = {},
): () => TextProcessor {
  return () => {
    let context: Context | undefined;
    return {
      init: (given) => (context = given),
      process: (record) => {
        if (context !== undefined) work(context, record);
      },
      ...extra,
    };
  };
}
