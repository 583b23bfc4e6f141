"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const COLORS = { finding: "#ff9d1e", chosen: "#ffe14d", below: "#8b949e", accepted: "#7ee787", cross: "rgba(56,198,255,.55)" };
const OPPOSITE = { R: "L", L: "R", A: "P", P: "A", S: "I", I: "S" };
const GRAB = 7; // pixels around an edge that take hold of it
const LEAST_MM = 1;

const seriesById = Object.fromEntries(data.series.map(one => [one.id, one]));
const state = {
  threshold: null, // null: the frozen one of each plane and category
  point: null, chosen: null, mode: "view", active: 0,
  decisions: {}, added: [], history: [], seconds: 0, since: document.hidden ? null : performance.now(),
};

// --- findings ---

function all() { return data.findings.concat(state.added); }
function decisionOf(one) { return state.decisions[one.id] || {}; }
function current(one) { return { ...one, ...(decisionOf(one).changes || {}) }; }
function limitOf(one) {
  return state.threshold === null ? data.thresholds[seriesById[one.series].plane][one.category] : state.threshold;
}
function isShown(one) { return one.added || one.score >= limitOf(one) || Boolean(decisionOf(one).decision); }
function shown() { return all().filter(isShown).map(current); }
function chosen() { const one = all().find(each => each.id === state.chosen); return one && current(one); }

function remember() {
  state.history.push(JSON.stringify({ decisions: state.decisions, added: state.added, chosen: state.chosen }));
}
function undo() {
  const last = state.history.pop();
  if (last) Object.assign(state, JSON.parse(last));
  state.mode = "view";
  draw();
}
function decide(decision) {
  const one = chosen();
  if (!one) return;
  remember();
  const before = decisionOf(one);
  state.decisions[one.id] = { ...before, decision, at: Math.round(elapsed()) };
  if (one.added && decision === "rejected") { state.added = state.added.filter(each => each.id !== one.id); delete state.decisions[one.id]; state.chosen = null; }
  state.mode = "view";
  draw();
}
function change(changes, keep) {
  const one = chosen();
  if (!one) return;
  if (!keep) remember();
  const before = decisionOf(one), moved = changes.box || (before.changes || {}).box;
  const decision = one.added ? "added" : moved || before.decision === "corrected" ? "corrected" : before.decision;
  state.decisions[one.id] = { ...before, decision, changes: { ...(before.changes || {}), ...changes }, at: Math.round(elapsed()) };
  draw();
}
function elapsed() { return state.seconds + (state.since === null ? 0 : (performance.now() - state.since) / 1000); }

// --- views ---

