// Pictures of the Live tab: displayed and decoded frame, and their error or the uncertainty.

import { paintedGreys } from "./contrast.js";
import { element, setText } from "./elements.js";
import { onKey } from "./keys.js";
import { contrast, drawOverlays, presentFrame, shownPicture } from "./picture_tools.js";
import {
  blank, errorColour, FULL_ERROR, FULL_UNCERTAINTY, paint, uncertaintyColour,
} from "./pictures.js";
import { isVisible, onTab } from "./tabs.js";
import { onTheme, theme } from "./theme.js";

const state = { drawn: null, panel: "error", size: "" };

export const drawnPicture = () => state.drawn;

// Draws `packet`, and keeps it for the time at which the tab is visible again.
export function drawPicture(packet, { visible }) {
  state.drawn = packet;
  // a displayed frame without a reconstruction is of now, also while nothing is decoded
  document.body.classList.toggle("alone", !packet.hasDecoded);
  if (!visible) return;
  const { rows, cols, displayed, decoded } = packet;
  const grey = (plane, painted) => (i) => Array(3).fill(painted[plane[i]]);
  const [greys, present] = [paintedGreys(contrast(), packet), presentFrame()];
  if (present) {
    paint(element("displayed"), present.rows, present.cols, grey(present.plane, greys.displayed));
  } else if (packet.hasDisplayed) {
    paint(element("displayed"), rows, cols, grey(displayed, greys.displayed));
  } else blank(element("displayed"));
  if (packet.hasDecoded) paint(element("decoded"), rows, cols, grey(decoded, greys.decoded));
  else blank(element("decoded"));
  drawPanel(packet);
  if (state.size !== `${rows} ${cols}`) {
    state.size = `${rows} ${cols}`;
    drawOverlays([rows, cols]);
  }
  const now = "Displayed: as it happens. Decoded and error belong to frame";
  element("displayed").dataset.frame = packet.frame;
  const all = packet.hasDisplayed && packet.hasDecoded;
  const same = all ? "All three pictures belong to frame" : "Frame";
  setText("moment-of", present ? now : same);
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
  setText("legend-low", error ? `darker −${FULL_ERROR}` : "SD 0");
  setText("legend-middle", error ? "0" : (FULL_UNCERTAINTY / 2).toString());
  setText("legend-high", error ? `+${FULL_ERROR} brighter` : `${FULL_UNCERTAINTY} grey levels`);
  redraw();
}

function redraw() {
  if (state.drawn) drawPanel(state.drawn);
  paint(element("legend"), 1, 128, (i) => (
    state.panel === "error"
      ? errorColour(((i - 63.5) / 63.5) * FULL_ERROR, theme())
      : uncertaintyColour((i / 127) * FULL_UNCERTAINTY)
  ));
}

// Draws what is chosen now, after a change of how it is drawn.
export function redrawPictures() {
  const shown = shownPicture();
  if (shown) drawPicture(shown, { visible: isVisible("live") });
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
