// The Microscope tab: field of view, ROIs, raster, chosen traces, behaviour, registration shift. The
// server sends its packets while the tab is visible; each repaint draws what has come since.

import { element, setText } from "./elements.js";
import { Field } from "./field.js";
import { FLUORESCENCE, readMicroscope, Samples } from "./microscope_packets.js";
import { isVisible, onTab } from "./tabs.js";
import { colours, drawRows, followSize, Raster, short, WHOLE } from "./traces.js";

const MOST_SAMPLES = 2400;
// Each frame draws the raster; curves are drawn with every second frame, and what stands on the left
// with every fourth, in different ones, so that none of them takes long.
const TURNS = [["traces"], ["left"], ["traces"], []];
const REST_MS = 150;
const OPEN = 1;
const OPEN_EMPTY = 2;
const ENDS = {
  0: (count) => ["0", WHOLE.format(Math.max(0, count - 1))],
  1: () => ["top", "bottom"],
  2: () => ["left", "right"],
};
const ORDERS = {
  0: "in the order in which the source sends them",
  1: "sorted by the row of their ROI in the field of view",
  2: "sorted by the horizontal place of their receptive field on the screen, by the twin's readout",
};

const raster = new Raster();
const behaviour = new Samples(MOST_SAMPLES, 2);
const shift = new Samples(MOST_SAMPLES, 3);
const state = {
  send: () => {}, watching: false, own: null, plane: null, planes: new Map(), pictures: new Map(),
  traces: new Map(), chosen: [], levels: null, largest: 1, order: 0, due: false, drawn: 0,
  waiting: new Set(), rest: 0, hovered: null,
};
let field = null;

export function connectMicroscope(send) {
  state.send = send;
  field = new Field({ picture: element("field"), rois: element("rois"), marks: element("marks") });
  onTab(() => watch());
  for (const id of ["raster", "traces", "behaviour", "shift-chart"]) followSize(element(id), request);
  new ResizeObserver(() => {
    if (!isVisible("microscope")) return;
    field.resize();
    drawMarks();
    request();
  }).observe(element("field-view"));
  element("field-view").onpointermove = (event) => hover(event);
  element("field-view").onpointerleave = () => hover(null);
  element("field-view").onclick = (event) => toggle(neuronAt(event));
  element("add-trace").onsubmit = (event) => {
    event.preventDefault();
    const neuron = Number(element("add-neuron").value);
    if (!state.chosen.includes(neuron)) toggle(neuron);
  };
}

// Sends whether this browser shows the tab, and again over a new connection.
export function watch(again = false) {
  const wanted = isVisible("microscope");
  if (wanted === state.watching && !again) return;
  state.watching = wanted;
  if (!wanted) {
    // a new connection begins without the tab
    if (!again) state.send("watch 0");
    return;
  }
  state.planes.clear();
  state.pictures.clear();
  behaviour.clear();
  shift.clear();
  state.send(`watch ${state.own === null ? OPEN : OPEN_EMPTY}`);
  for (const neuron of state.own ?? []) state.send(`trace ${neuron}`);
}

export function receiveMicroscope(_kind, buffer) {
  const packet = readMicroscope(buffer);
  if (packet === null) return;
  RECEIVE[packet.what](packet);
  request();
}

