// The status line of the page, which is visible in every tab.

import { element, setText } from "./elements.js";

const OUTDATED = ["Stale", "Disconnected", "Refused"];

export function showStatus(level, title, sentence) {
  element("status").dataset.level = level;
  setText("title", title);
  setText("sentence", sentence);
  document.body.classList.toggle("stale", OUTDATED.includes(title));
}
