// The full-screen view: both pictures, status and score, to be read from three metres.

import { element } from "./elements.js";
import { onKey } from "./keys.js";
import { showTab } from "./tabs.js";

const isWide = () => document.body.classList.contains("wide");

async function setWide(wide) {
  document.body.classList.toggle("wide", wide);
  element("wide-button").setAttribute("aria-pressed", wide.toString());
  if (wide) showTab("live");
  try {
    if (wide) await document.documentElement.requestFullscreen();
    else if (document.fullscreenElement) await document.exitFullscreen();
  } catch {
    // a browser that refuses a full screen shows the view in its window
  }
}

export function connectWide() {
  onKey("f", "full-screen view; Esc leaves it", () => setWide(!isWide()));
  onKey("Escape", "leave the full-screen view", () => setWide(false));
  element("wide-button").onclick = () => setWide(!isWide());
  element("wide-close").onclick = () => setWide(false);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && isWide()) setWide(false);
  });
}