const RECEIVE = {
  field(packet) {
    state.pictures.set(packet.plane, packet);
    if (packet.plane === shownPlane()) showPicture(packet);
  },
  activity(packet) {
    raster.add(packet);
    state.largest = packet.largest;
    const { columns, neurons, levels } = packet;
    if (state.levels?.length !== neurons) state.levels = new Uint8Array(neurons);
    state.levels.set(levels.subarray((columns - 1) * neurons));
    setText("activity-high", `${short(state.largest)} twin units`);
  },
  traces({ traces }) {
    const keys = new Set();
    for (const one of traces) {
      const key = `${one.neuron} ${one.signal}`;
      keys.add(key);
      if (!state.traces.has(key)) {
        const samples = new Samples(MOST_SAMPLES, 1);
        state.traces.set(key, { ...line(samples, one.signal), neuron: one.neuron });
      }
      const { samples } = state.traces.get(key);
      if (one.restarts) samples.clear();
      samples.addAll(one.times, [one.values]);
    }
    for (const key of state.traces.keys()) if (!keys.has(key)) state.traces.delete(key);
    const chosen = [...new Set(traces.map((one) => one.neuron))];
    if (chosen.join() !== state.chosen.join()) showChosen(chosen);
  },
  behaviour(packet) {
    if (packet.restarts) behaviour.clear();
    behaviour.addAll(packet.times, packet.values);
  },
  shift(packet) {
    if (packet.restarts) shift.clear();
    shift.addAll(packet.times, packet.values);
  },
  neurons(packet) {
    state.planes.set(packet.plane, packet);
    showPlanes();
    if (packet.plane === shownPlane()) showPlane(packet.plane);
  },
  order({ by, order }) {
    raster.order = order.slice();
    state.order = by;
    setText("order", `${order.length.toLocaleString("en")} neurons, ${ORDERS[by]}.`);
    if (!state.planes.size) setText("field-note", order.length ? "ROIs are not known yet." : "");
  },
};

const line = (samples, signal) => ({
  samples, quantity: 0, colour: signal === FLUORESCENCE ? "accent" : "second", least: 0,
});

const rows = {
  behaviour: [
    { name: "running, cm/s", left: { samples: behaviour, quantity: 0, colour: "accent", least: 1 } },
    { name: "pupil diameter, px", left: { samples: behaviour, quantity: 1, colour: "second", least: 1 } },
  ],
  shift: [
    { name: "down, px", left: { samples: shift, quantity: 0, colour: "accent", least: 1 } },
    { name: "right, px", left: { samples: shift, quantity: 1, colour: "second", least: 1 } },
  ],
};

const shownPlane = () => state.plane ?? Math.min(...state.planes.keys(), ...state.pictures.keys());

function request() {
  for (const part of Object.keys(DRAW)) state.waiting.add(part);
  if (state.due || !isVisible("microscope")) return;
  state.due = true;
  window.requestAnimationFrame(draw);
}

function draw() {
  state.due = false;
  const isNew = element("raster").dataset.frame !== `${raster.newest}`;
  const newest = newestTime();
  raster.draw(element("raster"), newest, ENDS[state.order](state.levels?.length ?? 0));
  drawParts(TURNS[state.drawn % TURNS.length], newest);
  state.drawn += isNew ? 1 : 0;
  element("raster").dataset.drawn = state.drawn;
  element("raster").dataset.frame = raster.newest;
  // where no further packet comes, as at the end of a run, the other parts have no turn
  window.clearTimeout(state.rest);
  state.rest = window.setTimeout(() => window.requestAnimationFrame(() => {
    if (isVisible("microscope")) drawParts([...state.waiting], newestTime());
  }), REST_MS);
}

const newestTime = () => Math.max(
  ...[...state.traces.values()].map(({ samples }) => samples.newest),
  raster.newest === null ? -Infinity : (raster.newest + 1) / raster.rate,
);

function drawParts(parts, newest) {
  for (const part of parts) if (state.waiting.delete(part)) DRAW[part](newest);
}

const DRAW = {
  traces(newest) {
    const traces = state.chosen.map((neuron, k) => {
      const [activity, fluorescence] = [0, FLUORESCENCE].map((s) => state.traces.get(`${neuron} ${s}`));
      const name = `${k + 1}: neuron ${neuron}`;
      return fluorescence ? { name, left: fluorescence, right: activity } : { name, left: activity };
    });
    drawRows(element("traces"), traces, newest);
  },
  left(newest) {
    field.drawRois(state.levels);
    if (state.hovered !== null) showNeuron(state.hovered);
    drawRows(element("behaviour"), rows.behaviour, Math.max(newest, behaviour.newest));
    drawRows(element("shift-chart"), rows.shift, Math.max(newest, shift.newest));
  },
};

function showPicture(packet) {
  field.drawPicture(packet);
  const { low, high, number } = packet;
  setText("field-scan", `scan ${number.toLocaleString("en")}, ${short(low)} to ${short(high)} counts`);
  showNote();
}

