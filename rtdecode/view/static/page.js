// The live page: takes packets from the server, draws the newest at each repaint, and tells back
// which frame it has drawn, so that the latency up to the eye is measured and not guessed.

import {
  blank, errorColour, FULL_UNCERTAINTY, paint, readPacket, Strip, uncertaintyColour,
} from "./pictures.js";
import { drawScores, milliseconds, showStages } from "./charts.js";

const at = (id) => document.getElementById(id);
const say = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };
const RETRY_MS = 1000;
const KEPT_SCORES = 600;

const strip = new Strip(at("strip"));
const state = { socket: null, waiting: null, shown: null, scores: [], third: "error" };
let theme = window.matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";

function connect() {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${window.location.host}/live`);
  socket.binaryType = "arraybuffer";
  state.socket = socket;
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") hear(JSON.parse(data));
    else take(readPacket(data));
  };
  socket.onclose = () => {
    tell("bad", "Disconnected", "No connection to rtdecode; trying again each second.");
    window.setTimeout(connect, RETRY_MS);
  };
}

function take(packet) {
  if (packet.kind === "activity") strip.add(packet);
  else {
    if (state.waiting === null) window.requestAnimationFrame(draw);
    state.waiting = packet;
  }
}

function draw() {
  const packet = state.waiting;
  state.waiting = null;
  state.shown = packet;
  const { rows, cols, truth, decoded } = packet;
  const grey = (plane) => (i) => [plane[i], plane[i], plane[i]];
  if (packet.hasTruth) paint(at("truth"), rows, cols, grey(truth));
  else blank(at("truth"));
  if (packet.hasDecoded) paint(at("decoded"), rows, cols, grey(decoded));
  else blank(at("decoded"));
  drawThird(packet);
  at("truth").dataset.frame = packet.frame;
  say("frame", packet.frame.toString());
  if (state.socket.readyState === WebSocket.OPEN) state.socket.send(packet.frame.toString());
}

function drawThird({ rows, cols, truth, decoded, uncertainty, hasTruth, hasDecoded, hasUncertainty }) {
  const canvas = at("error");
  if (state.third === "error" && hasTruth && hasDecoded) {
    paint(canvas, rows, cols, (i) => errorColour(decoded[i] - truth[i], theme));
  } else if (state.third === "uncertainty" && hasUncertainty) {
    paint(canvas, rows, cols, (i) => uncertaintyColour(uncertainty[i]));
  } else blank(canvas);
}

function hear(told) {
  if (told.history) {
    state.scores = told.history;
    drawScores(at("score-chart"), state.scores);
    return;
  }
  tell(told.mood, told.word, told.sentence);
  showScore(told.score);
  showLatency(told);
  const lag = `${told.lag_frames} frames (${Math.round(told.lag_ms)} ms) behind, by choice`;
  say("lag", told.counters.frames ? lag : "");
  const { counters } = told;
  const unknown = state.shown && !state.shown.hasTruth;
  say("clip", unknown ? "not known for this frame" : told.clip.split("/").pop());
  say("fps", told.fps.toFixed(1));
  say("frames", counters.frames.toLocaleString("en"));
  say("late", `${counters.late} (${counters.late_percent.toFixed(1)} %)`);
  say("lost", counters.lost_messages.toString());
  say("dropped", told.dropped.toString());
  say("neurons", told.neurons ? told.neurons.toLocaleString("en") : "–");
  at("late").className = counters.late_percent > 2 ? "warning" : "";
  at("lost").className = counters.lost_messages ? "warning" : "";
  const lost = Object.entries(told.lost_by_stream).map(([stream, n]) => `${n} of ${stream}`);
  at("lost").title = lost.join(", ");
}

function showScore(score) {
  if (!score) return;
  const digits = (value) => (value === null ? "–" : value.toFixed(2));
  say("video-r", digits(score.video_r));
  say("frame-r", digits(score.frame_r));
  say("ssim", digits(score.ssim));
  say("shift", score.shift_ms === null ? "–" : `${Math.round(score.shift_ms)} ms`);
  say("window", score.final ? "whole run" : `last ${Math.round(score.window_s)} s`);
  const last = state.scores[state.scores.length - 1];
  if (!last || last.t_s !== score.t_s) {
    state.scores.push(score);
    state.scores.splice(0, state.scores.length - KEPT_SCORES);
    drawScores(at("score-chart"), state.scores);
  }
}

function showLatency({ latency_ms: latencies, lag_frames: lagFrames, lag_ms: lagMs }) {
  const total = latencies.screen_to_page ?? latencies.total;
  if (total) say("total", milliseconds(total.p50));
  showStages(at("stages"), latencies);
  if (total) {
    const words = `99 % within ${milliseconds(total.p99)} ms. Of the median, `
      + `${Math.round(lagMs)} ms are the chosen lag of ${lagFrames} frames.`;
    say("lag-note", words);
  }
}

function tell(mood, word, sentence) {
  at("notice").dataset.mood = mood;
  say("word", word);
  say("sentence", sentence);
  document.body.classList.toggle("stale", mood === "bad");
}

function showAge() {
  if (state.shown) {
    const ms = state.shown.ageMs + performance.now() - state.shown.at;
    say("age", ms < 2000 ? `${Math.round(ms / 10) * 10} ms` : `${Math.round(ms / 1000)} s`);
  }
}

function setTheme(chosen) {
  theme = chosen;
  document.documentElement.dataset.theme = chosen;
  say("theme", chosen === "dark" ? "Light" : "Dark");
  drawScores(at("score-chart"), state.scores);
  if (state.shown) drawThird(state.shown);
  showLegend();
}

function setThird(chosen) {
  state.third = chosen;
  const error = chosen === "error";
  say("third-name", error ? "Error" : "Uncertainty");
  say("third", error ? "Uncertainty" : "Error");
  say("legend-low", error ? "darker than shown" : "sure: ± 0");
  say("legend-high", error ? "brighter" : `± ${FULL_UNCERTAINTY} grey levels (sd)`);
  if (state.shown) drawThird(state.shown);
  showLegend();
}

function showLegend() {
  paint(at("legend"), 1, 128, (i) => (
    state.third === "error"
      ? errorColour((i - 63.5) * 1.5, theme)
      : uncertaintyColour((i / 127) * FULL_UNCERTAINTY)
  ));
}

at("theme").onclick = () => setTheme(theme === "dark" ? "light" : "dark");
at("third").onclick = () => setThird(state.third === "error" ? "uncertainty" : "error");
window.addEventListener("resize", () => drawScores(at("score-chart"), state.scores));
window.setInterval(showAge, 100);
setTheme(theme);
setThird("error");
connect();
