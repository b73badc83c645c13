// The live page: receives packets and status from the server, draws the newest picture at each
// repaint, and sends its frame number back, so that the latency up to the screen is measured.

import {
  blank, errorColour, FULL_UNCERTAINTY, paint, readPacket, Strip, uncertaintyColour,
} from "./pictures.js";
import { connectControl, showControl } from "./control.js";
import { drawScores, milliseconds, showStages } from "./charts.js";
import { showAlarms, showEvents } from "./events.js";

const element = (id) => document.getElementById(id);
const setText = (id, text) => {
  if (element(id).textContent !== text) element(id).textContent = text;
};
const RETRY_MS = 1000;
const REFUSED_RETRY_MS = 10000;
const TOO_MANY = 1013;
const KEPT_SCORES = 600;
const OLD_SCORE_S = 5;

const strip = new Strip(element("strip"));
const state = { socket: null, pending: null, drawn: null, scores: [], panel: "error" };
let theme = window.matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";

function connect() {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${window.location.host}/live`);
  socket.binaryType = "arraybuffer";
  state.socket = socket;
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") receiveText(JSON.parse(data));
    else receivePacket(readPacket(data));
  };
  socket.onclose = async ({ code }) => {
    showStatus("bad", "Disconnected", "No connection to rtdecode; reconnecting each second.");
    const refusal = code === TOO_MANY ? "Too many browsers show this page." : await refused();
    if (refusal) showStatus("bad", "Refused", refusal);
    window.setTimeout(connect, refusal ? REFUSED_RETRY_MS : RETRY_MS);
  };
}

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

function receivePacket(packet) {
  if (packet.kind === "activity") strip.add(packet);
  else {
    if (state.pending === null) window.requestAnimationFrame(drawPicture);
    state.pending = packet;
  }
}

function drawPicture() {
  const packet = state.pending;
  state.pending = null;
  state.drawn = packet;
  const { rows, cols, displayed, decoded } = packet;
  const grey = (plane) => (i) => [plane[i], plane[i], plane[i]];
  if (packet.hasDisplayed) paint(element("displayed"), rows, cols, grey(displayed));
  else blank(element("displayed"));
  if (packet.hasDecoded) paint(element("decoded"), rows, cols, grey(decoded));
  else blank(element("decoded"));
  drawPanel(packet);
  element("displayed").dataset.frame = packet.frame;
  setText("frame", packet.frame.toString());
  showAge();
  send(packet.frame.toString());
}

// The third panel shows either the error or the uncertainty.
function drawPanel(packet) {
  const { rows, cols, displayed, decoded, uncertainty } = packet;
  const canvas = element("error");
  if (state.panel === "error" && packet.hasDisplayed && packet.hasDecoded) {
    paint(canvas, rows, cols, (i) => errorColour(decoded[i] - displayed[i], theme));
  } else if (state.panel === "uncertainty" && packet.hasUncertainty) {
    paint(canvas, rows, cols, (i) => uncertaintyColour(uncertainty[i]));
  } else blank(canvas);
}

function receiveText(message) {
  if (message.history) {
    state.scores = message.history;
    drawScores(element("score-chart"), state.scores);
    return;
  }
  showStatus(message.level, message.title, message.sentence);
  showScore(message.score, message.score_age_s);
  showTwinCheck(message.twin_check);
  showLatency(message);
  showLoop(message.loop);
  showCounters(message);
  showLosses(message);
  showEvents(element("events"), message.events);
  element("watching").hidden = message.may_act;
  showControl(message.control, message.may_act);
  const acknowledge = message.may_act ? (number) => send(`alarm ${number}`) : null;
  showAlarms(element("alarms"), message.alarms, acknowledge);
}

function send(text) {
  if (state.socket.readyState === WebSocket.OPEN) state.socket.send(text);
}

function showCounters({ counters, clip, fps, dropped, neurons, ...rest }) {
  const lag = `lag ${rest.lag_frames} frames (${Math.round(rest.lag_ms)} ms)`;
  setText("lag", counters.frames ? lag : "");
  const unpaired = state.drawn && !state.drawn.hasDisplayed;
  setText("clip", unpaired ? "not known for this frame" : clip.split("/").pop());
  setText("fps", fps.toFixed(1));
  setText("frames", counters.frames.toLocaleString("en"));
  setText("dropped", dropped.toString());
  setText("neurons", neurons ? neurons.toLocaleString("en") : "–");
}

// Four layers, which are never summed: they count different things.
function showLosses({ counters, losses, clocks, recorder_backlog_mb: backlogMb }) {
  const share = (part, whole) => (whole ? `${part} (${((100 * part) / whole).toFixed(1)} %)` : "–");
  const listed = (counts) => Object.entries(counts).map(([what, n]) => `${n} of ${what}`);
  const count = (id, text, wrong) => {
    setText(id, text);
    element(id).className = wrong ? "warning" : "";
  };
  count("scans-lost", losses.scans_lost.toLocaleString("en"), losses.scans_lost);
  count("lost", counters.lost_messages.toLocaleString("en"), counters.lost_messages);
  element("lost").title = listed(losses.lost_by_stream).join(", ");
  count("not-decoded", counters.frames_not_decoded.toLocaleString("en"), counters.frames_not_decoded);
  const missed = listed(losses.missed).join(", ");
  setText("missed", missed ? `Missed, but not lost from the log: ${missed}.` : "");
  count("late", share(counters.late, counters.frames), counters.late_percent > 2);
  setText("clocks", clocks.join("; "));
  const { late_10_s: late, frames_10_s: frames } = losses;
  count("late-recent", share(late, frames), late > 0.02 * frames);
  count("backlog", backlogMb === null ? "–" : `${backlogMb.toFixed(1)} MB`, backlogMb > 10);
}

function showScore(score, ageS) {
  if (!score) return;
  const old = !score.final && ageS > OLD_SCORE_S;
  element("video-r").closest("section").classList.toggle("old", old);
  const digits = (value) => (value === null ? "–" : value.toFixed(2));
  setText("video-r", digits(score.video_r));
  setText("frame-r", digits(score.frame_r));
  setText("ssim", digits(score.ssim));
  setText("shift", score.shift_ms === null ? "–" : `${Math.round(score.shift_ms)} ms`);
  const window_s = old ? `${Math.round(ageS)} s old` : `last ${Math.round(score.window_s)} s`;
  setText("window", score.final ? "whole run" : window_s);
  const last = state.scores[state.scores.length - 1];
  if (!last || last.t_s !== score.t_s) {
    state.scores.push(score);
    state.scores.splice(0, state.scores.length - KEPT_SCORES);
    drawScores(element("score-chart"), state.scores);
  }
}

function showTwinCheck(check) {
  if (!check) return;
  const digits = (value) => (value === null ? "–" : value.toFixed(2));
  setText("twin-r", digits(check.r));
  setText("twin-against", check.r_training === null ? "expected" : "training");
  setText("twin-reference", digits(check.r_training ?? check.r_expected));
  setText("twin-verdict", check.verdict);
  element("twin-verdict").className = check.verdict === "mismatch" ? "warning" : "";
}

function showLatency({ latency_ms: latencies, lag_ms: lagMs }) {
  const total = latencies.screen_to_page ?? latencies.total;
  showStages(element("stages"), latencies);
  if (total) {
    setText("total", milliseconds(total.p50));
    const note = `99th percentile: ${milliseconds(total.p99)} ms; the lag is ${Math.round(lagMs)} ms.`;
    setText("lag-note", note);
  }
}

// Median and 99th percentile of the whole session; those of triggers where no flip reacted.
function showLoop(loop) {
  element("loop").hidden = loop.policy === null;
  const both = (span) => (span ? `${milliseconds(span.p50)}, ${milliseconds(span.p99)}` : "–");
  const flips = loop.content_age_ms !== null;
  setText("loop-effect", flips || !loop.trigger_content_age_ms ? "to the flip" : "to the trigger");
  setText("reaction", both(flips ? loop.reaction_ms : loop.trigger_reaction_ms));
  setText("content-age", both(flips ? loop.content_age_ms : loop.trigger_content_age_ms));
  const counts = Object.values(loop.actions).flatMap((outcomes) => Object.entries(outcomes));
  const sum = (some) => some.reduce((total, [, n]) => total + n, 0);
  const sent = sum(counts.filter(([outcome]) => outcome === "sent"));
  setText("actions", `${sent.toLocaleString("en")} of ${sum(counts).toLocaleString("en")}`);
}

function showStatus(level, title, sentence) {
  element("status").dataset.level = level;
  setText("title", title);
  setText("sentence", sentence);
  document.body.classList.toggle("stale", ["Stale", "Disconnected", "Refused"].includes(title));
}

function showAge() {
  if (state.drawn) {
    const ms = state.drawn.ageMs + performance.now() - state.drawn.at;
    setText("age", ms < 2000 ? `${Math.round(ms / 10) * 10} ms` : `${Math.round(ms / 1000)} s`);
  }
}

function setTheme(chosen) {
  theme = chosen;
  document.documentElement.dataset.theme = chosen;
  setText("theme", chosen === "dark" ? "Light" : "Dark");
  drawScores(element("score-chart"), state.scores);
  if (state.drawn) drawPanel(state.drawn);
  showLegend();
}

function setPanel(chosen) {
  state.panel = chosen;
  const error = chosen === "error";
  setText("panel-name", error ? "Error" : "Uncertainty");
  setText("panel-button", error ? "Uncertainty" : "Error");
  setText("legend-low", error ? "darker than displayed" : "SD 0");
  setText("legend-high", error ? "brighter" : `SD ${FULL_UNCERTAINTY} grey levels`);
  if (state.drawn) drawPanel(state.drawn);
  showLegend();
}

function showLegend() {
  paint(element("legend"), 1, 128, (i) => (
    state.panel === "error"
      ? errorColour((i - 63.5) * 1.5, theme)
      : uncertaintyColour((i / 127) * FULL_UNCERTAINTY)
  ));
}

element("theme").onclick = () => setTheme(theme === "dark" ? "light" : "dark");
element("panel-button").onclick = () => setPanel(state.panel === "error" ? "uncertainty" : "error");
new ResizeObserver(() => drawScores(element("score-chart"), state.scores))
  .observe(element("score-chart"));
window.setInterval(showAge, 100);
setTheme(theme);
setPanel("error");
connectControl(send);
connect();
