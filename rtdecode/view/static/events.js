// Alarms in a banner, and the list of the newest events; every text is set as text, never as HTML.

const seconds = (t) => (t === null ? "–" : `${t.toFixed(1)} s`);

function counted({ counts, times }) {
  const sums = Object.entries(counts).map(([name, n]) => `${name}: ${n.toLocaleString("en")}`);
  if (!sums.length && times > 1) sums.push(`${times.toLocaleString("en")} times`);
  return sums.length ? ` (${sums.join(", ")})` : "";
}

function cell(kind, text) {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}

// Rebuilds `list` only where its content changed, so that a person can select text and use buttons.
function replaced(list, entries, make) {
  const content = JSON.stringify(entries);
  if (list.dataset.content === content) return;
  list.dataset.content = content;
  list.replaceChildren(...entries.map(make));
}

export function showEvents(list, events) {
  replaced(list, events, (event) => {
    const row = document.createElement("li");
    row.dataset.severity = event.severity;
    const { t_s: first, last_s: last } = event;
    row.title = first === last ? "" : `from ${seconds(first)} to ${seconds(last)}`;
    row.append(
      cell("when", seconds(last)),
      cell("process", event.process),
      cell("text", `${event.text}${counted(event)}`),
    );
    return row;
  });
  list.parentElement.classList.toggle("none", !events.length);
}

// Without `acknowledge`, as for a browser that may only watch, alarms have no button.
export function showAlarms(banner, alarms, acknowledge) {
  const mayAcknowledge = acknowledge !== null;
  replaced(banner, alarms.map((alarm) => ({ ...alarm, mayAcknowledge })), (alarm) => {
    const row = document.createElement("p");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Acknowledge";
    button.hidden = !mayAcknowledge;
    button.onclick = () => acknowledge(alarm.number);
    row.append(
      cell("process", `Alarm, ${alarm.process}`),
      cell("text", `${alarm.text}${counted(alarm)}`),
      cell("when", `at ${seconds(alarm.last_s)}`),
      button,
    );
    return row;
  });
}
