// Reads binary packets and paints their planes onto canvases; the style sheet enlarges them.

const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);

// Blue - neutral - orange is distinct in all common colour blindness. The neutral colour is that
// of the page, dark or light, so that only errors stand out.
const ENDS = { low: [74, 158, 255], high: [255, 150, 50] };
const LIGHT_ENDS = { low: [0, 84, 166], high: [190, 84, 0] };
const UNCERTAINTY_COLOURS = [[10, 16, 34], [62, 74, 110], [124, 123, 120], [188, 175, 108], [255, 234, 70]];
export const FULL_ERROR = 96;
export const FULL_UNCERTAINTY = 64;

export function errorColour(difference, theme) {
  const ends = theme === "light" ? LIGHT_ENDS : ENDS;
  const neutral = theme === "light" ? [250, 249, 246] : [14, 18, 24];
  const t = Math.min(1, Math.abs(difference) / FULL_ERROR);
  return mix(neutral, difference < 0 ? ends.low : ends.high, t ** 0.8);
}

export function uncertaintyColour(sd) {
  const t = Math.min(1, sd / FULL_UNCERTAINTY) * (UNCERTAINTY_COLOURS.length - 1);
  const k = Math.min(UNCERTAINTY_COLOURS.length - 2, Math.floor(t));
  return mix(UNCERTAINTY_COLOURS[k], UNCERTAINTY_COLOURS[k + 1], t - k);
}

// Levels 0 to 255 as colours in memory order, each one 32-bit number; level 0 is `darkest` of 1.
export function palette(darkest) {
  const bytes = new Uint8ClampedArray(4 * 256);
  for (let level = 0; level < 256; level += 1) {
    const t = darkest + (1 - darkest) * (level / 255);
    bytes.set([...uncertaintyColour(t * FULL_UNCERTAINTY), 255], 4 * level);
  }
  return new Uint32Array(bytes.buffer);
}

const STRIP_COLOURS = palette(0);

export function paint(canvas, rows, cols, colourAt) {
  if (canvas.width !== cols || canvas.height !== rows) {
    canvas.width = cols;
    canvas.height = rows;
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(cols, rows);
  for (let i = 0; i < rows * cols; i += 1) {
    const [r, g, b] = colourAt(i);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

export function blank(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// Reads one binary message; the layout is that of packets.py.
export function readPacket(buffer) {
  const view = new DataView(buffer);
  if (view.getUint8(0) === 2) {
    return {
      kind: "activity", groups: view.getUint16(2, true), neurons: view.getUint32(4, true),
      frame: view.getFloat64(8, true), column: new Uint8Array(buffer, 16),
    };
  }
  const flags = view.getUint8(1);
  const [rows, cols] = [view.getUint16(2, true), view.getUint16(4, true)];
  const plane = (k) => new Uint8Array(buffer, 24 + k * rows * cols, rows * cols);
  return {
    kind: "picture", rows, cols, lagFrames: view.getInt16(6, true),
    frame: view.getFloat64(8, true), ageMs: view.getFloat64(16, true), at: performance.now(),
    hasDisplayed: Boolean(flags & 1), hasDecoded: Boolean(flags & 2), warm: Boolean(flags & 4),
    late: Boolean(flags & 8), hasUncertainty: Boolean(flags & 16),
    displayed: plane(0), decoded: plane(1), uncertainty: plane(2),
  };
}

// A strip that moves left by one column for each frame; columns of missing frames stay dark. Its
// pixels are its memory of the last 10 s, and go to the canvas where it is visible.
export class Strip {
  constructor(canvas) {
    this.canvas = canvas;
    this.newest = null;
    this.image = null;
  }

  add({ frame, column, groups }, { visible }) {
    const { canvas } = this;
    if (canvas.height !== groups || this.image === null) {
      canvas.height = groups;
      this.image = canvas.getContext("2d").createImageData(canvas.width, groups);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.newest = null;
    }
    const { pixels } = this;
    const { width } = canvas;
    const step = this.newest === null ? 1 : Math.min(width, Math.max(0, frame - this.newest));
    this.newest = frame;
    // one move for all rows: what comes in from the next row is overwritten
    if (step > 0) pixels.copyWithin(0, step);
    for (let row = 0; row < groups; row += 1) {
      const end = (row + 1) * width;
      pixels.fill(0, end - step, end);
      pixels[end - 1] = STRIP_COLOURS[column[row]];
    }
    if (visible) this.draw();
  }

  draw() {
    if (this.image) this.canvas.getContext("2d").putImageData(this.image, 0, 0);
  }
}
