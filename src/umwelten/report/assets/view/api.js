// Questions to the server, and what it tells by itself.
export class Refused extends Error {
  constructor(message, hint, status) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

const query = (params) => {
  const given = Object.entries(params ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

async function answerOf(response) {
  const text = await response.text();
  let said;
  try { said = JSON.parse(text); } catch { said = { error: text.slice(0, 200) || `status ${response.status}` }; }
  if (!response.ok) throw new Refused(said.error ?? `status ${response.status}`, said.hint, response.status);
  return said;
}

export const evaluationPath = (id) => `/api/e/${encodeURIComponent(id)}`;

export const get = async (path, params, signal) => answerOf(await fetch(path + query(params), { signal }));

export const post = async (path, body) =>
  answerOf(await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Umwelten": "1" },
    body: JSON.stringify(body),
  }));

// Events while the page is looked at. A browser allows few connections to a server, so a hidden page gives its own
// back; when it is shown again it goes on after the last event.
export function follow(path, handlers, signal, state) {
  let source = null;
  let last = "";
  const open = () => {
    source?.close();
    source = new EventSource(path + (last ? `${path.includes("?") ? "&" : "?"}after=${last}` : ""));
    source.onopen = () => state("live");
    source.onerror = () => state("reconnecting");
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        last = event.lastEventId || last;
        handle(JSON.parse(event.data));
      });
    }
  };
  const turn = () => {
    if (document.hidden) { source?.close(); source = null; state(""); } else if (!source) open();
  };
  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", () => { source?.close(); state(""); });
  if (!document.hidden) open();
}
