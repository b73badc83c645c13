// Pictures of the Live tab: displayed and decoded frame, and their error or the uncertainty.

import { element, setText } from "./elements.js";
import { onKey } from "./keys.js";
import { blank, errorColour, FULL_UNCERTAINTY, paint, uncertaintyColour } from "./pictures.js";
import { onTab } from "./tabs.js";
import { onTheme, theme } from "./theme.js";

const state = { drawn: null, panel: "error" };

export const drawnPicture = () => state.drawn;

// Draws `packet`, and keeps it for the time at which the tab is visible again.
export function drawPicture(packet, { visible }) {
  state.drawn = packet;
  // a displayed frame without a reconstruction is of now, also while nothing is decoded
  document.body.classList.toggle("alone", !packet.hasDecoded);
  if (!visible) return;
  const { rows, cols, displayed, decoded } = packet;
  const grey = (plane) => (i) => [plane[i], plane[i], plane[i]];
  if (packet.hasDisplayed) paint(element("displayed"), rows, cols, grey(displayed));
  else blank(element("displayed"));
  if (packet.hasDecoded) paint(element("decoded"), rows, cols, grey(decoded));
  else blank(element("decoded"));
  drawPanel(packet);
  element("displayed").dataset.frame = packet.frame;
  const all = packet.hasDisplayed && packet.hasDecoded;
  setText("moment-of", all ? "All three pictures belong to frame" : "Frame");
  setText("frame", packet.frame.toString());
  showAge();
}

// The third panel shows either the error or the uncertainty.
function drawPanel(packet) {
  const { rows, cols, displayed, decoded, uncertainty } = packet;
  const canvas = element("error");
  if (state.panel === "error" && packet.hasDisplayed && packet.hasDecoded) {
    paint(canvas, rows, cols, (i) => errorColour(decoded[i] - displayed[i], theme()));
  } else if (state.panel === "uncertainty" && packet.hasUncertainty) {
    paint(canvas, rows, cols, (i) => uncertaintyColour(uncertainty[i]));
  } else blank(canvas);
}

function showAge() {
  if (state.drawn) {
    const ms = state.drawn.ageMs + performance.now() - state.drawn.at;
    setText("age", ms < 2000 ? `${Math.round(ms / 10) * 10} ms` : `${Math.round(ms / 1000)} s`);
  }
}

function setPanel(chosen) {
  state.panel = chosen;
  const error = chosen === "error";
  setText("panel-name", error ? "Error" : "Uncertainty");
  setText("panel-button", error ? "Uncertainty" : "Error");
  setText("legend-low", error ? "darker than displayed" : "SD 0");
  setText("legend-high", error ? "brighter" : `SD ${FULL_UNCERTAINTY} grey levels`);
  redraw();
}

function redraw() {
  if (state.drawn) drawPanel(state.drawn);
  paint(element("legend"), 1, 128, (i) => (
    state.panel === "error"
      ? errorColour((i - 63.5) * 1.5, theme())
      : uncertaintyColour((i / 127) * FULL_UNCERTAINTY)
  ));
}

export function connectPictures() {
  const change = () => setPanel(state.panel === "error" ? "uncertainty" : "error");
  element("panel-button").onclick = change;
  onKey("u", "error or uncertainty in the third picture", change);
  onTheme(redraw);
  onTab((name) => {
    if (name === "live" && state.drawn) drawPicture(state.drawn, { visible: true });
  });
  window.setInterval(showAge, 100);
  setPanel("error");
}
