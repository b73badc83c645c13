// Notes of a person, which go into the log with their time; only with the right to act.

import { element, setText } from "./elements.js";
import { onKey } from "./keys.js";

let mayAct = false;

export function showNoteButton(permitted) {
  mayAct = permitted;
  element("note-button").hidden = !permitted;
}

function openNote() {
  if (!mayAct) return;
  setText("note-answer", "");
  element("note").showModal();
  element("note-text").focus();
}

async function send(event) {
  event.preventDefault();
  const text = element("note-text").value;
  try {
    const answer = await fetch("/note", { method: "POST", body: text });
    if (!answer.ok) {
      setText("note-answer", await answer.text());
      return;
    }
  } catch {
    setText("note-answer", "No connection to rtdecode: the note was not sent.");
    return;
  }
  element("note-text").value = "";
  element("note").close();
}

export function connectNotes() {
  onKey("n", "write a note into the log", openNote);
  element("note-button").onclick = openNote;
  element("note-cancel").onclick = () => element("note").close();
  element("note-form").onsubmit = send;
}