class View {
  constructor(plane, number) {
    this.number = number;
    this.choices = data.series.filter(one => one.plane === plane);
    this.slice = 0;
    this.pictures = {};
    this.canvas = make("canvas");
    this.select = make("select");
    this.choices.forEach(one => this.select.append(make("option", { value: one.id, textContent: one.id })));
    this.caption = make("span", { className: "soft" });
    this.stage = make("div", { className: "stage" }, this.canvas);
    this.element = make("div", { className: "view" }, make("div", { className: "bar" }, plane, this.select, this.caption), this.stage);
    this.select.onchange = () => { this.use(seriesById[this.select.value]); draw(); };
    this.canvas.addEventListener("wheel", event => { event.preventDefault(); this.scroll(Math.sign(event.deltaY)); }, { passive: false });
    this.canvas.addEventListener("pointerdown", event => this.down(event));
    this.canvas.addEventListener("pointermove", event => this.move(event));
    this.canvas.addEventListener("pointerup", () => { this.held = null; });
    this.use(this.choices[0]);
  }
  use(series) { this.series = series; this.select.value = series.id; this.slice = Math.floor(series.shape[0] / 2); }
  picture() {
    const key = `${this.series.id}/${this.slice}`;
    if (!this.pictures[key]) {
      const image = new Image();
      image.onload = () => this.draw();
      image.src = this.series.images[this.slice];
      this.pictures[key] = image;
    }
    return this.pictures[key];
  }
  scroll(steps) {
    state.active = this.number;
    const wanted = this.slice + steps;
    this.slice = Math.min(Math.max(wanted, 0), this.series.shape[0] - 1);
    if (state.point) {
      const edge = toEdge(this.series, state.point);
      state.point = toWorld(this.series, [this.slice + 0.5, edge[1], edge[2]]);
    }
    drawViews(this);
  }
  follow(point) {
    const edge = toEdge(this.series, point);
    this.slice = Math.min(Math.max(Math.floor(edge[0]), 0), this.series.shape[0] - 1);
  }
  // Pixels of the canvas for one mm, and where edge (0, 0) of the slice lies.
  place() {
    const mm = spacing(this.series), [, rows, columns] = this.series.shape;
    const ratio = window.devicePixelRatio || 1;
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio); this.canvas.height = Math.round(height * ratio);
    }
    const scale = Math.min(width / (columns * mm[2]), height / (rows * mm[1]));
    return { ratio, x: (width - columns * mm[2] * scale) / 2, y: (height - rows * mm[1] * scale) / 2, column: mm[2] * scale, row: mm[1] * scale, scale, width, height };
  }
  edgeAt(event) {
    const p = this.place(), bounds = this.canvas.getBoundingClientRect();
    return [this.slice + 0.5, (event.clientY - bounds.top - p.y) / p.row, (event.clientX - bounds.left - p.x) / p.column];
  }
  rectangle(box, p) {
    const e = edgesOf(this.series, box);
    if (!(e.low[0] < this.slice + 1 && e.high[0] > this.slice)) return null;
    return { left: p.x + e.low[2] * p.column, top: p.y + e.low[1] * p.row, right: p.x + e.high[2] * p.column, bottom: p.y + e.high[1] * p.row };
  }
  draw() {
    const p = this.place(), pen = this.canvas.getContext("2d"), image = this.picture();
    const [count, rows, columns] = this.series.shape;
    this.element.classList.toggle("active", state.active === this.number);
    this.caption.textContent = `slice ${this.slice + 1} of ${count}`;
    pen.setTransform(p.ratio, 0, 0, p.ratio, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, p.width, p.height);
    if (image.complete && image.naturalWidth) {
      pen.filter = `brightness(${byId("brightness").value}) contrast(${byId("contrast").value})`;
      pen.drawImage(image, p.x, p.y, columns * p.column, rows * p.row);
      pen.filter = "none";
    }
    this.cross(pen, p);
    for (const one of shown()) this.box(pen, p, one);
    this.letters(pen, p);
  }
  cross(pen, p) {
    if (!state.point) return;
    const edge = toEdge(this.series, state.point), x = p.x + edge[2] * p.column, y = p.y + edge[1] * p.row;
    pen.strokeStyle = COLORS.cross; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, p.height); pen.moveTo(0, y); pen.lineTo(p.width, y); pen.stroke();
  }
  box(pen, p, one) {
    const r = this.rectangle(one.box, p), decision = decisionOf(one).decision;
    if (!r) return;
    const own = one.series === this.series.id, picked = one.id === state.chosen;
    pen.strokeStyle = picked ? COLORS.chosen : decision === "rejected" ? COLORS.below : decision ? COLORS.accepted : COLORS.finding;
    pen.lineWidth = picked ? 2.5 : 1.5;
    pen.setLineDash(decision === "rejected" ? [2, 5] : own ? [] : [6, 4]);
    pen.strokeRect(r.left, r.top, r.right - r.left, r.bottom - r.top);
    pen.setLineDash([]);
    if (own) {
      pen.font = "12px sans-serif"; pen.fillStyle = pen.strokeStyle; pen.textBaseline = "middle";
      const words = [one.level || "", one.score === null ? "added" : one.score.toFixed(2)].filter(Boolean).join("  ");
      const length = pen.measureText(words).width, x = Math.min(r.right + 5, p.width - length - 4), y = (r.top + r.bottom) / 2;
      pen.fillStyle = "rgba(0,0,0,.65)"; pen.fillRect(x - 3, y - 9, length + 6, 18);
      pen.fillStyle = pen.strokeStyle; pen.fillText(words, x, y);
    }
    if (own && picked && state.mode === "correct") {
      for (const x of [r.left, (r.left + r.right) / 2, r.right]) for (const y of [r.top, (r.top + r.bottom) / 2, r.bottom]) pen.fillRect(x - 3, y - 3, 6, 6);
    }
  }
  letters(pen, p) {
    const [, down, right] = this.series.codes;
    pen.fillStyle = "#f2f2f2"; pen.font = "13px sans-serif"; pen.textBaseline = "middle";
    pen.shadowColor = "#000"; pen.shadowBlur = 3;
    pen.textAlign = "center";
    pen.fillText(OPPOSITE[down], p.width / 2, 10); pen.fillText(down, p.width / 2, p.height - 10);
    pen.textAlign = "left"; pen.fillText(OPPOSITE[right], 5, p.height / 2);
    pen.textAlign = "right"; pen.fillText(right, p.width - 5, p.height / 2);
    pen.textAlign = "left";
    const length = [100, 50, 20, 10].find(mm => mm * p.scale < p.width * 0.35) || 10;
    pen.fillRect(10, p.height - 12, length * p.scale, 2);
    pen.fillText(`${length} mm`, 12, p.height - 22);
    pen.shadowBlur = 0;
  }
  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    state.active = this.number;
    const edge = this.edgeAt(event), one = chosen();
    if (state.mode === "add") { this.start(edge); return; }
    if (state.mode === "correct" && one && one.series === this.series.id && this.grab(event, one)) return;
    const p = this.place(), bounds = this.canvas.getBoundingClientRect();
    const x = event.clientX - bounds.left, y = event.clientY - bounds.top;
    const hit = shown().map(each => [each, this.rectangle(each.box, p)])
      .filter(([, r]) => r && x >= r.left && x <= r.right && y >= r.top && y <= r.bottom)
      .sort((a, b) => (a[1].right - a[1].left) * (a[1].bottom - a[1].top) - (b[1].right - b[1].left) * (b[1].bottom - b[1].top));
    state.point = toWorld(this.series, edge);
    if (hit.length) state.chosen = hit[0][0].id;
    views.forEach(view => { if (view !== this) view.follow(state.point); });
    draw();
  }
  start(edge) {
    remember();
    const id = `added-${Date.now().toString(36)}-${state.added.length}`;
    const limits = { low: [this.slice, edge[1], edge[2]], high: [this.slice + 1, edge[1] + 1, edge[2] + 1] };
    state.added.push({ id, series: this.series.id, category: data.categories[0], score: null, level: null, added: true, box: worldBox(this.series, limits) });
    state.decisions[id] = { decision: "added", at: Math.round(elapsed()) };
    Object.assign(state, { chosen: id, mode: "correct" });
    this.held = { edges: limits, start: edge, sides: [null, "high", "high"] };
    draw();
  }
  // Takes hold of a side, a corner or the whole box; false when the pointer is not on it.
  grab(event, one) {
    const edges = edgesOf(this.series, one.box), p = this.place(), start = this.edgeAt(event);
    if (!(edges.low[0] < this.slice + 1 && edges.high[0] > this.slice)) return false;
    const near = (axis, size) => {
      const toLow = Math.abs(start[axis] - edges.low[axis]) * size, toHigh = Math.abs(start[axis] - edges.high[axis]) * size;
      return Math.min(toLow, toHigh) > GRAB ? null : toLow < toHigh ? "low" : "high";
    };
    const within = (axis, size) => start[axis] > edges.low[axis] - GRAB / size && start[axis] < edges.high[axis] + GRAB / size;
    if (!within(1, p.row) || !within(2, p.column)) return false;
    remember();
    this.held = { edges, start, sides: [null, near(1, p.row), near(2, p.column)] };
    return true;
  }
  move(event) {
    if (!this.held) return;
    const { edges, start, sides } = this.held, edge = this.edgeAt(event), mm = spacing(this.series);
    const next = { low: edges.low.slice(), high: edges.high.slice() }, whole = !sides[1] && !sides[2];
    for (const axis of [1, 2]) {
      const by = edge[axis] - start[axis];
      if (whole || sides[axis] === "low") next.low[axis] += by;
      if (whole || sides[axis] === "high") next.high[axis] += by;
      const least = LEAST_MM / mm[axis];
      if (next.high[axis] - next.low[axis] < least) {
        if (sides[axis] === "low") next.low[axis] = next.high[axis] - least; else next.high[axis] = next.low[axis] + least;
      }
      if (whole) {
        const length = next.high[axis] - next.low[axis], most = this.series.shape[axis];
        next.low[axis] = Math.min(Math.max(next.low[axis], 0), Math.max(most - length, 0));
        next.high[axis] = next.low[axis] + length;
      }
      next.low[axis] = Math.max(next.low[axis], 0);
      next.high[axis] = Math.min(next.high[axis], this.series.shape[axis]);
    }
    change({ box: worldBox(this.series, next) }, true);
  }
}

