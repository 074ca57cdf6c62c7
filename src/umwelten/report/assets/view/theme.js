// First of all, so that the page is not drawn in the wrong colours.
(() => {
  let theme = "auto";
  try { theme = localStorage.getItem("umwelten-theme") ?? "auto"; } catch { /* Kept for this visit only. */ }
  document.documentElement.dataset.theme = ["auto", "light", "dark"].includes(theme) ? theme : "auto";
})();
