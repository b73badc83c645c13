// The field of view: its newest picture, ROIs as outlines coloured by activity, and chosen cells.

import { palette } from "./pictures.js";

const MOST_SIDE_PX = 1024;
const DARKEST = 0.28;

// Pixels of the outline of each ROI, in a picture `fine` times as fine as the field.
function outlines({ rows, cols, indptr, pixels, count }, fine) {
  const inside = new Int32Array(rows * cols).fill(-1);
  const found = [];
  const starts = new Int32Array(count + 1);
  for (let neuron = 0; neuron < count; neuron += 1) {
    for (let k = indptr[neuron]; k < indptr[neuron + 1]; k += 1) inside[pixels[k]] = neuron;
    // ROIs that overlap this one come later, so that its outline is complete
    for (let k = indptr[neuron]; k < indptr[neuron + 1]; k += 1) {
      const [row, col] = [Math.floor(pixels[k] / cols), pixels[k] % cols];
      const outside = (r, c) => r < 0 || c < 0 || r >= rows || c >= cols || inside[r * cols + c] !== neuron;
      const [above, below] = [outside(row - 1, col), outside(row + 1, col)];
      const [before, after] = [outside(row, col - 1), outside(row, col + 1)];
      if (!(above || below || before || after)) continue;
      for (let r = 0; r < fine; r += 1) {
        for (let c = 0; c < fine; c += 1) {
          const edge = (above && r === 0) || (below && r === fine - 1);
          if (edge || (before && c === 0) || (after && c === fine - 1)) {
            found.push((row * fine + r) * cols * fine + col * fine + c);
          }
        }
      }
    }
    starts[neuron + 1] = found.length;
  }
  return { starts, found: Int32Array.from(found), labels: inside };
}

export class Field {
  constructor({ picture, rois, marks }) {
    this.canvases = { picture, rois, marks };
    this.colours = palette(DARKEST);
    this.neurons = null;
    this.fine = 1;
  }

  // Takes the ROIs of the plane that is shown; arrays of the packet are kept.
  setNeurons(neurons) {
    this.neurons = neurons.rows ? neurons : null;
    this.count = neurons.count;
    this.first = neurons.first;
    this.rebuild();
  }

  // How many times finer than the field outlines are drawn, by the pixels of the screen.
  wantedFine() {
    const { rows, cols } = this.neurons;
    const { clientWidth } = this.canvases.rois.parentElement;
    const wanted = Math.round((clientWidth * (window.devicePixelRatio || 1)) / cols);
    const most = Math.floor(MOST_SIDE_PX / Math.max(rows, cols));
    return Math.max(1, Math.min(4, wanted, most));
  }

  rebuild() {
    const { rois } = this.canvases;
    if (!this.neurons) {
      rois.width = 0;
      return;
    }
    const { rows, cols } = this.neurons;
    this.fine = this.wantedFine();
    Object.assign(this, outlines(this.neurons, this.fine));
    rois.width = cols * this.fine;
    rois.height = rows * this.fine;
    this.context = rois.getContext("2d");
    this.image = this.context.createImageData(rois.width, rois.height);
    this.target = new Uint32Array(this.image.data.buffer);
    rois.parentElement.style.aspectRatio = `${cols} / ${rows}`;
    rois.parentElement.style.setProperty("--ratio", cols / rows);
  }

  resize() {
    if (this.neurons && this.wantedFine() !== this.fine) this.rebuild();
  }

  drawPicture({ rows, cols, pixels, bin }) {
    const { picture } = this.canvases;
    if (picture.width !== cols || picture.height !== rows || !this.grey) {
      picture.width = cols;
      picture.height = rows;
      this.grey = picture.getContext("2d").createImageData(cols, rows);
      this.greys = new Uint32Array(this.grey.data.buffer);
    }
    for (let i = 0; i < pixels.length; i += 1) this.greys[i] = 0xff000000 | (pixels[i] * 0x010101);
    picture.getContext("2d").putImageData(this.grey, 0, 0);
    if (!this.neurons) {
      picture.parentElement.style.aspectRatio = `${cols * bin} / ${rows * bin}`;
      picture.parentElement.style.setProperty("--ratio", cols / rows);
    }
  }

  // Colours each outline by the newest level of its neuron; dark grey without a measurement.
  drawRois(levels) {
    if (!this.neurons || !levels) return;
    const { starts, found, target, colours } = this;
    for (let neuron = 0; neuron < this.count; neuron += 1) {
      const level = levels[this.first + neuron] ?? 0;
      const colour = level ? colours[level] : 0xff555555;
      for (let k = starts[neuron]; k < starts[neuron + 1]; k += 1) target[found[k]] = colour;
    }
    this.context.putImageData(this.image, 0, 0);
  }

  // Numbers of the chosen neurons beside their ROIs.
  drawMarks(chosen, letter) {
    const { marks } = this.canvases;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [marks.clientWidth, marks.clientHeight];
    marks.width = Math.round(width * scale);
    marks.height = Math.round(height * scale);
    if (!this.neurons) return;
    const context = marks.getContext("2d");
    context.scale(scale, scale);
    context.font = `700 ${letter}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "#000";
    context.fillStyle = "#fff";
    chosen.forEach((neuron, k) => {
      const centre = this.centre(neuron);
      if (!centre) return;
      const [x, y] = [centre[1] * width, centre[0] * height];
      context.strokeText(`${k + 1}`, x, y);
      context.fillText(`${k + 1}`, x, y);
    });
  }

  // Centre of a neuron's ROI as parts of the height and width; null in another plane.
  centre(neuron) {
    const { indptr, pixels, rows, cols, count, first } = this.neurons;
    const own = neuron - first;
    if (own < 0 || own >= count || indptr[own] === indptr[own + 1]) return null;
    let [row, col] = [0, 0];
    for (let k = indptr[own]; k < indptr[own + 1]; k += 1) {
      row += Math.floor(pixels[k] / cols) + 0.5;
      col += (pixels[k] % cols) + 0.5;
    }
    const n = indptr[own + 1] - indptr[own];
    return [row / n / rows, col / n / cols];
  }

  // The neuron at a position, as parts of the height and width; null beside all ROIs.
  neuronAt(down, across) {
    if (!this.neurons) return null;
    const { rows, cols } = this.neurons;
    const [row, col] = [Math.floor(down * rows), Math.floor(across * cols)];
    if (row < 0 || col < 0 || row >= rows || col >= cols) return null;
    const found = this.labels[row * cols + col];
    return found < 0 ? null : found + this.first;
  }
}
