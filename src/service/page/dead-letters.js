import { byId, element, setText } from "./dom.js";

/** Dead letters in the list at most. */
const keep = 100;

/** @param letters newest first */
export function setLetters(letters) {
  byId("letters").replaceChildren(...letters.map(entry));
  count();
}

export function addLetter(letter) {
  byId("letters").prepend(entry(letter));
  while (byId("letters").childElementCount > keep) byId("letters").lastElementChild.remove();
  count();
}

function count() {
  const { childElementCount: letters } = byId("letters");
  setText(
    byId("letters-text"),
    letters === 0 ? "None: every request could be answered." : `${letters} that could not be answered.`,
  );
}

function entry({ broker, error, node, position, value, at }) {
  return element(
    "li",
    {},
    element("strong", {}, `${error.code}: ${error.message}`),
    element("p", {}, `at node ${node} of ${broker}, ${position}, ${new Date(at).toLocaleString()}`),
    element("code", {}, value === "" ? "(an empty value)" : value),
  );
}
