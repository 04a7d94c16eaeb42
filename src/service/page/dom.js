/** An element with its attributes and children. Text stays text: nothing is parsed as markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Sets a text where it differs, so that what is read aloud is read once. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** `drawn` is called once per frame at most, however often the result is. */
export function oncePerFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

export const thousands = new Intl.NumberFormat("en");
