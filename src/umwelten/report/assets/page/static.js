// The parts that need no data: navigation that follows the reader, headings that sort, menus that close.

// --- navigation ---

const links = new Map([...document.querySelectorAll("header.top nav a")].map((link) => [link.hash.slice(1), link]));

function follow() {
  // The last section that begins above the first quarter of the window.
  let here = null;
  for (const [id] of links) {
    const section = byId(id);
    if (section && !section.hidden && section.getBoundingClientRect().top < innerHeight / 4) here = id;
  }
  for (const [id, link] of links) {
    if (id === here) {
      if (link.hasAttribute("aria-current")) continue;
      link.setAttribute("aria-current", "true");
      const strip = link.parentElement;
      strip.scrollLeft = link.offsetLeft - strip.offsetLeft - 24;
    } else link.removeAttribute("aria-current");
  }
}

let following = 0;
addEventListener("scroll", () => {
  cancelAnimationFrame(following);
  following = requestAnimationFrame(follow);
}, { passive: true });

// --- tables that came with the page ---

function sortable(box) {
  const body = box.querySelector("tbody");
  const rows = [...body.rows];
  const heads = [...box.querySelectorAll("thead th")];
  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const value = (row, n) => row.cells[n].dataset.v ?? row.cells[n].textContent;
  const figure = (text) => (text === "" ? NaN : Number(text));
  const compare = (n, desc) => (a, b) => {
    const [one, other] = [value(a, n), value(b, n)];
    if (!("v" in a.cells[n].dataset)) return words.compare(one, other) * (desc ? -1 : 1);
    const [x, y] = [figure(one), figure(other)];
    // What is not known comes last, whichever way.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return (x - y) * (desc ? -1 : 1);
  };
  heads.forEach((head, n) => {
    const arrow = element("span", { class: "arrow", "aria-hidden": "true" });
    const turn = () => {
      const was = head.getAttribute("aria-sort");
      const now = was === "none" ? "ascending" : was === "ascending" ? "descending" : "none";
      heads.forEach((one) => { one.setAttribute("aria-sort", "none"); one.querySelector(".arrow").textContent = ""; });
      head.setAttribute("aria-sort", now);
      arrow.textContent = { ascending: "↑", descending: "↓", none: "" }[now];
      body.append(...(now === "none" ? rows : [...rows].sort(compare(n, now === "descending"))));
    };
    const button = element("button", { type: "button", onclick: turn }, head.textContent, arrow);
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
  });
}
document.querySelectorAll("[data-sortable]").forEach(sortable);

// --- menus ---

function menu(id, title, ...content) {
  return element("details", { class: "menu", id }, element("summary", {}, title), element("div", { class: "sheet-of" }, ...content));
}

addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((one) => { if (!one.contains(event.target)) one.open = false; });
});
addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
