// The Loop tab: state of the controller, policy and parameters, and its last actions.

import { milliseconds } from "./charts.js";
import { element, setText } from "./elements.js";
import { duration } from "./status.js";

const COLUMNS = ["time", "what", "cause", "effect", "ms"];

function fill(body, rows) {
  const content = JSON.stringify(rows);
  if (body.dataset.content === content) return;
  body.dataset.content = content;
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((text, k) => {
      const cell = row.insertCell();
      cell.className = COLUMNS[k] ?? "";
      cell.textContent = text;
    });
    return row;
  }));
}

const both = (span) => (span ? `${milliseconds(span.p50)}, ${milliseconds(span.p99)}` : "–");

export function showLoopTab({ control, loop }) {
  element("loop-none").hidden = control !== null;
  element("loop-some").hidden = control === null;
  if (control === null) return;
  const silent = control.silent_s !== null;
  setText("loop-state", silent ? "no answer" : control.armed ? "ARMED" : "not armed");
  setText("loop-why", control.text);
  setText("loop-policy", control.policy || "–");
  setText("loop-sent", control.sent.toLocaleString("en"));
  setText("loop-withheld", control.withheld.toLocaleString("en"));
  fill(element("loop-parameters"), Object.entries(control.parameters));
  setText("loop-reaction", both(loop.reaction_ms));
  setText("loop-age", both(loop.content_age_ms));
  setText("loop-trigger", both(loop.trigger_reaction_ms));
  fill(element("loop-actions"), control.recent.map(({ t_s: t, what, cause, effect, ms }) => [
    t === null ? "–" : duration(t), what, cause, effect, ms === null ? "–" : milliseconds(ms),
  ]));
  element("loop-nothing").hidden = control.recent.length > 0;
}
