// Light, dark, or as the system has it.
const THEMES = ["auto", "light", "dark"];

function remembered() {
  try { return localStorage.getItem("umwelten-theme") ?? "auto"; } catch { return "auto"; }
}

let theme = THEMES.includes(remembered()) ? remembered() : "auto";

function setTheme(name) {
  theme = name;
  document.documentElement.dataset.theme = name;
  const button = byId("theme");
  button.textContent = `Theme: ${name}`;
  button.setAttribute("aria-label", `Theme: ${name}. Change`);
  try { localStorage.setItem("umwelten-theme", name); } catch { /* Kept for this visit only. */ }
}

setTheme(theme);
byId("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
