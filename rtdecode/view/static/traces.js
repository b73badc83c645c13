// Charts of the last 20 s: rows of traces with scales and units, and the raster of all neurons.

import { palette } from "./pictures.js";
import { onTheme } from "./theme.js";

export const SPAN_S = 20;
const TICK_S = 5;
const LEAST_LETTER_PX = 12;
const GAP_S = 0.5;
const MOST_BINS = 256;
const DECAY = 0.998;

let ink = null;

// Colours of the page, read again when the theme or the size of letters changes.
export function colours() {
  if (ink === null) {
    const style = getComputedStyle(document.documentElement);
    const names = ["soft", "line", "accent", "second", "ink", "panel"];
    ink = Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    ink.letter = Math.max(LEAST_LETTER_PX, 0.78 * parseFloat(style.fontSize));
  }
  return ink;
}

// Canvases have as many pixels as the screen; `redraw` runs when their size changes.
export function followSize(canvas, redraw) {
  const fit = () => {
    ink = null;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((n) => Math.round(n * scale));
    if (!width || (canvas.width === width && canvas.height === height)) return;
    canvas.width = width;
    canvas.height = height;
    redraw();
  };
  new ResizeObserver(fit).observe(canvas);
  onTheme(() => {
    ink = null;
    redraw();
  });
}

// Charts are opaque: without a graphics card the browser copies them, and does not blend them.
function begun(canvas) {
  const scale = window.devicePixelRatio || 1;
  const context = canvas.getContext("2d", { alpha: false });
  context.setTransform(scale, 0, 0, scale, 0, 0);
  const [width, height] = [canvas.width / scale, canvas.height / scale];
  context.fillStyle = colours().panel;
  context.fillRect(0, 0, width, height);
  context.font = `${colours().letter}px system-ui, sans-serif`;
  context.lineWidth = 1;
  return { context, width, height };
}

function drawTimeAxis(context, box) {
  const { soft, line, letter } = colours();
  context.strokeStyle = line;
  context.fillStyle = soft;
  context.textBaseline = "alphabetic";
  context.beginPath();
  for (let back = 0; back <= SPAN_S; back += TICK_S) {
    const x = box.right - (back / SPAN_S) * (box.right - box.left);
    context.moveTo(x, box.top);
    context.lineTo(x, box.bottom);
    context.textAlign = back === 0 ? "right" : "center";
    const last = back === 0 ? "0 s" : `−${back}`;
    context.fillText(last, x, box.bottom + 1.25 * letter);
  }
  context.stroke();
}

// Scales of one row: they widen at once, and narrow when the values fill less than half of them.
function scaled(line, newest) {
  let [low, high] = [Infinity, -Infinity];
  const { samples, quantity } = line;
  for (let k = samples.length - 1; k >= 0; k -= 1) {
    const at = samples.at(k);
    if (samples.times[at] < newest - SPAN_S) break;
    const value = samples.values[quantity][at];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high >= low)) return line.scale ?? null;
  const room = Math.max(high - low, line.least ?? 0, 1e-6);
  const old = line.scale;
  if (!old || low < old.low || high > old.high || room < 0.5 * (old.high - old.low)) {
    const middle = (high + low) / 2;
    const half = room / 2;
    line.scale = { low: middle - half, high: middle + half };
  }
  return line.scale;
}

// Samples in one column of pixels become their least and largest value, so that no peak is left out.
function drawLine(context, line, box, newest) {
  const scale = scaled(line, newest);
  if (!scale) return;
  const { samples, quantity } = line;
  const { times } = samples;
  const values = samples.values[quantity];
  const pixel = 1 / (window.devicePixelRatio || 1);
  const perS = (box.right - box.left) / SPAN_S;
  const perUnit = (box.bottom - box.top) / (scale.high - scale.low);
  const y = (value) => box.bottom - (value - scale.low) * perUnit;
  context.beginPath();
  context.strokeStyle = colours()[line.colour];
  // lines of one pixel of the screen take a fraction of the time of wider ones
  context.lineWidth = pixel;
  let [before, column, low, high] = [-Infinity, -Infinity, 0, 0];
  for (let k = 0; k < samples.length; k += 1) {
    const at = samples.at(k);
    const [t, value] = [times[at], values[at]];
    if (t < newest - SPAN_S || value !== value) continue;
    const x = box.right - (newest - t) * perS;
    if (x - column < pixel) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    } else {
      if (high > low) {
        context.lineTo(column, y(low));
        context.lineTo(column, y(high));
      }
      if (t - before > GAP_S) context.moveTo(x, y(value));
      else context.lineTo(x, y(value));
      [column, low, high] = [x, value, value];
    }
    before = t;
  }
  context.stroke();
}

// A formatter is made once: `toLocaleString` makes one at each call, which takes 0.1 ms.
export const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function short(value) {
  const size = Math.abs(value);
  if (size < 0.005) return "0";
  if (size >= 100) return WHOLE.format(value);
  return value.toFixed(size >= 10 ? 0 : size >= 1 ? 1 : 2);
}

function drawScale(context, line, x, box, align) {
  if (!line.scale) return;
  const { letter } = colours();
  context.fillStyle = colours()[line.colour];
  context.textAlign = align;
  context.textBaseline = "top";
  context.fillText(short(line.scale.high), x, box.top);
  context.textBaseline = "bottom";
  if (box.bottom - box.top > 2.2 * letter) context.fillText(short(line.scale.low), x, box.bottom);
}

