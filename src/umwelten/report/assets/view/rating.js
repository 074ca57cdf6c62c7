// Saying what an answer is worth: a number or a word, and a comment. Kept at once.
import { evaluationPath, post } from "./api.js";
import { element, fill, say } from "./dom.js";

const remembered = () => { try { return localStorage.getItem("umwelten-scale") ?? "1-5"; } catch { return "1-5"; } };

export function rater(id, call, rating, about, changed = () => {}) {
  if (about.read_only) return null;
  let scale = rating?.scale ?? remembered();
  let value = rating?.value ?? null;
  const comment = element("textarea", { id: "comment", rows: 2, maxlength: 10000 });
  comment.value = rating?.comment ?? "";
  const buttons = element("div", { class: "tabs", role: "group", "aria-label": "Rating" });
  const scales = element("select", { id: "scale", onchange: (event) => turn(event.target.value) },
    about.scales.map((name) => element("option", { value: name }, name)));

  const choices = () => (scale === "pass/fail" ? [[1, "good", "y"], [0, "bad", "n"]] : [1, 2, 3, 4, 5].map((n) => [n, String(n), String(n)]));
  function draw() {
    scales.value = scale;
    fill(buttons, ...choices().map(([n, title, key]) =>
      element("button", { type: "button", "aria-pressed": String(value === n), "data-rate": n, title: `Key ${key}`, onclick: () => set(value === n ? null : n) }, title)));
  }
  function turn(name) {
    if (name === scale) return;
    scale = name;
    value = null;
    try { localStorage.setItem("umwelten-scale", name); } catch { /* For this visit only. */ }
    draw();
  }
  async function keep() {
    try {
      const { rating: kept } = await post(`${evaluationPath(id)}/ratings`, { call, scale, value, comment: comment.value });
      say(kept ? "Kept." : "Removed.");
      changed(kept);
    } catch (error) {
      say([error.message, error.hint].filter(Boolean).join(" "), true);
      throw error;
    }
  }
  function set(n) {
    const was = value;
    value = n;
    draw();
    return keep().catch(() => { value = was; draw(); });
  }
  comment.addEventListener("change", () => keep().catch(() => {}));
  draw();
  const node = element("section", { class: "rater", "aria-labelledby": "rating" },
    element("h2", { id: "rating" }, "Your rating"),
    element("div", { class: "controls" }, buttons, element("label", {}, "Scale ", scales), element("label", { class: "grow" }, "Comment ", comment)));
  const on = (name, n) => { turn(name); return set(n); };
  return {
    node,
    keys: {
      ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [String(n), () => on("1-5", n)])),
      y: () => on("pass/fail", 1), n: () => on("pass/fail", 0), x: () => set(null),
      i: () => comment.focus(),
    },
  };
}
