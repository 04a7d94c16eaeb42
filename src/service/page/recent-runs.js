import { byId, element, setText, thousands } from "./dom.js";

/** Runs in the list at most. */
const keep = 50;

/** Summaries of runs, newest first. */
let runs = [];
let selected;

export function newestRun() {
  return runs[0];
}

export function findRun(id) {
  return runs.find((run) => run.id === id);
}

export function setRuns(summaries) {
  runs = summaries;
  byId("runs").replaceChildren();
  draw();
}

/** Takes in the state of a run, new or known. */
export function putRun(summary) {
  const place = runs.findIndex(({ id }) => id === summary.id);
  if (place < 0) runs = [summary, ...runs].slice(0, keep);
  else runs[place] = summary;
  draw();
}

export function markSelected(id) {
  selected = id;
  draw();
}

/** @param select called with the id of the run that is chosen */
export function onSelect(select) {
  byId("runs").addEventListener("click", (event) => {
    const id = event.target.closest("a")?.dataset.run;
    if (id === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    select(id);
  });
}

/** Keeps the links that are there, so that none loses the focus. */
function draw() {
  const list = byId("runs");
  const links = new Map(Array.from(list.querySelectorAll("a"), (link) => [link.dataset.run, link]));
  for (const [place, run] of runs.entries()) {
    const link = links.get(run.id) ?? linkTo(run.id);
    links.delete(run.id);
    fill(link, run);
    if (list.children[place] !== link.parentElement)
      list.insertBefore(link.parentElement, list.children[place] ?? null);
  }
  for (const link of links.values()) link.parentElement.remove();
}

function linkTo(id) {
  const link = element("a", { href: `?run=${encodeURIComponent(id)}`, "data-run": id });
  link.append(element("span"), " ", element("small"));
  element("li", {}, link);
  return link;
}

function fill(link, { id, broker, status, picture, start_idx: start, end_idx: end, done, created_at }) {
  if (id === selected) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
  const [what, state] = link.children;
  setText(what, picture ? `your picture on ${broker}` : `[${start}, ${end}) on ${broker}`);
  const progress = status === "running" ? `${thousands.format(done)} of ${thousands.format(end - start)}` : status;
  setText(state, `${progress}, ${new Date(created_at).toLocaleTimeString()}`);
}