// Rows below each other with one time axis; a row has a left line, and may have a right one.
export function drawRows(canvas, rows, newest) {
  const { context, width, height } = begun(canvas);
  const { letter, soft, line } = colours();
  const right = rows.some((row) => row.right) ? width - 3.4 * letter : width - 0.6 * letter;
  const all = { left: 4.2 * letter, right, top: 0.2 * letter, bottom: height - 1.6 * letter };
  drawTimeAxis(context, all);
  const step = (all.bottom - all.top) / Math.max(1, rows.length);
  rows.forEach((row, k) => {
    const first = all.top + k * step;
    // the name of a row stands above its lines
    const box = { ...all, top: first + (row.name ? 1.25 * letter : 3), bottom: first + step - 3 };
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 2, box.right - box.left, box.bottom - box.top + 4);
    context.clip();
    for (const side of [row.left, row.right]) if (side) drawLine(context, side, box, newest);
    context.restore();
    drawScale(context, row.left, box.left - 0.5 * letter, box, "right");
    if (row.right) drawScale(context, row.right, box.right + 0.4 * letter, box, "left");
    if (row.name) {
      context.fillStyle = soft;
      context.textAlign = "left";
      context.textBaseline = "top";
      context.fillText(row.name, box.left + 4, first + 2);
    }
    if (k > 0) {
      context.strokeStyle = line;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(all.left, first);
      context.lineTo(all.right, first);
      context.stroke();
    }
  });
}

// One column for each frame, in a picture that is written from left to right and again from its
// left; means over neighbouring neurons where there are more of them than rows.
export class Raster {
  constructor() {
    this.picture = document.createElement("canvas");
    this.colours = palette(0);
    this.order = null;
    this.newest = null;
    this.maximum = 1;
  }

  begin(neurons, rate) {
    this.rate = rate;
    this.bins = Math.min(MOST_BINS, Math.max(1, neurons));
    this.picture.width = Math.ceil(SPAN_S * rate);
    this.picture.height = this.bins;
    this.binOf = new Uint16Array(neurons);
    for (let rank = 0; rank < neurons; rank += 1) {
      const neuron = this.order?.length === neurons ? this.order[rank] : rank;
      this.binOf[neuron] = Math.floor((rank * this.bins) / neurons);
    }
    this.sums = new Float32Array(this.bins);
    this.counts = new Uint32Array(this.bins);
    this.context = this.picture.getContext("2d");
    this.column = this.context.createImageData(1, this.bins);
    this.pixels = new Uint32Array(this.column.data.buffer);
    this.newest = null;
  }

  add({ columns, neurons, rate, frames, levels, restarts }) {
    if (restarts || this.binOf?.length !== neurons) this.begin(neurons, rate);
    if (restarts) this.maximum = 1;
    if (restarts) for (let c = 0; c < columns; c += 1) this.average(levels, c * neurons, neurons);
    for (let c = 0; c < columns; c += 1) {
      const frame = frames[c];
      this.average(levels, c * neurons, neurons);
      this.clearUpTo(frame);
      for (let bin = 0; bin < this.bins; bin += 1) {
        const level = this.counts[bin] ? (255 * this.sums[bin]) / this.maximum : 0;
        this.pixels[bin] = this.colours[Math.min(255, Math.round(level))];
      }
      this.context.putImageData(this.column, frame % this.picture.width, 0);
      if (this.newest === null || frame > this.newest) this.newest = frame;
    }
  }

  // Means of the levels of one frame, and their largest, which decays by half in about 12 s.
  average(levels, from, neurons) {
    this.sums.fill(0);
    this.counts.fill(0);
    for (let neuron = 0; neuron < neurons; neuron += 1) {
      const level = levels[from + neuron];
      if (level > 0) {
        const bin = this.binOf[neuron];
        this.sums[bin] += level - 1;
        this.counts[bin] += 1;
      }
    }
    this.maximum = Math.max(this.maximum * DECAY, 1);
    for (let bin = 0; bin < this.bins; bin += 1) {
      if (this.counts[bin]) this.sums[bin] /= this.counts[bin];
      if (this.sums[bin] > this.maximum) this.maximum = this.sums[bin];
    }
  }

  // Columns of frames that never came stay empty.
  clearUpTo(frame) {
    const { width, height } = this.picture;
    if (this.newest === null || frame - this.newest > width) this.context.clearRect(0, 0, width, height);
    else for (let f = this.newest + 1; f < frame; f += 1) this.context.clearRect(f % width, 0, 1, height);
  }

  draw(canvas, newest, [top, bottom]) {
    const { context, width, height } = begun(canvas);
    const { letter, soft } = colours();
    const box = { left: 4.2 * letter, right: width - 0.6 * letter, top: 0.2 * letter, bottom: height - 1.6 * letter };
    if (this.newest !== null) {
      const source = this.picture;
      const perColumn = (box.right - box.left) / source.width;
      // columns after the newest one are the oldest
      const split = (this.newest % source.width) + 1;
      const late = (newest - (this.newest + 1) / this.rate) * this.rate * perColumn;
      context.save();
      context.beginPath();
      context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      context.clip();
      context.imageSmoothingEnabled = false;
      const [tall, left] = [box.bottom - box.top, box.left - Math.max(0, late)];
      const old = source.width - split;
      if (old > 0) context.drawImage(source, split, 0, old, this.bins, left, box.top, old * perColumn, tall);
      context.drawImage(source, 0, 0, split, this.bins, left + old * perColumn, box.top, split * perColumn, tall);
      context.restore();
    }
    drawTimeAxis(context, { ...box, top: box.bottom - 4 });
    context.fillStyle = soft;
    context.save();
    context.translate(1.1 * letter, (box.top + box.bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("neurons", 0, 0);
    context.restore();
    context.textAlign = "right";
    context.textBaseline = "top";
    context.fillText(top, box.left - 6, box.top);
    context.textBaseline = "bottom";
    context.fillText(bottom, box.left - 6, box.bottom);
  }
}
