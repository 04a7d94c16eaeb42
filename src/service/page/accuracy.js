import { byId, element, setText, thousands } from "./dom.js";
import { classes } from "./gallery.js";

/** Counts right and wrong answers, and shows them as accuracy and confusion matrix; hidden while there are none. */
export function drawAccuracy(answers, truthOf) {
  const counts = classes.map(() => classes.map(() => 0));
  let [right, known] = [0, 0];
  for (const [image, { label }] of answers) {
    const [row, column] = [classes.indexOf(truthOf(image)), classes.indexOf(label)];
    if (row < 0 || column < 0) continue;
    counts[row][column] += 1;
    known += 1;
    if (row === column) right += 1;
  }
  byId("accuracy").hidden = known === 0;
  if (known === 0) return;
  const share = ((100 * right) / known).toFixed(1);
  setText(byId("accuracy-text"), `${share} % right: ${thousands.format(right)} of ${thousands.format(known)} images.`);
  drawMatrix(counts);
}

function drawMatrix(counts) {
  const matrix = byId("matrix");
  if (matrix.tBodies.length === 0) matrix.append(head(), body());
  for (const [row, { cells }] of [...matrix.tBodies[0].rows].entries()) {
    const total = counts[row].reduce((sum, count) => sum + count, 0);
    for (const [column, count] of counts[row].entries()) {
      setText(cells[column + 1], String(count));
      cells[column + 1].classList.toggle("none", count === 0);
      cells[column + 1].style.setProperty("--share", count / Math.max(1, total));
    }
  }
}

function head() {
  const names = classes.map((name) => element("th", { scope: "col" }, element("span", {}, name)));
  return element("thead", {}, element("tr", {}, element("td"), ...names));
}

function body() {
  const row = (name, index) => {
    const cells = classes.map((_, column) => element("td", index === column ? { class: "right" } : {}));
    return element("tr", {}, element("th", { scope: "row" }, name), ...cells);
  };
  return element("tbody", {}, ...classes.map(row));
}
