import { ConfigError } from "../../core/errors.ts";

/** A message's attributes. */
export type Attributes = Readonly<Record<string, string>>;

/** A filter as Pub/Sub takes it, and as a function. */
export interface AttributeFilter {
  readonly text: string;
  matches(attributes: Attributes): boolean;
}

type Predicate = AttributeFilter["matches"];

/**
 * Reads a filter in Pub/Sub's language: `attributes:name`, `attributes.name = "value"`, `!=`, `hasPrefix(attributes.name, "value")`,
 * combined by `AND`, `OR`, `NOT`, `-` and parentheses; `AND` and `OR` side by side need parentheses.
 *
 * The emulator takes a filter and does not apply it, so the driver does. Errors: `ERR_CONFIG`.
 * Source: cloud.google.com/pubsub/docs/subscription-message-filter, filter syntax.
 */
export function parseFilter(text: string): AttributeFilter {
  const parser = new FilterParser(text);
  return { text, matches: parser.parse() };
}

const token = /\s*([()=,:.]|!=|-(?=[\s(ah])|"(?:[^"\\]|\\.)*"|[A-Za-z_][\w-]*)/y;

class FilterParser {
  private readonly text: string;
  private readonly tokens: string[] = [];
  private next = 0;

  constructor(text: string) {
    this.text = text;
    const end = text.trimEnd().length;
    let at = 0;
    while (at < end) {
      token.lastIndex = at;
      const [whole, found] = token.exec(text) ?? [];
      if (whole === undefined || found === undefined) throw this.refused(`at ${JSON.stringify(text.slice(at))}`);
      this.tokens.push(found);
      at += whole.length;
    }
  }

  parse(): Predicate {
    const predicate = this.expression();
    if (this.next < this.tokens.length) throw this.refused(`at ${this.tokens[this.next] ?? ""}`);
    return predicate;
  }

  private expression(): Predicate {
    const first = this.term();
    const terms = [first];
    const operator = this.tokens[this.next];
    if (operator !== "AND" && operator !== "OR") return first;
    while (this.take(operator)) terms.push(this.term());
    if (this.tokens[this.next] === "AND" || this.tokens[this.next] === "OR")
      throw this.refused("AND beside OR needs parentheses");
    return operator === "AND"
      ? (attributes) => terms.every((term) => term(attributes))
      : (attributes) => terms.some((term) => term(attributes));
  }

  private term(): Predicate {
    if (this.take("NOT") || this.take("-")) {
      const negated = this.term();
      return (attributes) => !negated(attributes);
    }
    if (this.take("(")) {
      const inner = this.expression();
      this.expect(")");
      return inner;
    }
    if (this.take("hasPrefix")) return this.prefix();
    this.expect("attributes");
    if (this.take(":")) {
      const name = this.name();
      return (attributes) => Object.hasOwn(attributes, name);
    }
    return this.comparison();
  }

  private prefix(): Predicate {
    this.expect("(");
    this.expect("attributes");
    this.expect(".");
    const name = this.name();
    this.expect(",");
    const start = this.string();
    this.expect(")");
    return (attributes) => attributes[name]?.startsWith(start) === true;
  }

  private comparison(): Predicate {
    this.expect(".");
    const name = this.name();
    const equal = this.take("=");
    if (!equal) this.expect("!=");
    const value = this.string();
    return equal ? (attributes) => attributes[name] === value : (attributes) => attributes[name] !== value;
  }

  private name(): string {
    const found = this.tokens[this.next] ?? "";
    if (found.startsWith('"')) return this.string();
    if (!/^\w/.test(found)) throw this.refused(`expected an attribute's name, got ${found || "the end"}`);
    this.next += 1;
    return found;
  }

  private string(): string {
    const found = this.tokens[this.next] ?? "";
    if (!found.startsWith('"')) throw this.refused(`expected a text in double quotes, got ${found || "the end"}`);
    this.next += 1;
    return found.slice(1, -1).replaceAll(/\\(.)/g, "$1");
  }

  private take(expected: string): boolean {
    if (this.tokens[this.next] !== expected) return false;
    this.next += 1;
    return true;
  }

  private expect(expected: string): void {
    if (!this.take(expected)) throw this.refused(`expected ${expected}, got ${this.tokens[this.next] ?? "the end"}`);
  }

  private refused(why: string): ConfigError {
    return new ConfigError(`pubsub: filter ${JSON.stringify(this.text)} can't be read: ${why}`);
  }
}
