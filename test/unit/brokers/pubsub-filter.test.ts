import { describe, expect, it } from "vitest";
import { parseFilter } from "../../../src/brokers/pubsub/filter.ts";

describe("parseFilter", () => {
  const attributes = { domain: "com", "iana.org/language_tag": "en", name: 'a"b', empty: "" };
  it.each([
    ["attributes:domain", true],
    ["attributes:missing", false],
    ["attributes:empty", true],
    ['attributes.domain = "com"', true],
    ['attributes.domain="org"', false],
    ['attributes.domain != "org"', true],
    ['attributes.missing != "org"', true],
    ['attributes."iana.org/language_tag" = "en"', true],
    ['attributes.name = "a\\"b"', true],
    ['hasPrefix(attributes.domain, "co")', true],
    ['hasPrefix(attributes.missing, "")', false],
    ["NOT attributes:domain", false],
    ["-attributes:missing", true],
    ['attributes:domain AND NOT attributes.domain = "org"', true],
    ["attributes:missing OR attributes:domain OR attributes:other", true],
    ["(attributes:missing OR attributes:domain) AND attributes:name", true],
    ['NOT (attributes:missing OR attributes.domain = "com")', false],
  ])("%s", (text, expected) => {
    expect(parseFilter(text).matches(attributes)).toBe(expected);
  });

  it.each([
    "",
    "attributes",
    "attributes.domain",
    "attributes.domain = com",
    "attributes:a AND attributes:b OR attributes:c",
    "(attributes:a",
    "attributes:a attributes:b",
    "data = 1",
    "attributes:a ;",
  ])("refuses %j", (text) => {
    expect(() => parseFilter(text)).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
  });
});
