/** An answer that is an error. Its message is for people: what happened, and what to do. */
class Refusal extends Error {
  /** @param problem what RFC 9457 calls a problem: status, title, detail, errors */
  constructor(problem) {
    const { status, title, detail } = problem;
    super([`${title}.`, detail, advice[status]].filter(Boolean).join(" "));
    this.status = status;
    /** Names of the fields that are wrong. */
    this.fields = (problem.errors ?? []).map(({ at }) => at);
  }
}

const advice = {
  0: "Is the service running? Its address is the one of this page.",
  401: "Reload the page, and give the token as the password.",
  413: "Take a smaller picture.",
  415: "Take a PNG or JPEG.",
  429: "Wait a moment, then try again.",
  503: "Start the broker, or wait until it is back: the service connects again by itself. Then press the button again.",
};

/** Errors: a `Refusal`. */
async function ask(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Refusal({ status: 0, title: "The service does not answer" });
  });
  if (response.ok) return response;
  const { status, statusText } = response;
  const unreadable = { status, title: `The service answers ${status} ${statusText}` };
  throw new Refusal({ ...unreadable, ...(await response.json().catch(() => ({}))) });
}

export async function getJson(path) {
  return (await ask(path)).json();
}

export async function getText(path) {
  return (await ask(path)).text();
}

export async function getBytes(path) {
  return new Uint8Array(await (await ask(path)).arrayBuffer());
}

/** Starts a run; resolves with its `id` and `status`. */
export async function startRun(broker, start, end) {
  const body = JSON.stringify({ broker, start_idx: start, end_idx: end });
  return (await ask("runs", { method: "POST", headers: { "content-type": "application/json" }, body })).json();
}

/** Starts a run for a picture of one's own, a `File`. */
export async function uploadPicture(broker, file) {
  const path = `images?broker=${encodeURIComponent(broker)}`;
  return (await ask(path, { method: "POST", headers: { "content-type": file.type }, body: file })).json();
}

/** Why parts of the service are not ready, by their name; empty when all are. */
export async function notReady() {
  const response = await fetch("readyz").catch(() => undefined);
  return (await response?.json().catch(() => undefined))?.reasons ?? {};
}

/** How long to wait before a stream that the browser has given up is opened again, milliseconds. */
const reopenMs = 5_000;

/**
 * Calls the handler that is named like an event with its data, for as long as the page is open. The browser connects again by itself, and the
 * service then sends what was missed.
 *
 * @param connected called with false when the connection is lost, and with true when it is there
 */
export function listen(handlers, connected) {
  const source = new EventSource("events");
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, ({ data }) => handle(JSON.parse(data)));
  }
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers, connected), reopenMs);
  });
}
