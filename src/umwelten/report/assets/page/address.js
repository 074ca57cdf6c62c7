// The address says what is shown, so that it can be copied, kept and opened again: #answers?q=bees&call=…
const PLACE = "#answers";
let current = null;

const keyOfCall = (call) => [call.repeat, meta.models[call.model].label, call.file ?? ""].join("~");
const given = () => (location.hash.startsWith(`${PLACE}?`) ? new URLSearchParams(location.hash.slice(PLACE.length + 1)) : null);
const whole = (asked) => `${location.href.split("#")[0]}${PLACE}?${asked}`;
const linkTo = (call) => whole(new URLSearchParams({ call: keyOfCall(call) }));

// Each is a control: what it says in an address, and how it takes what an address says.
const CONTROLS = [];
const control = (name, read, write) => CONTROLS.push({ name, read, write });

function asked() {
  const found = new URLSearchParams();
  for (const { name, read } of CONTROLS) {
    const value = read();
    if (value) found.set(name, value);
  }
  if (current) found.set("call", keyOfCall(current));
  return found;
}

let noted = null;

// Replaced, not pushed: going back leaves the report at once.
function noteAddress() {
  const now = String(asked());
  if (now === (noted ?? "")) return;
  noted = now;
  try { history.replaceState(null, "", now ? `${PLACE}?${now}` : location.href.split("#")[0]); } catch { /* The page works without. */ }
}

function takeAddress() {
  const found = given();
  if (!found || String(found) === noted) return false;
  for (const { name, write } of CONTROLS) write(found.get(name) ?? "");
  current = found.has("call") ? calls.find((call) => keyOfCall(call) === found.get("call")) ?? null : null;
  opened.clear();
  if (current) view = "list";
  first();
  if (current) show(current);
  else byId("answers").scrollIntoView();
  return true;
}

async function copy(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = element("textarea", { class: "away", "aria-hidden": "true", tabindex: "-1" });
    field.value = text;
    document.body.append(field);
    field.select();
    done = document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.dataset.was ??= button.textContent;
  button.textContent = done ? "Copied" : "Not copied";
  byId("told").textContent = button.textContent;
  setTimeout(() => { button.textContent = button.dataset.was; }, 1500);
}

const copier = (title, text) => element("button", { type: "button", class: "small", onclick: (event) => copy(text(), event.currentTarget) }, title);