const planes = [...new Set(data.series.map(one => one.plane))];
const views = planes.map((plane, number) => new View(plane, number));
views.forEach(view => byId("views").append(view.element));

function drawViews(source) {
  if (state.point) views.forEach(view => { if (view !== source) view.follow(state.point); });
  views.forEach(view => view.draw());
}

function choose(one) {
  state.chosen = one.id;
  state.mode = "view";
  state.point = current(one).box.center;
  const view = views.find(each => each.series.plane === seriesById[one.series].plane);
  view.use(seriesById[one.series]);
  views.forEach(each => each.follow(state.point));
  state.active = view.number;
  draw();
}

// --- table ---

function place(one) {
  if (one.level) return one.level;
  return one.ordinal ? `disc ${one.ordinal}` : "–";
}
function ordered() {
  // From the head down, so that rows lie as the spine does.
  return shown().sort((a, b) => (rank(b) - rank(a)) || (b.score ?? 1) - (a.score ?? 1));
}
function rank(one) {
  const known = data.heights[place(one)];
  return known === undefined ? one.box.center[2] : known;
}
function grades(one) {
  return Object.entries(one.grades || {}).map(([name, value]) => `${name} ${value.toFixed(name === "pfirrmann" ? 1 : 2)}`);
}
function drawTable() {
  const rows = ordered(), body = byId("rows"), groups = [];
  for (const one of rows) {
    const last = groups[groups.length - 1];
    if (last && last.name === place(one) && place(one) !== "–") last.rows.push(one); else groups.push({ name: place(one), rows: [one] });
  }
  body.replaceChildren();
  for (const group of groups) {
    const fused = data.fused.filter(each => each.level && each.level === group.name).map(each => each.score);
    group.rows.forEach((one, number) => {
      const line = make("tr", { className: "finding" });
      if (number === 0) {
        const cell = make("td", { className: "level", rowSpan: group.rows.length, textContent: group.name });
        if (data.if_six[group.name]) cell.append(make("small", { className: "other", title: "if six lumbar vertebrae", textContent: `(or ${data.if_six[group.name]})` }));
        if (fused.length) cell.append(make("small", { textContent: `fused ${Math.max(...fused).toFixed(2)}` }));
        line.append(cell);
      }
      const score = one.score === null ? "added" : one.score.toFixed(2);
      line.append(make("td", { className: "series", textContent: one.series }), make("td", { textContent: one.category }),
        make("td", { className: "number", textContent: score }), make("td", { className: "grades" }, ...grades(one).flatMap(text => [make("span", { textContent: text }), " "])), make("td", { textContent: decisionOf(one).decision || "" }));
      line.classList.toggle("chosen", one.id === state.chosen);
      line.classList.toggle("below", decisionOf(one).decision === "rejected");
      line.dataset.id = one.id;
      line.onclick = () => choose(one);
      body.append(line);
    });
  }
  byId("findings").classList.toggle("single", data.series.length === 1);
  byId("findings").classList.toggle("ungraded", !data.findings.some(one => one.grades));
  if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: 6, textContent: "No finding at or above the threshold." })));
  drawSummary(rows);
}

