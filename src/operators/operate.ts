import { Observable, Subscriber, type OperatorFunction } from "rxjs";

/**
 * Makes an operator from a function that takes values: `make` is called once per subscription and gives that function.
 *
 * Errors and the completion of the source pass on at once: a source completes when all that came from it is settled. `out.add` registers what is to be done at the end. The source's values go straight into a
 * Subscriber, as in RxJS's own operators: an observer object would cost a wrapper and a try/catch per record and node.
 */
export function operate<I, O>(make: (out: Subscriber<O>) => (value: I) => void): OperatorFunction<I, O> {
  return (source) => new Observable((out) => source.subscribe(new Taker(out, make(out))));
}

class Taker<I, O> extends Subscriber<I> {
  private readonly take: (value: I) => void;

  constructor(out: Subscriber<O>, take: (value: I) => void) {
    super(out); // oxlint-disable-line typescript/no-deprecated -- RxJS's own operators do this; the contract tests of operators would tell
    this.take = take;
  }

  protected override _next(value: I): void {
    this.take(value);
  }
}
