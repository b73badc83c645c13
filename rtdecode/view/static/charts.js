// Charts of the page: score over time, and a bar with the latency of each stage.

const SHORTEST_SPAN_S = 30;
const LONGEST_SPAN_S = 180;
const STAGES = [
  ["scan", "scan, middle to end"],
  ["transport", "transport to the decoder"],
  ["calcium", "scan to activity"],
  ["decode", "reconstruction"],
  ["pacing", "output pacing"],
  ["page", "transport to the page"],
];

export function drawScores(canvas, scores) {
  if (!canvas.clientWidth) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const letter = 0.78 * parseFloat(style.fontSize);
  const box = { left: 2.7 * letter, right: width - 8, top: 8, bottom: height - 1.6 * letter };
  const newest = scores.length ? scores[scores.length - 1].t_s : 0;
  const past = scores.length ? newest - scores[0].t_s : 0;
  const span = Math.min(LONGEST_SPAN_S, Math.max(SHORTEST_SPAN_S, past));
  const steps = scores.slice(1).map((s, k) => s.t_s - scores[k].t_s).sort((a, b) => a - b);
  const longest = 2.5 * (steps[Math.floor(steps.length / 2)] ?? Infinity);
  const values = scores.flatMap((s) => [s.video_r, s.frame_r]).filter((v) => v !== null);
  const low = Math.min(0, ...values) < -0.05 ? -1 : 0;
  const x = (t) => box.right - ((newest - t) / span) * (box.right - box.left);
  const y = (r) => box.bottom - ((r - low) / (1 - low)) * (box.bottom - box.top);

  context.font = `${letter}px system-ui, sans-serif`;
  context.fillStyle = colour("--soft");
  context.strokeStyle = colour("--line");
  context.lineWidth = 1;
  for (const r of low ? [-1, 0, 1] : [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(box.left, y(r));
    context.lineTo(box.right, y(r));
    context.stroke();
    context.textAlign = "right";
    context.fillText(r.toString(), box.left - 8, y(r) + 4);
  }
  context.textAlign = "left";
  context.fillText(`${Math.round(span)} s ago`, box.left, height - 4);
  context.textAlign = "right";
  context.fillText("now", box.right, height - 4);

  const line = (name, paint, thickness) => {
    context.beginPath();
    context.strokeStyle = colour(paint);
    context.lineWidth = thickness;
    context.lineJoin = "round";
    let [pen, before] = [false, null];
    for (const score of scores.filter((s) => newest - s.t_s <= span)) {
      // no line across a time in which nothing was scored
      if (before !== null && score.t_s - before > longest) pen = false;
      before = score.t_s;
      if (score[name] === null) pen = false;
      else if (pen) context.lineTo(x(score.t_s), y(score[name]));
      else {
        context.moveTo(x(score.t_s), y(score[name]));
        pen = true;
      }
    }
    context.stroke();
  };
  line("frame_r", "--soft", 1.2);
  line("video_r", "--accent", 3);
  const last = scores[scores.length - 1];
  if (last && last.video_r !== null) {
    context.beginPath();
    context.fillStyle = colour("--accent");
    context.arc(x(last.t_s), y(last.video_r), 4.5, 0, 2 * Math.PI);
    context.fill();
  }
}

export function showStages(table, latencies) {
  const known = STAGES.filter(([name]) => name in latencies);
  const longest = Math.max(20, ...known.map(([name]) => latencies[name].p99));
  const body = table.tBodies[0];
  while (body.rows.length > known.length) body.deleteRow(-1);
  known.forEach(([name, label], k) => {
    const row = body.rows[k] ?? newRow(body);
    const { p50, p99 } = latencies[name];
    const percent = (ms) => `${Math.max(0, Math.min(100, (ms / longest) * 100))}%`;
    row.dataset.stage = name;
    row.cells[0].textContent = label;
    row.cells[1].firstChild.style.setProperty("--p50", percent(p50));
    row.cells[1].firstChild.style.setProperty("--p99", percent(p99));
    row.cells[2].textContent = milliseconds(p50);
    row.cells[3].textContent = milliseconds(p99);
  });
}

function newRow(body) {
  const row = body.insertRow();
  for (const kind of ["", "bar", "number", "tail"]) row.insertCell().className = kind;
  row.cells[1].append(document.createElement("i"));
  return row;
}

export function milliseconds(ms) {
  return ms < 9.95 ? ms.toFixed(1) : Math.round(ms).toString();
}
