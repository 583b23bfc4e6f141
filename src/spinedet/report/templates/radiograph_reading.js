"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
const state = {
  at: 0, since: document.hidden ? null : performance.now(),
  readings: data.images.map(one => ({ view: one.view, label: null, confidence: null, rejected: "", seconds: 0 })),
};

const current = () => state.readings[state.at];
// Time runs for the image that is shown, while the page is visible.
function settle() {
  const now = performance.now();
  if (state.since !== null) current().seconds += (now - state.since) / 1000;
  state.since = document.hidden ? null : now;
}
const labelsOf = view => data.labels[view] || data.every;

// --- readings ---

function setView(view) {
  const one = current();
  one.view = view;
  if (!labelsOf(view).includes(one.label)) one.label = null;
  draw();
}
function setLabel(label) { Object.assign(current(), { label, rejected: "" }); draw(); }
function setConfidence(confidence) { current().confidence = confidence; draw(); }
function show(at) {
  settle();
  state.at = Math.min(Math.max(at, 0), data.images.length - 1);
  draw();
}

// --- export ---

function imageReading(source, one) {
  const given = { id: source.id, view: one.view, seconds: Math.round(one.seconds * 10) / 10 };
  if (one.confidence !== null) given.confidence = one.confidence;
  if (one.label !== null) return { ...given, label: one.label };
  return { ...given, rejected: one.rejected || "not read" };
}
function readings() {
  settle();
  const studies = new Map();
  data.images.forEach((source, row) => {
    if (!studies.has(source.study)) studies.set(source.study, { id: source.study, images: [] });
    studies.get(source.study).images.push(imageReading(source, state.readings[row]));
  });
  const reader = byId("reader").value || "a reader";
  const model = { name: reader, kind: "reader", task: data.task, exported: new Date().toISOString() };
  return { format: "spinedet-readings", version: 1, model, studies: [...studies.values()] };
}
function save() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(readings(), null, 1)], { type: "application/json" }));
  const link = make("a", { href: url, download: "readings.json" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// --- page ---

function choices(id, values, chosen, choose) {
  const field = byId(id), buttons = values.map(value => {
    const button = make("button", { textContent: String(value), className: value === chosen ? "on" : "" });
    button.onclick = () => choose(value);
    return button;
  });
  field.replaceChildren(field.querySelector("legend"), ...buttons);
}
function draw() {
  const source = data.images[state.at], one = current();
  byId("picture").src = source.picture;
  byId("picture").style.filter = `brightness(${byId("brightness").value}) contrast(${byId("contrast").value})`;
  const done = state.readings.filter(each => each.label !== null || each.rejected).length;
  byId("progress").textContent = `image ${state.at + 1} of ${data.images.length}; ${done} read`;
  byId("case").textContent = `${source.study}, ${source.id}`;
  choices("view", data.views, one.view, setView);
  choices("labels", labelsOf(one.view), one.label, setLabel);
  choices("confidence", [1, 2, 3, 4, 5], one.confidence, setConfidence);
  byId("rejected").value = one.rejected;
  byId("previous").disabled = state.at === 0;
  byId("next").disabled = state.at === data.images.length - 1;
}
byId("rejected").oninput = event => {
  Object.assign(current(), { rejected: event.target.value });
  if (event.target.value) { current().label = null; }
};
byId("rejected").onchange = draw;
byId("previous").onclick = () => show(state.at - 1);
byId("next").onclick = () => show(state.at + 1);
byId("export").onclick = save;
for (const id of ["brightness", "contrast"]) byId(id).oninput = draw;
document.addEventListener("visibilitychange", settle);
document.addEventListener("keydown", event => {
  const typing = event.target.tagName === "INPUT" && event.target.type === "text";
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") show(state.at - 1);
  else if (event.key === "ArrowRight") show(state.at + 1);
  else if (event.key === "e") save();
  else if (/^[1-5]$/.test(event.key)) setConfidence(Number(event.key));
});
draw();
byId("picture").decode().then(() => { document.body.dataset.ready = "yes"; });