// --- the chosen finding ---

function drawDetails() {
  const one = chosen(), panel = byId("details");
  panel.hidden = !one;
  if (!one || panel.contains(document.activeElement) && document.activeElement.tagName === "INPUT") return;
  const series = seriesById[one.series], edges = edgesOf(series, one.box);
  const first = Math.max(Math.floor(edges.low[0] + 1e-6), 0) + 1, last = Math.min(Math.ceil(edges.high[0] - 1e-6), series.shape[0]);
  const button = (text, key, act, on) => make("button", { textContent: `${text} (${key})`, className: on ? "on" : "", onclick: act });
  const list = (id, values, value, act) => {
    const select = make("select", { id });
    values.forEach(each => select.append(make("option", { value: each, textContent: each || "no level" })));
    select.value = value || "";
    select.onchange = () => { act(select.value); select.blur(); };
    return select;
  };
  const count = (id, value, act) => {
    const input = make("input", { id, type: "number", min: 1, max: series.shape[0], value });
    input.onchange = () => { act(Number(input.value)); input.blur(); };
    return input;
  };
  const slices = (from, to) => {
    const low = Math.min(Math.max(from, 1), series.shape[0]), high = Math.min(Math.max(to, low), series.shape[0]);
    change({ box: worldBox(series, { low: [low - 1, edges.low[1], edges.low[2]], high: [high, edges.high[1], edges.high[2]] }) });
  };
  const comment = make("input", { type: "text", id: "comment", placeholder: "comment", value: one.comment || "", maxLength: 500 });
  comment.onchange = () => { change({ comment: comment.value }); comment.blur(); };
  panel.replaceChildren(
    make("div", { className: "row" },
      button("Accept", "a", () => decide("accepted"), decisionOf(one).decision === "accepted"),
      button("Reject", "r", () => decide("rejected"), decisionOf(one).decision === "rejected"),
      button("Correct", "c", correct, state.mode === "correct"),
      button("Add", "n", add, state.mode === "add")),
    make("div", { className: "row" }, list("level", ["", ...data.levels], one.level, value => change({ level: value || null })),
      list("category", data.categories, one.category, value => change({ category: value })),
      make("label", {}, "slices", count("first", first, value => slices(value, Math.max(last, value))), "to", count("last", last, value => slices(Math.min(first, value), value)))),
    make("div", { className: "row" }, comment));
}
function correct() {
  const one = chosen();
  if (!one) return;
  state.mode = state.mode === "correct" ? "view" : "correct";
  draw();
}
function add() { state.mode = state.mode === "add" ? "view" : "add"; draw(); }

