import { byId, element, oncePerFrame, setText, thousands } from "./dom.js";
import { classes, drawImage, drawPixels } from "./gallery.js";
import { drawAccuracy } from "./accuracy.js";

/** Pictures on the page at a time. */
const pageSize = 50;

/** The run that is shown: its id, its summary when that is known, what is known of each of its images, and, for an upload, its pixels. */
let run = { id: undefined, summary: undefined, answers: new Map(), pixels: undefined };
let truth = new Uint8Array();
let page = 0;

/** What the grid holds now, as a text to compare with. */
let laidOut = "";

const drawResults = oncePerFrame(draw);

export function setTruth(classOfEach) {
  truth = classOfEach;
  drawResults();
}

/** Shows a run from now on; what it is comes later. */
export function showRun(id) {
  if (id !== run.id) page = 0;
  run = { id, summary: undefined, answers: new Map(), pixels: undefined };
}

/** Takes in a run's state, unless a newer one is known: answers and events overtake each other. */
export function updateRun(summary) {
  if (summary.id !== run.id) return;
  const { done = 0, error = null } = run.summary ?? {};
  if (summary.done < done || (summary.done === done && error !== null)) return;
  run.summary = summary;
  drawResults();
}

/** Takes in answers for consecutive images; those that come twice change nothing. */
export function addAnswers(id, start, labels, scores) {
  if (id !== run.id) return;
  for (const [offset, label] of labels.entries()) {
    if (label !== null) run.answers.set(start + offset, { label, score: scores[offset] });
  }
  drawResults();
}

/** Takes in the grey values of an uploaded picture, base64. */
export function setPixels(id, base64) {
  if (id !== run.id || base64 === null) return;
  run.pixels = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  laidOut = "";
  drawResults();
}

byId("previous").addEventListener("click", () => turn(page - 1));
byId("next").addEventListener("click", () => turn(page + 1));
byId("only-wrong").addEventListener("change", () => turn(0));

function turn(to) {
  page = to;
  drawResults();
}

/** The true class of an image; undefined where it is not known. */
function truthOf(image) {
  return run.summary.picture ? undefined : classes[truth[image]];
}

function isWrong(image) {
  const [answer, is] = [run.answers.get(image), truthOf(image)];
  return answer !== undefined && is !== undefined && answer.label !== is;
}

function draw() {
  const { summary } = run;
  if (summary === undefined) return;
  const total = summary.end_idx - summary.start_idx;
  setText(byId("run-status"), sentence(summary));
  byId("progress").max = total;
  byId("progress").value = summary.done;
  setText(byId("progress-text"), `${thousands.format(summary.done)} of ${thousands.format(total)} images`);
  drawGrid(wanted(summary));
  drawAccuracy(summary.picture ? [] : [...run.answers], truthOf);
}

function sentence({ broker, status, picture, start_idx: start, end_idx: end, created_at, finished_at, error }) {
  const what = `${picture ? "Your picture" : `Run [${start}, ${end})`} on ${broker}`;
  if (status === "failed") return `${what} failed: ${error.message} (${error.code})`;
  if (status !== "done") return `${what} is ${status}.`;
  return `${what} is done, after ${thousands.format(new Date(finished_at) - new Date(created_at))} ms.`;
}

/** Numbers of the images that belong into the grid: all, or those that are wrong. */
function wanted({ start_idx: start, end_idx: end }) {
  const all = Array.from({ length: end - start }, (_, index) => start + index);
  return byId("only-wrong").checked ? all.filter(isWrong) : all;
}

function drawGrid(images) {
  const pages = Math.max(1, Math.ceil(images.length / pageSize));
  page = Math.min(Math.max(page, 0), pages - 1);
  const shown = images.slice(page * pageSize, (page + 1) * pageSize);
  const total = thousands.format(images.length);
  setText(byId("shown"), shown.length === 0 ? "none" : `images ${shown[0]} to ${shown.at(-1)}, of ${total}`);
  byId("previous").disabled = page === 0;
  byId("next").disabled = page === pages - 1;
  const layout = `${run.id} ${shown.join()}`;
  if (layout !== laidOut) byId("grid").replaceChildren(...shown.map(card));
  laidOut = layout;
  for (const [index, image] of shown.entries()) fill(byId("grid").children[index], image);
}

function card(image) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  if (run.pixels !== undefined) drawPixels(canvas, run.pixels);
  else if (classes.length === 0) canvas.hidden = true;
  else if (!run.summary.picture) void drawImage(canvas, image);
  return element(
    "li",
    { value: image },
    canvas,
    element("strong"),
    element("span", { class: "score" }),
    element("span", { class: "truth" }),
  );
}

function fill({ children: [, label, score, verdict], classList }, image) {
  const [answer, is] = [run.answers.get(image), truthOf(image)];
  setText(label, answer?.label ?? "…");
  setText(score, answer === undefined ? "" : `${Math.round(answer.score * 100)} %`);
  classList.toggle("wrong", isWrong(image));
  if (is === undefined) setText(verdict, "");
  else if (answer === undefined) setText(verdict, `is ${is}`);
  else setText(verdict, isWrong(image) ? `✗ wrong: is ${is}` : `✓ is ${is}`);
}
