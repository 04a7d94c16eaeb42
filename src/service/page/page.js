import { byId, setText } from "./dom.js";
import { addLetter, setLetters } from "./dead-letters.js";
import { fetchTruth } from "./gallery.js";
import { findRun, markSelected, newestRun, onSelect, putRun, setRuns } from "./recent-runs.js";
import { getJson, listen, notReady, startRun, uploadPicture } from "./requests.js";
import { addAnswers, setPixels, setTruth, showRun, updateRun } from "./results.js";
import { drawNodes, drawTopology } from "./topology.js";

/** Time between two looks at what is not ready, milliseconds. */
const lookMs = 2_000;

const startForm = byId("start-form");
const uploadForm = byId("upload-form");

/** Id of the run that is shown. */
let selected = document.body.dataset.run || undefined;

byId("outcome").hidden = true;
for (const id of ["connection", "upload-form", "recent", "live", "results", "dead-letters"]) byId(id).hidden = false;
byId("topology").hidden = document.body.dataset.topology !== "yes";

// --- Showing -----------------------------------------------------------------------------------------------------------------------

onSelect(select);

/** Shows a run: what is known of it, and from then on what comes in. */
async function select(id) {
  selected = id;
  markSelected(id);
  history.replaceState(null, "", `?run=${encodeURIComponent(id)}`);
  showRun(id);
  if (findRun(id) !== undefined) updateRun(findRun(id));
  try {
    const { predictions, scores, pixels, ...summary } = await getJson(`runs/${encodeURIComponent(id)}`);
    if (selected !== id) return;
    updateRun(summary);
    addAnswers(id, summary.start_idx, predictions, scores);
    setPixels(id, pixels);
  } catch (refusal) {
    if (refusal.status !== 404 || findRun(id) !== undefined) return tell(refusal);
    // Forgotten: the service was restarted.
    selected = undefined;
    if (newestRun() !== undefined) await select(newestRun().id);
  }
}

listen(
  {
    // The present state: at the beginning, and whenever too much was missed.
    reset: ({ runs, dead_letters: letters }) => {
      setRuns(runs);
      setLetters(letters);
      const shown = selected ?? newestRun()?.id;
      if (shown !== undefined) void select(shown);
    },
    run: (summary) => {
      putRun(summary);
      updateRun(summary);
      if (selected === undefined) void select(summary.id);
    },
    slice: ({ run, start_idx: start, predictions, scores }) => addAnswers(run, start, predictions, scores),
    "dead-letter": addLetter,
    stats: (stats) => {
      setText(byId("throughput"), String(stats.images_per_second));
      setText(byId("p50"), milliseconds(stats.p50_ms));
      setText(byId("p99"), milliseconds(stats.p99_ms));
      setText(byId("lag"), String(stats.lag ?? "–"));
      drawNodes(stats.nodes);
    },
  },
  (connected) => {
    byId("connection").classList.toggle("lost", !connected);
    setText(byId("connection"), connected ? "● Connected" : "○ Connection lost: trying again");
    if (connected) fetchTruth().then(setTruth, tell);
  },
);

function milliseconds(value) {
  return value === null ? "–" : `${Math.round(value)} ms`;
}

if (!byId("topology").hidden) drawTopology().catch(tell);

setInterval(() => {
  if (!document.hidden) void lookWhatIsAway();
}, lookMs);

async function lookWhatIsAway() {
  const reasons = Object.entries(await notReady());
  byId("away").hidden = reasons.length === 0;
  setText(byId("away"), reasons.map(([name, reason]) => `${name} is not ready: ${reason}`).join("; "));
}

// --- Starting ----------------------------------------------------------------------------------------------------------------------

startForm.addEventListener("submit", (event) => {
  const { broker, start_idx: start, end_idx: end } = startForm.elements;
  void submit(event, () => startRun(broker.value, Number(start.value), Number(end.value)));
});

uploadForm.addEventListener("submit", (event) => {
  void submit(event, () => uploadPicture(startForm.elements.broker.value, uploadForm.elements.picture.files[0]));
});

/** Starts a run instead of leaving the page, and shows it; or says why not. */
async function submit(event, start) {
  event.preventDefault();
  const [button] = event.target.querySelectorAll("button");
  button.disabled = true;
  tell(undefined);
  try {
    await select((await start()).id);
  } catch (refusal) {
    tell(refusal);
  } finally {
    button.disabled = false;
  }
}

/** Says in words what went wrong, and marks the fields; undefined: nothing did. */
function tell(refusal) {
  setText(byId("problem"), refusal?.message ?? "");
  for (const field of startForm.elements) {
    if (refusal?.fields?.includes(field.name)) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}
