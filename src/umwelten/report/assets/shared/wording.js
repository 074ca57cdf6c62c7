// Figures in the words of report/wording.py; the tests compare the two.
const UNKNOWN = "–";
const grouped = (n) => n.toLocaleString("en-US");

function minutes(value) {
  const whole = Math.round(value);
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function seconds(value) {
  if (value == null) return UNKNOWN;
  if (value < 59.95) return value < 9.995 ? `${value.toFixed(2)} s` : `${value.toFixed(1)} s`;
  return minutes(value);
}

function money(value) {
  if (value == null) return UNKNOWN;
  if (value === 0) return "$0";
  if (value >= 1) return "$" + value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  let decimals = 2;
  while (decimals < 9 && value * 10 ** decimals < 100) decimals += 1;
  const [whole, fraction] = value.toFixed(decimals).split(".");
  return `$${whole}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

const tokens = (value) => (value == null ? UNKNOWN : grouped(value));
const percent = (value) =>
  value === 0 || value === 1 ? `${value * 100}%` : `${Math.min(Math.max(value * 100, 0.1), 99.9).toFixed(1)}%`;
const counted = (n, noun) => `${grouped(n)} ${noun}${n === 1 ? "" : "s"}`;
