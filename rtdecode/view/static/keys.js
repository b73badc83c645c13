// Keys of the page: one list, from which the help is made too.

import { element } from "./elements.js";
import { isForPage } from "./tabs.js";

const keys = [["1 to 4", "show a tab; ← → Home End move between tabs"]];
const runs = new Map();

// `does` is a phrase for the help.
export function onKey(key, does, run) {
  keys.push([key, does]);
  runs.set(key, run);
}

function showHelp() {
  const rows = keys.map(([key, does]) => {
    const row = document.createElement("div");
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    const shown = document.createElement("kbd");
    shown.textContent = key;
    dt.append(shown);
    dd.textContent = does;
    row.append(dt, dd);
    return row;
  });
  element("keys").replaceChildren(...rows);
  element("help").showModal();
}

export function connectKeys() {
  onKey("?", "show or hide these keys", showHelp);
  keys.push(["Tab, Enter", "reach and use every button"]);
  element("help-button").onclick = showHelp;
  element("help-close").onclick = () => element("help").close();
  document.addEventListener("keydown", (event) => {
    const inHelp = element("help").open;
    if (inHelp && event.key === "?") element("help").close();
    const run = runs.get(event.key);
    if (inHelp || !run || !isForPage(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    run(event);
  });
}
