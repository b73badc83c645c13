// The live page: receives packets and status from the server, draws the newest picture at each
// repaint, and sends its frame number back, so that the latency up to the screen is measured.

import { connectControl, showControl } from "./control.js";
import { element } from "./elements.js";
import { showAlarms, showEvents } from "./events.js";
import { addScore, connectFigures, setScores, showFigures } from "./live_figures.js";
import { connectKeys } from "./keys.js";
import { connectPictures, drawPicture, redrawPictures } from "./live_pictures.js";
import { showLoopTab } from "./loop.js";
import { connectMicroscope, receiveMicroscope, showMicroscope, watch } from "./microscope.js";
import {
  announcePresent, chosenPicture, connectPictureTools, isPaused, receivePresent, receiveScreen,
} from "./picture_tools.js";
import { readPacket, Strip } from "./pictures.js";
import { connectNotes, showNoteButton } from "./notes.js";
import { countDrawn, showEnd, showFacts, showStatus } from "./status.js";
import { connectTabs, isVisible, onTab } from "./tabs.js";
import { connectTheme } from "./theme.js";
import { connectWide } from "./wide.js";

const RETRY_MS = 1000;
const REFUSED_RETRY_MS = 10000;
const TOO_MANY = 1013;
const FIRST_OF_MICROSCOPE = 3;
const PRESENT = 7;

const strip = new Strip(element("strip"));
const state = { socket: null, pending: null, message: null };

function connect() {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${window.location.host}/live`);
  socket.binaryType = "arraybuffer";
  state.socket = socket;
  socket.onopen = () => {
    watch(true);
    announcePresent();
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") receiveText(JSON.parse(data));
    else receivePacket(data);
  };
  socket.onclose = async ({ code }) => {
    // the server has gone with its run: there is nothing to connect to
    if (state.message?.end) return;
    showBroken("Disconnected", "No connection to rtdecode; reconnecting each second.");
    const refusal = code === TOO_MANY ? "Too many browsers show this page." : await refused();
    if (refusal) showBroken("Refused", refusal);
    window.setTimeout(connect, refusal ? REFUSED_RETRY_MS : RETRY_MS);
  };
}

const showBroken = (title, sentence) => (
  showStatus({ level: "bad", title, sentence, is_outdated: true })
);

// A browser is not told why a connection was refused: a request for the page states it.
async function refused() {
  try {
    const { status } = await fetch("/", { method: "HEAD" });
    const sentence = "This address is of another run: open the one that the terminal prints.";
    return status === 403 ? sentence : "";
  } catch {
    return "";
  }
}

function receivePacket(buffer) {
  const kind = new DataView(buffer).getUint8(0);
  if (kind === PRESENT) {
    receivePresent(buffer);
    return;
  }
  if (kind >= FIRST_OF_MICROSCOPE) {
    receiveMicroscope(kind, buffer);
    return;
  }
  const packet = readPacket(buffer);
  if (packet.kind === "activity") {
    // in every tab, since the strip is its own memory of the last 10 s
    strip.add(packet, { visible: isVisible("live") });
    return;
  }
  if (state.pending === null) window.requestAnimationFrame(draw);
  state.pending = packet;
}

// A picture counts as drawn in every tab: the server then sends the next one.
function draw() {
  const packet = state.pending;
  state.pending = null;
  const chosen = chosenPicture(packet);
  if (!isPaused()) drawPicture(chosen, { visible: isVisible("live") });
  countDrawn();
  send(packet.frame.toString());
}

function receiveText(message) {
  if (message.history) {
    setScores(message.history);
    receiveScreen(message.screen);
    return;
  }
  state.message = message;
  addScore(message.score);
  showStatus(message);
  showEnd(message.end);
  showFacts(message);
  showNoteButton(message.may_act && !message.end);
  element("watching").hidden = message.may_act;
  showControl(message.control, message.may_act);
  const acknowledge = message.may_act ? (number) => send(`alarm ${number}`) : null;
  showAlarms(element("alarms"), message.alarms, acknowledge);
  showVisible();
}

function showVisible() {
  const { message } = state;
  if (message === null) return;
  if (isVisible("live")) {
    showFigures(message);
    showEvents(element("events"), message.events);
  } else if (isVisible("microscope")) showMicroscope(message);
  else if (isVisible("loop")) showLoopTab(message);
  else if (isVisible("events")) showEvents(element("all-events"), message.events);
}

function send(text) {
  if (state.socket?.readyState === WebSocket.OPEN) state.socket.send(text);
}

connectTheme();
connectPictures();
connectPictureTools({ redraw: redrawPictures, send });
connectFigures();
connectControl(send);
connectMicroscope(send);
connectNotes();
connectWide();
connectKeys();
connectTabs();
element("end-reload").onclick = () => window.location.reload();
onTab(showVisible);
onTab((name) => name === "live" && strip.draw());
connect();