// --- export ---

function manifest() {
  const lesions = [], negatives = [];
  for (const raw of all()) {
    const one = current(raw), made = decisionOf(raw), decision = made.decision;
    if (!decision && !(raw.score >= limitOf(raw))) continue;
    const attributes = { decision: decision || "undecided", seconds: made.at ?? null };
    if (raw.score !== null) attributes.proposed_score = raw.score;
    if (decision === "corrected" || one.category !== raw.category || one.level !== raw.level) attributes.proposed = { box: raw.box, level: raw.level, category: raw.category };
    if (one.comment) attributes.comment = one.comment;
    if (byId("reader").value) attributes.reader = byId("reader").value;
    if (decision === "rejected") negatives.push({ series: one.series, level: one.level, box: one.box, attributes: { ...attributes, category: one.category } });
    else lesions.push({ id: String(one.id), series: one.series, category: one.category, level: one.level, box: one.box, origin: "manual", ignore: !decision, attributes });
  }
  const series = data.series.map(one => ({ id: one.id, plane: one.plane, weighting: "T2", path: one.path }));
  const study = { id: data.study, patient: data.study, center: "reading", split: null, attributes: {}, series, lesions, negatives, excluded: null };
  const reading = {
    findings_sha256: data.findings_sha256, model: data.model, reader: byId("reader").value || null, seconds: Math.round(elapsed()),
    threshold: state.threshold === null ? data.thresholds : state.threshold, exported: new Date().toISOString(),
    decisions: Object.entries(state.decisions).map(([id, made]) => ({ id, decision: made.decision || null, seconds: made.at })),
  };
  return { format: "spinedet-manifest", version: 1, space: "RAS", name: `reading of ${data.study}`, region: data.region, categories: data.categories, studies: [study], reading };
}
function save() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(manifest(), null, 1)], { type: "application/json" }));
  const link = make("a", { href: url, download: `${data.file}.reading.json` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
function drawSummary(rows) {
  const words = rows.map(one => make("tr", {}, make("td", { textContent: place(one) }), make("td", { textContent: one.series }), make("td", { textContent: one.category }),
    make("td", { textContent: one.score === null ? "" : one.score.toFixed(2) }), make("td", { textContent: grades(one).join(", ") }),
    make("td", { textContent: decisionOf(one).decision || "undecided" }), make("td", { textContent: one.comment || "" })));
  const head = make("tr", {}, ...["Level", "Series", "Category", "Score", "Grades", "Decision", "Comment"].map(text => make("th", { textContent: text })));
  byId("summary").replaceChildren(make("p", { textContent: `Reader: ${byId("reader").value || "–"}. Time: ${Math.round(elapsed())} s.` }), make("table", {}, head, ...words));
}

// --- controls ---

function draw() {
  views.forEach(view => view.draw());
  drawTable();
  drawDetails();
  byId("undo").disabled = !state.history.length;
  byId("threshold-value").textContent = state.threshold === null ? "frozen" : state.threshold.toFixed(3);
  byId("frozen").classList.toggle("on", state.threshold === null);
}
function step(by) {
  const rows = ordered();
  if (!rows.length) return;
  const at = rows.findIndex(one => one.id === state.chosen);
  choose(rows[(at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by + rows.length) % rows.length]);
}
const KEYS = {
  ArrowUp: () => views[state.active].scroll(-1), ArrowDown: () => views[state.active].scroll(1),
  ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  a: () => decide("accepted"), r: () => decide("rejected"), c: correct, n: add, u: undo, e: save,
  k: () => { const field = byId("comment"); if (field) field.focus(); },
  Tab: () => { state.active = (state.active + 1) % views.length; draw(); },
  "[": () => { byId("contrast").stepDown(); draw(); }, "]": () => { byId("contrast").stepUp(); draw(); },
  Escape: () => { state.mode = "view"; draw(); },
};
document.addEventListener("keydown", event => {
  const field = /^(INPUT|SELECT)$/.test(event.target.tagName) && event.target.type !== "range";
  if (field || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) {
    if (field && event.key === "Escape") event.target.blur();
    return;
  }
  event.preventDefault();
  KEYS[event.key]();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && state.since !== null) { state.seconds = elapsed(); state.since = null; } else if (!document.hidden) state.since = performance.now();
});
byId("threshold").value = Math.min(...Object.values(data.thresholds).flatMap(Object.values));
byId("threshold").oninput = event => { state.threshold = Number(event.target.value); draw(); };
byId("frozen").onclick = () => { state.threshold = null; draw(); };
for (const id of ["brightness", "contrast"]) byId(id).oninput = () => views.forEach(view => view.draw());
byId("undo").onclick = undo;
byId("export").onclick = save;
byId("print").onclick = () => { drawTable(); window.print(); };
byId("naming").textContent = data.naming;
window.addEventListener("resize", () => views.forEach(view => view.draw()));
const first = ordered()[0];
if (first) choose(first); else draw();
// Ready for a test, and for a reader who opens the page: every view has shown its slice.
Promise.all(views.map(view => view.picture().decode())).then(() => { views.forEach(view => view.draw()); document.body.dataset.ready = "yes"; });
