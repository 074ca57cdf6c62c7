// What the address says is to be shown, and addresses that say it.
export function placeOf(url) {
  const parts = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const params = Object.fromEntries(url.searchParams);
  if (parts[0] !== "e" || !parts[1]) return { view: "home", params };
  const [, id, view = "evaluation", call] = parts;
  return call ? { view: "call", id, call, params } : { view, id, params };
}

export function address(view, id, params = {}, call = null) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const rest = given.length ? `?${new URLSearchParams(given)}` : "";
  if (view === "home") return `/${rest}`;
  const base = `/e/${encodeURIComponent(id)}`;
  if (view === "evaluation") return base + rest;
  return call === null ? `${base}/${view}${rest}` : `${base}/calls/${call}${rest}`;
}

let shown = () => {};
export const onChange = (act) => { shown = act; };

export function go(url, { replace = false, quiet = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  if (!quiet) shown();
}
