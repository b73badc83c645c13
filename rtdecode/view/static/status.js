// What every tab shows of the run: the status line, and the facts of session and recording.

import { element, setText } from "./elements.js";

const MB_PER_GB = 1000;
const LARGE_BACKLOG_MB = 10;
const SHORT_MIN = 60;
const DRAWN_OVER_MS = 2000;
const RECORDINGS = {
  waiting: () => "not recording yet",
  recording: (mb) => `recording ${size(mb)}`,
  ended: (mb) => (mb ? `recorded ${size(mb)}` : ""),
  silent: () => "recorder silent",
  still: (mb) => `log stands still at ${size(mb)}`,
};
const drawnAt = [];

export function showStatus({ level, title, sentence, is_outdated: isOutdated }) {
  element("status").dataset.level = level;
  setText("title", title);
  setText("sentence", sentence);
  document.body.classList.toggle("stale", isOutdated);
}

export function size(mb) {
  if (mb === null || mb === undefined) return "";
  return mb < MB_PER_GB ? `${mb.toFixed(mb < 10 ? 1 : 0)} MB` : `${(mb / MB_PER_GB).toFixed(1)} GB`;
}

// Minutes and seconds, with hours from one hour on.
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const [h, min, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => n.toString().padStart(2, "0");
  return h ? `${h}:${two(min)}:${two(s)}` : `${min}:${two(s)}`;
}

function lasting(minutes) {
  if (minutes < 120) return `${Math.round(minutes)} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

function fact(id, text, isWarning) {
  setText(id, text);
  element(id).className = isWarning ? "warning" : "";
}

export function showFacts({ run, recording }) {
  const { session, elapsed_s: elapsed, seconds } = run;
  const { state, log_mb: logMb, free_mb: freeMb, minutes_left: left, backlog_mb: waits } = recording;
  document.body.dataset.decodes = run.decodes;
  setText("session", session);
  const planned = seconds === null ? "" : ` of ${duration(seconds)}`;
  setText("elapsed", elapsed === null ? "" : `${duration(elapsed)}${planned}`);
  element("recording").dataset.state = state;
  setText("recording-text", RECORDINGS[state](logMb));
  const lasts = left === null ? "" : `, for ${lasting(left)}`;
  fact("disk", freeMb === null ? "" : `${size(freeMb)} free${lasts}`, left !== null && left < SHORT_MIN);
  fact("backlog", waits === null || state === "ended" ? "" : `backlog ${size(waits)}`, waits > LARGE_BACKLOG_MB);
  showDrawn();
}

const isOver = () => document.body.classList.contains("over");

// Called for each picture that is drawn, in whatever tab.
export function countDrawn() {
  drawnAt.push(performance.now());
}

// Pictures a second over the last two seconds, as this browser draws them.
function showDrawn() {
  const since = performance.now() - DRAWN_OVER_MS;
  while (drawnAt.length && drawnAt[0] < since) drawnAt.shift();
  const perS = (1000 * drawnAt.length) / DRAWN_OVER_MS;
  setText("drawn", isOver() ? "" : `${perS.toFixed(0)} drawn/s`);
}

// Once the run has ended, the page states it calmly and stays as it is.
export function showEnd(end) {
  element("end").hidden = !end;
  document.body.classList.toggle("over", Boolean(end));
  if (!end) return;
  setText("end-title", end.failed ? "The run has failed" : "The session has ended");
  setText("end-failed", end.failed && `${end.failed}.`);
  setText("end-length", end.elapsed_s === null ? "" : `after ${duration(end.elapsed_s)}`);
  setText("end-score", end.score);
  setText("end-losses", end.losses);
  setText("end-alarms", end.alarms);
  setText("end-report", end.report);
}
