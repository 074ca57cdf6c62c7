// A run that goes on: what it waits for, and what can be changed. Each change asks for a reason.
import { evaluationPath, get, post } from "./api.js";
import { byId, element, fill, inWords, say, table, visible } from "./dom.js";
import { address } from "./place.js";

const POLL_MS = 1000;

export async function control(main, place, context) {
  const { id } = place;
  const path = `${evaluationPath(id)}/control`;
  const runs = element("div", { id: "runs" });
  fill(main, element("h1", { tabindex: "-1" }, `Control of ${visible(id)}`), runs);
  let last = "";
  async function look() {
    const found = await get(path, {}, context.signal);
    const text = JSON.stringify(found.runs.map((run) => run.state && { ...run.state, elapsed_s: 0 }));
    // A field that is being filled in stays as it is.
    if (text === last || runs.querySelector("input:focus, select:focus")) return;
    last = text;
    const focused = document.activeElement?.dataset?.act;
    fill(runs, found.runs.length ? found.runs.map((run) => panel(run, found.read_only)) : element("p", {}, "No run is at work on it, or it was started with ", element("code", {}, "--no-control"), ". It goes on with ", element("code", {}, `umwelten eval resume ${id}`), "."));
    if (focused) runs.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
  }
  async function change(run, verb, title, fields = {}) {
    const reason = await askReason(title);
    if (reason === null) return;
    try {
      const said = await post(path, { verb, pid: run.pid, reason, ...fields });
      say([`${title}: done.`, said.note, said.journalled === false ? "It could not be journalled." : ""].filter(Boolean).join(" "));
    } catch (error) {
      say([error.message, error.hint].filter(Boolean).join(" "), true);
    }
    last = "";
    look().catch(() => {});
  }
  function panel(run, readOnly) {
    if (!run.state) return element("section", {}, element("h2", {}, `Process ${run.pid}`), element("p", { class: "reason" }, visible(run.error)));
    const { state } = run;
    const act = (verb, title, fields, about = "") => element("button", { type: "button", "data-act": `${verb} ${about} ${JSON.stringify(fields ?? {})}`, "aria-label": about ? `${title} ${about}` : null, disabled: readOnly, onclick: () => change(run, verb, about ? `${title} ${about}` : title, fields) }, title);
    const turn = (one, scope) => (one.paused ? act("resume", "Resume", { scope }, visible(scope)) : act("pause", "Pause", { scope }, visible(scope)));
    const key = element("select", { id: `key-${run.pid}` }, Object.entries(state.settings).map(([name, value]) => element("option", { value: name }, `${inWords(name)} (${visible(value === null ? "none" : typeof value === "object" ? JSON.stringify(value) : value)})`)));
    const value = element("input", { id: `value-${run.pid}`, autocomplete: "off" });
    const scope = element("input", { id: `scope-${run.pid}`, autocomplete: "off", placeholder: "all" });
    const set = element("button", { type: "button", "data-act": "set", disabled: readOnly, onclick: () => change(run, "set", `Set ${inWords(key.value)} to ${value.value}`, { key: key.value, value: value.value, scope: scope.value }) }, "Set");
    const lanes = state.lanes.map((lane) => element("tr", {},
      element("th", { scope: "row" }, visible(lane.name)),
      element("td", { class: "n" }, `${lane.in_flight} of ${lane.limit}`), element("td", { class: "n" }, lane.ceiling),
      element("td", { class: "n" }, grouped(lane.ready + lane.waiting)), element("td", { class: "n" }, Number(lane.calls_per_s.toPrecision(3))),
      element("td", {}, lane.stopped ? visible(lane.stopped) : lane.wait ? visible(lane.wait.text) : lane.paused ? "paused" : ""),
      element("td", {}, turn(lane, lane.name))));
    const models = state.models.map((model) => element("tr", {},
      element("th", { scope: "row" }, visible(model.model)), element("td", { class: "n" }, `${grouped(model.done)} of ${grouped(model.total)}`),
      element("td", { class: "n" }, grouped(model.failed)), element("td", { class: "n" }, model.in_flight), element("td", { class: "n" }, money(model.cost_usd)),
      element("td", {}, turn(model, model.model))));
    const calls = run.calls.slice(0, 20).map((call) => element("tr", {},
      element("th", { scope: "row" }, element("a", { href: address("call", id, {}, call.call) }, visible(call.file ?? call.input ?? call.call))),
      element("td", {}, visible(call.model ?? "")), element("td", {}, act("cancel", "Cancel", { call: call.call }, `call ${call.call}`))));
    return element("section", { "aria-labelledby": `run-${run.pid}` },
      element("h2", { id: `run-${run.pid}` }, `Process ${run.pid} `, element("span", { class: `badge ${state.phase === "running" ? "running" : ""}` }, visible(state.phase))),
      element("p", { class: "facts" }, `${grouped(state.done)} of ${grouped(state.total)} answered, ${grouped(state.failed)} failed, ${state.in_flight} in flight, ${state.workers ? `${grouped(state.workers.ready)} of ${grouped(state.workers.wanted)} workers, ` : ""}${Number(state.calls_per_s.toPrecision(3))} calls/s, ${money(state.cost_usd)}${state.unpriced_calls && state.cost_usd != null ? "+?" : ""}`, state.left_s == null ? "" : `, about ${minutes(state.left_s)} to go`, state.quiet ? ". Quiet: safe to kill." : ""),
      readOnly ? element("p", { class: "note" }, "This view is read only.") : null,
      element("div", { class: "controls" },
        state.phase === "paused" ? act("resume", "Resume") : act("pause", "Pause"), act("retry", "Retry failed calls"), act("stop", "Stop"), act("stop", "Stop now", { now: true })),
      element("div", { class: "controls" }, element("label", {}, "Setting ", key), element("label", {}, "Value ", value), element("label", {}, "Lane, provider or model ", scope), set),
      lanes.length ? table("Lanes", ["Lane", "#In flight", "#Ceiling", "#Waiting", "#Calls/s", "Waits for", "Action"], lanes) : null,
      models.length ? table("Models", ["Model", "#Answered", "#Failed", "#In flight", "#Spent", "Action"], models) : null,
      calls.length ? [element("h3", {}, "Under way"), table("Calls under way", ["Input", "Model", "Action"], calls)] : null);
  }
  await look();
  // One question at a time: a run that hangs answers none.
  let timer;
  const again = async () => {
    if (!document.hidden) await look().catch(() => {});
    if (!context.signal.aborted) timer = setTimeout(again, POLL_MS);
  };
  timer = setTimeout(again, POLL_MS);
  context.signal.addEventListener("abort", () => clearTimeout(timer));
  return { title: `Control ${id}` };
}

// The reason that somebody gives, null if nothing is to be done.
function askReason(title) {
  const dialog = byId("ask");
  const field = element("input", { id: "reason", required: true, maxlength: 500, autocomplete: "off" });
  return new Promise((resolve) => {
    const done = (value) => { dialog.close(); resolve(value); };
    const form = element("form", { onsubmit: (event) => { event.preventDefault(); if (field.value.trim()) done(field.value.trim()); } },
      element("h2", { id: "ask-title" }, title),
      element("label", {}, "Reason, kept with the change ", field),
      element("p", { class: "pages" }, element("button", { type: "submit" }, "Do it"), element("button", { type: "button", onclick: () => done(null) }, "Leave it")));
    dialog.oncancel = () => resolve(null);
    fill(dialog, form);
    dialog.showModal();
    field.focus();
  });
}
