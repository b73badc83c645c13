// What is drawn over the pictures at the resolution of the screen: the outline of the screen mask,
// and axes in visual degrees.

const TICK_DEG = 20;
const OUTLINE = "#ffd24a";

// The mask is base64 of one bit a pixel, row by row, the highest bit of a byte first.
export function readMask({ bits, rows, cols }) {
  const bytes = Uint8Array.from(atob(bits), (letter) => letter.charCodeAt(0));
  const mask = new Uint8Array(rows * cols);
  for (let i = 0; i < mask.length; i += 1) mask[i] = (bytes[i >> 3] >> (7 - (i & 7))) & 1;
  return { rows, cols, mask };
}

export function drawOverlay(canvas, { outline, degrees, rows, cols }) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!clientWidth || !clientHeight) return;
  context.scale(ratio, ratio);
  if (outline) drawOutline(context, outline, clientWidth / outline.cols, clientHeight / outline.rows);
  if (degrees) drawAxes(context, degrees, clientWidth / cols, clientHeight / rows, clientHeight);
}

// Edges between pixels inside and outside; a mask that reaches the border is closed there.
function drawOutline(context, { rows, cols, mask }, wide, high) {
  const inside = (r, c) => r >= 0 && r < rows && c >= 0 && c < cols && mask[r * cols + c];
  const edges = new Path2D();
  for (let r = 0; r < rows; r += 1) {
    for (let c = 0; c < cols; c += 1) {
      if (!inside(r, c)) continue;
      const [x, y, right, below] = [c * wide, r * high, (c + 1) * wide, (r + 1) * high];
      const sides = [
        [r - 1, c, x, y, right, y], [r + 1, c, x, below, right, below],
        [r, c - 1, x, y, x, below], [r, c + 1, right, y, right, below],
      ];
      for (const [row, col, x0, y0, x1, y1] of sides) {
        if (inside(row, col)) continue;
        edges.moveTo(x0, y0);
        edges.lineTo(x1, y1);
      }
    }
  }
  context.lineWidth = 4;
  context.strokeStyle = "rgb(0 0 0 / .55)";
  context.stroke(edges);
  context.lineWidth = 1.75;
  context.strokeStyle = OUTLINE;
  context.stroke(edges);
}

function drawAxes(context, { azimuth, altitude }, wide, high, bottom) {
  context.font = `${Math.max(12, Math.round(bottom / 22))}px system-ui, sans-serif`;
  context.lineJoin = "round";
  const label = (text, x, y, align, baseline) => {
    context.textAlign = align;
    context.textBaseline = baseline;
    context.lineWidth = 3;
    context.strokeStyle = "rgb(0 0 0 / .75)";
    context.strokeText(text, x, y);
    context.fillStyle = "#fff";
    context.fillText(text, x, y);
  };
  context.strokeStyle = "#fff";
  for (const [deg, place] of ticks(azimuth)) {
    label(`${deg}°`, place * wide, bottom - 4, "center", "bottom");
  }
  for (const [deg, place] of ticks(altitude)) label(`${deg}°`, 5, place * high, "left", "middle");
}

// Multiples of 20 degrees with their place between the centres of the pixels, which are monotonic.
function ticks(degrees) {
  const found = [];
  for (let k = 0; k + 1 < degrees.length; k += 1) {
    const [a, b] = [degrees[k], degrees[k + 1]];
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    for (let deg = Math.ceil(low / TICK_DEG) * TICK_DEG; deg < high; deg += TICK_DEG) {
      found.push([deg === 0 ? 0 : deg, k + 0.5 + (deg - a) / (b - a)]);
    }
  }
  return found;
}