function showPlane(plane) {
  state.plane = plane;
  field.setNeurons(state.planes.get(plane) ?? { rows: 0, count: 0, first: 0 });
  if (state.pictures.has(plane)) showPicture(state.pictures.get(plane));
  showPressed();
  drawMarks();
  showNote();
  request();
}

function showPlanes() {
  const planes = [...state.planes.keys()].sort((a, b) => a - b);
  if (planes.join() === element("planes").dataset.planes) return;
  element("planes").dataset.planes = planes.join();
  const buttons = planes.map((plane) => {
    const made = document.createElement("button");
    made.type = "button";
    made.dataset.plane = plane;
    made.textContent = `Plane ${plane}`;
    made.onclick = () => showPlane(plane);
    return made;
  });
  element("planes").replaceChildren(...(planes.length > 1 ? buttons : []));
  showPressed();
}

function showPressed() {
  for (const one of element("planes").children) {
    one.setAttribute("aria-pressed", (Number(one.dataset.plane) === shownPlane()).toString());
  }
}

// States what the field of view lacks: a source of ROI values has no picture.
function showNote() {
  const neurons = state.planes.get(shownPlane());
  const picture = state.pictures.has(shownPlane());
  let note = picture ? "" : "No registered scan yet.";
  if (neurons?.onScreen) {
    note = "The source sends ROI values and no picture. Dots are the places of the receptive fields on the screen.";
  } else if (neurons && !neurons.rows) {
    note = "The source sends ROI values: there is no picture, and the positions of the cells are not known.";
  }
  setText("field-note", note);
  const view = element("field-view").closest("section");
  view.dataset.source = !neurons || (neurons.rows && !neurons.onScreen) ? "scans" : neurons.rows ? "places" : "values";
  setText("fluorescence-unit", neurons && (neurons.onScreen || !neurons.rows) ? "a.u." : "counts");
}

function drawMarks() {
  field.drawMarks(state.chosen, colours().letter);
}

function showChosen(chosen) {
  state.chosen = chosen;
  const chips = chosen.map((neuron, k) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = `${k + 1}: ${neuron} ×`;
    made.setAttribute("aria-label", `Remove neuron ${neuron}`);
    made.onclick = () => toggle(neuron);
    return made;
  });
  element("chosen").replaceChildren(...chips);
  drawMarks();
}

function toggle(neuron) {
  if (neuron === null || !Number.isInteger(neuron)) return;
  state.send(`${state.chosen.includes(neuron) ? "untrace" : "trace"} ${neuron}`);
  const others = state.chosen.filter((one) => one !== neuron);
  state.own = others.length < state.chosen.length ? others : [...others, neuron].slice(-8);
}

function neuronAt(event) {
  const box = element("field-view").getBoundingClientRect();
  return field.neuronAt((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
}

function hover(event) {
  state.hovered = event === null ? null : neuronAt(event);
  element("field-view").classList.toggle("on-cell", state.hovered !== null);
  if (state.hovered === null) setText("hovered", "Click a cell to see its traces.");
  else showNeuron(state.hovered);
}

function showNeuron(neuron) {
  const level = state.levels?.[neuron] ?? 0;
  const activity = level ? `${short(((level - 1) / 254) ** 2 * state.largest)} twin units` : "not measured";
  const samples = state.traces.get(`${neuron} ${FLUORESCENCE}`)?.samples;
  const newest = samples?.length ? samples.values[0][samples.at(samples.length - 1)] : NaN;
  const unit = element("fluorescence-unit").textContent;
  const fluorescence = Number.isNaN(newest) ? "" : `, fluorescence ${short(newest)} ${unit}`;
  setText("hovered", `Neuron ${neuron}: activity ${activity}${fluorescence}`);
}

// The field of view is lost from its event until the one by which it is found again.
export function showMicroscope({ alarms, events }) {
  const codes = ["field_lost", "field_found"];
  const newest = events.find((one) => codes.includes(one.code));
  const lost = alarms.find((one) => one.code === "field_lost")
    ?? (newest?.code === "field_lost" ? newest : null);
  element("field-lost").hidden = lost === null;
  setText("field-lost", lost === null ? "" : `${lost.text[0].toUpperCase()}${lost.text.slice(1)}.`);
}
