// State of the controller: armed or not, its last action, and the buttons that arm and disarm it.

import { element, setText } from "./elements.js";

const CONFIRM_MS = 5000;

function actions({ sent, withheld }) {
  const withheldText = withheld ? `, ${withheld.toLocaleString("en")} withheld` : "";
  return `${sent.toLocaleString("en")} actions sent${withheldText}`;
}

export function showControl(control, mayAct) {
  element("control").hidden = control === null;
  if (control === null) return;
  const { armed, text, policy, last, dead_man_left_s: leftS, silent_s: silentS } = control;
  element("control").dataset.armed = silentS === null ? armed : "unknown";
  setText("armed", silentS !== null ? "No answer" : armed ? "ARMED" : "Not armed");
  const left = leftS === null ? "" : `; disarms in ${Math.max(0, Math.ceil(leftS))} s`;
  const silence = `no heartbeat of the controller for ${Math.round(silentS)} s`;
  setText("armed-text", silentS === null ? `${text}${left}` : silence);
  setText("policy", policy);
  setText("control-actions", actions(control));
  setText("last-action", last ? `${last.what}: ${last.effect}` : "");
  setText("last-cause", last ? last.cause : "");
  for (const button of ["arm", "disarm"]) element(button).hidden = !mayAct;
  const renews = armed && leftS !== null;
  element("arm").disabled = armed && !renews;
  if (!element("arm").dataset.asked) setText("arm", renews ? "Stay armed" : "Arm");
  element("arm").dataset.renews = renews;
}

// Arming takes a second click within five seconds; renewing and disarming take one.
export function connectControl(send) {
  const button = element("arm");
  const forget = () => {
    delete button.dataset.asked;
    setText("arm", "Arm");
  };
  button.onclick = () => {
    // never arms what was disarmed since the page last received its state
    if (button.dataset.renews === "true") {
      send("renew 1");
      return;
    }
    if (button.dataset.asked) {
      send("arm 1");
      forget();
      return;
    }
    button.dataset.asked = "true";
    setText("arm", "Confirm: arm the controller");
    window.setTimeout(forget, CONFIRM_MS);
  };
  element("disarm").onclick = () => {
    forget();
    send("disarm 1");
  };
}
