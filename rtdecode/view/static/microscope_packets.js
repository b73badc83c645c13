// Reads the packets of the Microscope tab; the layout is that of microscope_packets.py. Arrays are
// views of the received buffer: whoever needs one later copies it.

export const ACTIVITY = 0;
export const FLUORESCENCE = 1;

// Newest samples of a stream in arrays that are made once: times, and some values each.
export class Samples {
  constructor(most, quantities) {
    this.times = new Float64Array(most);
    this.values = Array.from({ length: quantities }, () => new Float32Array(most));
    this.count = 0;
  }

  clear() {
    this.count = 0;
  }

  addAll(times, values) {
    const most = this.times.length;
    for (let i = 0; i < times.length; i += 1, this.count += 1) {
      const at = this.count % most;
      this.times[at] = times[i];
      for (let q = 0; q < values.length; q += 1) this.values[q][at] = values[q][i];
    }
  }

  get length() {
    return Math.min(this.count, this.times.length);
  }

  // Place in the arrays of sample k, the oldest being 0.
  at(k) {
    return (this.count - this.length + k) % this.times.length;
  }

  get newest() {
    return this.count ? this.times[this.at(this.length - 1)] : -Infinity;
  }
}

export function readMicroscope(buffer) {
  const view = new DataView(buffer);
  const [kind, part] = [view.getUint8(0), view.getUint8(1)];
  if (kind === 3) return readField(view, buffer, part);
  const reader = READERS[kind]?.[part];
  return reader ? reader(view, buffer, part) : null;
}

function readField(view, buffer, plane) {
  const [rows, cols] = [view.getUint16(2, true), view.getUint16(4, true)];
  return {
    what: "field", plane, rows, cols, bin: view.getUint16(6, true),
    number: Number(view.getBigInt64(8, true)), t: view.getFloat64(16, true),
    low: view.getFloat32(24, true), high: view.getFloat32(28, true),
    pixels: new Uint8Array(buffer, 32, rows * cols),
  };
}

function readActivity(view, buffer) {
  const [columns, neurons] = [view.getUint16(2, true), view.getUint32(4, true)];
  return {
    what: "activity", columns, neurons, rate: view.getFloat64(8, true),
    largest: view.getFloat32(16, true), restarts: view.getUint32(20, true) === 1,
    frames: new Float64Array(buffer, 24, columns),
    levels: new Uint8Array(buffer, 24 + 8 * columns, columns * neurons),
  };
}

function readTraces(view, buffer) {
  const traces = [];
  let at = 8;
  for (let left = view.getUint16(2, true); left > 0; left -= 1) {
    const n = view.getUint32(at + 8, true);
    traces.push({
      neuron: view.getUint32(at, true), signal: view.getUint8(at + 4), plane: view.getUint8(at + 5),
      restarts: view.getUint32(at + 12, true) === 1,
      times: new Float64Array(buffer, at + 16, n), values: new Float32Array(buffer, at + 16 + 8 * n, n),
    });
    at += 16 + 12 * n + 4 * (n % 2);
  }
  return { what: "traces", traces };
}

function readSamples(view, buffer, part) {
  const n = view.getUint32(4, true);
  const quantities = part === 0 ? 2 : 3;
  return {
    what: part === 0 ? "behaviour" : "shift", restarts: view.getUint16(2, true) === 1,
    times: new Float64Array(buffer, 8, n),
    values: Array.from({ length: quantities }, (_, q) => new Float32Array(buffer, 8 + 8 * n + 4 * q * n, n)),
  };
}

function readNeurons(view, buffer) {
  const [count, pixels] = [view.getUint32(12, true), view.getUint32(16, true)];
  return {
    what: "neurons", plane: view.getUint16(2, true), rows: view.getUint16(4, true),
    cols: view.getUint16(6, true), first: view.getUint32(8, true), count,
    onScreen: view.getUint32(20, true) === 1, indptr: new Int32Array(buffer, 24, count + 1),
    pixels: new Int32Array(buffer, 24 + 4 * (count + 1), pixels),
  };
}

function readOrder(view, buffer) {
  const neurons = view.getUint32(4, true);
  return { what: "order", by: view.getUint16(2, true), order: new Uint32Array(buffer, 8, neurons) };
}

const READERS = {
  4: [readActivity, readTraces],
  5: [readSamples, readSamples],
  6: [readNeurons, readOrder],
};
