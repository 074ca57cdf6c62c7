// What the filters leave, as a file: made here, sent nowhere.
const FORMULA = /^\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^[+-]?\d+([.,]\d+)?(e[+-]?\d+)?%?$/i;

// As in the CSV report: no spreadsheet computes a text.
function csvCell(value) {
  if (value == null) return "";
  if (typeof value === "number") return String(value).includes("e") ? value.toFixed(9).replace(/\.?0+$/, "") : String(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// Named as in the CSV report.
function exported(call) {
  const model = meta.models[call.model];
  const row = {
    evaluation: meta.evaluations[model.evaluation], file: call.file, model: model.name, prompt: model.prompt_name,
    repeat: call.repeat, status: call.kind ? "failed" : "succeeded", finish_reason: call.finish, response_s: call.time,
    ttft_s: call.ttft, attempts: call.attempts, input_tokens: call.in, output_tokens: call.out, cost_usd: call.cost,
    error_kind: call.kind, error_message: call.kind ? call.text : null, response: call.kind ? null : call.text,
  };
  if (!meta.models.some((one) => one.prompt_name)) delete row.prompt;
  if (meta.cut) row.response_characters = call.length || call.text.length;
  for (const one of scorers) {
    const entry = scoreOf(call, one.n);
    row[`score.${one.name}`] = entry?.[VALUE] ?? null;
    if (one.n !== TOTAL) row[`pass.${one.name}`] = entry?.[PASS] == null ? null : Boolean(entry[PASS]);
  }
  return row;
}

function exportedColumns(row, call) {
  const fields = {};
  rowNames.forEach((name, n) => { fields[`row.${name}`] = rowValue(call, n) ?? null; });
  for (const field of meta.fields) fields[field.column] = valueOf(call, field.name) ?? null;
  return { ...row, ...fields };
}

const rowOf = (call) => (rowNames.length ? { row: call.row == null ? null : Object.fromEntries(rowNames.map((name, n) => [name, rowValue(call, n) ?? null])) } : {});
const filtered = () => table.getPrePaginatedRowModel().rows.map((row) => row.original);

function asCsv(found) {
  const rows = found.map((call) => exportedColumns(exported(call), call));
  const names = Object.keys(rows[0] ?? {});
  // The mark by which Excel knows UTF-8.
  return `\ufeff${[names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.map(csvCell).join(",")).join("\n")}\n`;
}

const asJson = (found) => `[${found.map((call) => JSON.stringify({ ...exported(call), ...rowOf(call), data: call.data ?? null })).join(",\n")}]\n`;

function save(form, found) {
  const [text, type] = form === "csv" ? [asCsv(found), "text/csv"] : [asJson(found), "application/json"];
  const address = URL.createObjectURL(new Blob([text], { type }));
  const name = `${meta.evaluations[0]}${several ? "-and-others" : ""}-answers.${form}`.replace(/[^\w.-]+/g, "_");
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
