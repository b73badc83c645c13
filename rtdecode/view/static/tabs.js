// The tabs of the page. Keys 1 to 4 choose one, arrows, Home and End move within the list; the tab is
// kept in the address, so that a reload shows it again. Only the visible tab draws: others ask
// `isVisible`, and what `onTab` is given runs whenever a tab becomes visible.

const NAMES = ["live", "microscope", "loop", "events"];
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
const button = (name) => document.getElementById(`tab-${name}`);
const shown = [];
let visible = NAMES[0];

export const isVisible = (name) => visible === name;

export function onTab(draw) {
  shown.push(draw);
}

export function showTab(name) {
  visible = name;
  for (const one of NAMES) {
    const chosen = one === name;
    button(one).setAttribute("aria-selected", chosen.toString());
    button(one).tabIndex = chosen ? 0 : -1;
    document.getElementById(`panel-${one}`).hidden = !chosen;
  }
  document.body.dataset.tab = name;
  window.history.replaceState(null, "", name === NAMES[0] ? window.location.pathname : `#${name}`);
  for (const draw of shown) draw(name);
}

// Keys with a modifier belong to the browser, and those in a field to its text.
export function isForPage(event) {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  return !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
}

function onListKey(event) {
  const k = NAMES.indexOf(visible);
  const ends = { Home: 0, End: NAMES.length - 1 };
  const next = ends[event.key] ?? (k + (STEPS[event.key] ?? 0) + NAMES.length) % NAMES.length;
  if (next === k) return;
  event.preventDefault();
  showTab(NAMES[next]);
  button(NAMES[next]).focus();
}

export function connectTabs() {
  for (const name of NAMES) button(name).onclick = () => showTab(name);
  document.getElementById("tabs").addEventListener("keydown", onListKey);
  document.addEventListener("keydown", (event) => {
    const chosen = NAMES[Number(event.key) - 1];
    if (chosen && isForPage(event)) showTab(chosen);
  });
  const asked = window.location.hash.slice(1);
  showTab(NAMES.includes(asked) ? asked : NAMES[0]);
}
