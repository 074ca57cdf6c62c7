// An answer of the report: formatted, as it was written, or why there is none.
let rendered = true;

function answer(call) {
  if (call.kind) return failure(call);
  const body = call.data || !rendered ? null : formatted(call.text);
  return body ?? element("pre", { class: "raw" }, call.text);
}

function failure(call) {
  const message = element("p", { class: "message" }, call.text);
  if (!call.kept) return message;
  const title = element("p", { class: "note" }, "The last answer, which does not fit:");
  return element("div", {}, message, title, element("pre", { class: "raw" }, call.kept));
}

function picture(call, width) {
  const address = call.file != null && Object.hasOwn(meta.pictures, call.file) ? meta.pictures[call.file] : null;
  if (!address) return null;
  return element("img", { src: address, alt: `Input ${call.file}`, class: "thumb", loading: "lazy", width });
}

function facts(call) {
  const parts = [
    seconds(call.time),
    call.ttft == null ? null : `first token ${seconds(call.ttft)}`,
    call.attempts > 1 ? `${call.attempts} attempts` : null,
    `${tokens(call.in)} → ${tokens(call.out)} tokens`,
    call.cost == null ? "cost unknown" : money(call.cost),
    call.finish && call.finish !== "stop" ? `ended by ${kindInWords(call.finish)}` : null,
    ...(call.marks || []),
  ];
  return parts.filter(Boolean).join(" · ");
}

function cutNote(call) {
  if (!call.length) return null;
  return element("p", { class: "note" }, `Shortened: the answer has ${grouped(call.length)} characters.`);
}
