// Tools beneath the pictures: pause and scrub over the last minute, contrast, mask and degrees, the
// moment that the displayed picture is of, and the values of the pixel under the pointer.

import { CONTRASTS } from "./contrast.js";
import { element, setText } from "./elements.js";
import { onKey } from "./keys.js";
import { drawOverlay, readMask } from "./overlay.js";
import { PictureHistory } from "./picture_history.js";
import { isVisible, onTab } from "./tabs.js";

const OVERLAYS = ["displayed", "decoded", "error"];
const history = new PictureHistory();
const state = {
  redraw: () => {}, send: () => {}, paused: false, place: 0, contrast: 0, now: false,
  mask: null, degrees: null, showsMask: true, showsDegrees: false, present: null, size: [36, 64],
};

export const contrast = () => state.contrast;
export const isPaused = () => state.paused;
// The newest displayed frame, where it is to be drawn instead of that of the decoded moment.
export const presentFrame = () => (state.now && !state.paused ? state.present : null);

// Keeps an arriving picture; the one to draw now.
export function chosenPicture(packet) {
  const before = history.length;
  history.add(packet);
  if (state.paused) state.place = Math.max(0, state.place - (before + 1 - history.length));
  if (isVisible("live")) showPlace();
  return shownPicture() ?? packet;
}

export const shownPicture = () => (
  history.length ? history.at(state.paused ? state.place : history.length - 1) : null
);

export function receivePresent(buffer) {
  const view = new DataView(buffer);
  const [rows, cols] = [view.getUint16(2, true), view.getUint16(4, true)];
  state.present = { rows, cols, plane: new Uint8Array(buffer, 16, rows * cols) };
}

export function receiveScreen({ mask, degrees }) {
  state.mask = mask && readMask(mask);
  state.degrees = degrees;
  allow("mask-button", state.mask, "This run scores the whole screen: it has no screen mask");
  allow("degrees-button", degrees, "stimulus.monitor in the config states no width and distance");
  drawOverlays();
}

function allow(id, isKnown, why) {
  element(id).disabled = !isKnown;
  if (!isKnown) element(id).title = why;
}

export function drawOverlays(size = state.size) {
  state.size = size;
  const [rows, cols] = size;
  const outline = state.showsMask ? state.mask : null;
  const degrees = state.showsDegrees ? state.degrees : null;
  for (const id of OVERLAYS) {
    drawOverlay(element(`${id}-overlay`), { outline, degrees, rows, cols });
  }
}

function pause(paused) {
  if (paused && !state.paused) state.place = history.length - 1;
  state.paused = paused && history.length > 0;
  document.body.classList.toggle("paused", state.paused);
  setText("pause", state.paused ? "Go on" : "Pause");
  element("pause").setAttribute("aria-pressed", state.paused.toString());
  showPlace();
  state.redraw();
}

function goTo(place) {
  if (!state.paused) pause(true);
  state.place = Math.max(0, Math.min(history.length - 1, place));
  showPlace();
  state.redraw();
}

function showPlace() {
  const last = Math.max(0, history.length - 1);
  const slider = element("scrub");
  slider.max = last.toString();
  slider.value = (state.paused ? state.place : last).toString();
  const shown = shownPicture();
  const agoS = shown && state.paused ? (performance.now() - shown.at + shown.ageMs) / 1000 : 0;
  const said = state.paused ? `paused, frame ${shown.frame}, displayed ${agoS.toFixed(1)} s ago` : "";
  setText("scrubbed", said);
  slider.setAttribute("aria-valuetext", said || "live");
}

function setContrast(choice) {
  state.contrast = choice % CONTRASTS.length;
  element("contrast").value = state.contrast.toString();
  setText("contrast-note", state.contrast ? "display only" : "");
  state.redraw();
}

function toggle(id, key) {
  state[key] = !state[key];
  element(id).setAttribute("aria-pressed", state[key].toString());
  drawOverlays();
}

function setNow(now) {
  state.now = now;
  state.present = null;
  element("moment").value = now ? "now" : "same";
  announcePresent();
  state.redraw();
}

// Sends the choice again over a new connection.
export function announcePresent() {
  state.send(`present ${state.now ? 1 : 0}`);
}

function showPixel(event) {
  const [shown, box] = [shownPicture(), event.currentTarget.getBoundingClientRect()];
  if (!shown) return;
  const { rows, cols } = shown;
  const c = Math.min(cols - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * cols)));
  const r = Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows)));
  const i = r * cols + c;
  const parts = [`row ${r}, column ${c}`];
  if (state.degrees) {
    const place = [state.degrees.azimuth[c], state.degrees.altitude[r]];
    parts.push(`azimuth ${place[0].toFixed(0)}°, altitude ${place[1].toFixed(0)}°`);
  }
  if (shown.hasDisplayed) parts.push(`displayed ${shown.displayed[i]}`);
  if (shown.hasDecoded) parts.push(`decoded ${shown.decoded[i]}`);
  if (shown.hasDisplayed && shown.hasDecoded) {
    parts.push(`error ${shown.decoded[i] - shown.displayed[i]}`);
  }
  if (shown.hasUncertainty) parts.push(`SD ${shown.uncertainty[i]}`);
  setText("pixel", parts.join(" · "));
}

export function connectPictureTools({ redraw, send }) {
  Object.assign(state, { redraw, send });
  const step = (by) => () => goTo((state.paused ? state.place : history.length - 1) + by);
  element("pause").onclick = () => pause(!state.paused);
  element("step-back").onclick = step(-1);
  element("step-on").onclick = step(1);
  element("scrub").oninput = ({ target }) => goTo(Number(target.value));
  element("contrast").onchange = ({ target }) => setContrast(Number(target.value));
  element("moment").onchange = ({ target }) => setNow(target.value === "now");
  element("mask-button").onclick = () => toggle("mask-button", "showsMask");
  element("degrees-button").onclick = () => toggle("degrees-button", "showsDegrees");
  onKey(" ", "pause the pictures, or go on", () => pause(!state.paused));
  onKey(",", "pause, one frame back", step(-1));
  onKey(".", "pause, one frame on", step(1));
  onKey("c", "contrast of the pictures (display only)", () => setContrast(state.contrast + 1));
  onKey("m", "outline of the screen mask", () => element("mask-button").click());
  onKey("d", "visual degrees", () => element("degrees-button").click());
  onKey("j", "displayed picture: same moment, or as it happens", () => setNow(!state.now));
  for (const id of OVERLAYS) {
    element(`${id}-overlay`).addEventListener("pointermove", showPixel);
    element(`${id}-overlay`).addEventListener("pointerleave", () => setText("pixel", ""));
    new ResizeObserver(() => drawOverlays()).observe(element(`${id}-overlay`));
  }
  window.setInterval(() => state.paused && showPlace(), 200);
  onTab((name) => name === "live" && showPlace());
}
