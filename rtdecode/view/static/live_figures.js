// Figures of the Live tab: score, latencies, counts and losses.

import { drawScores, milliseconds, showStages } from "./charts.js";
import { element, setText } from "./elements.js";
import { drawnPicture } from "./live_pictures.js";
import { size } from "./status.js";
import { onTab } from "./tabs.js";
import { onTheme } from "./theme.js";

const KEPT_SCORES = 600;
const OLD_SCORE_S = 5;
let scores = [];

const drawChart = () => drawScores(element("score-chart"), scores);

export function setScores(history) {
  scores = history;
  drawChart();
}

// Scores are kept in every tab, so that the chart has no hole.
export function addScore(score) {
  const last = scores[scores.length - 1];
  if (!score || (last && last.t_s === score.t_s)) return;
  scores.push(score);
  scores.splice(0, scores.length - KEPT_SCORES);
  drawChart();
}

export function showFigures(message) {
  showScore(message.score, message.score_age_s);
  showTwinCheck(message.twin_check);
  showLatency(message);
  showLoop(message.loop);
  showCounters(message);
  showLosses(message);
  showRecorded(message);
}

export function connectFigures() {
  new ResizeObserver(drawChart).observe(element("score-chart"));
  onTheme(drawChart);
  onTab((name) => name === "live" && drawChart());
}

function showCounters({ counters, clip, fps, dropped, neurons, ...rest }) {
  const lag = `lag ${rest.lag_frames} frames (${Math.round(rest.lag_ms)} ms)`;
  setText("lag", counters.frames ? lag : "");
  const drawn = drawnPicture();
  const unpaired = drawn && !drawn.hasDisplayed;
  setText("clip", unpaired ? "not known for this frame" : clip.split("/").pop());
  setText("fps", fps.toFixed(1));
  setText("frames", counters.frames.toLocaleString("en"));
  setText("dropped", dropped.toString());
  setText("neurons", neurons ? neurons.toLocaleString("en") : "–");
}

// Four layers, which are never summed: they count different things.
function showLosses({ counters, losses, clocks }) {
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
}

// What a run records that decodes nothing.
function showRecorded({ run, recording, neurons }) {
  const whole = (n) => (n ? n.toLocaleString("en") : "–");
  setText("recorded-scans", whole(run.scans));
  setText("recorded-frames", whole(run.frames_displayed));
  setText("recorded-neurons", whole(neurons));
  setText("recorded-mb", size(recording.log_mb) || "–");
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
