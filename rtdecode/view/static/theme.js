// Dark and light colours; what draws on a canvas draws again where they change.

import { element, setText } from "./elements.js";
import { onKey } from "./keys.js";

const LIGHT = window.matchMedia("(prefers-color-scheme: light)");
const redrawn = [];
let chosen = LIGHT.matches ? "light" : "dark";

export const theme = () => chosen;

export function onTheme(draw) {
  redrawn.push(draw);
}

function setTheme(name) {
  chosen = name;
  document.documentElement.dataset.theme = name;
  setText("theme", name === "dark" ? "Light" : "Dark");
  for (const draw of redrawn) draw();
}

export function connectTheme() {
  const change = () => setTheme(chosen === "dark" ? "light" : "dark");
  element("theme").onclick = change;
  onKey("t", "dark or light colours", change);
  setTheme(chosen);
}
