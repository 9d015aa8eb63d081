// Pictures other than the network: the output with its points, curves, losses, a loss surface.

import { TONES, colourOf, fit, ink, paint } from "./colours.js";

export const REACH = 6;

/** Points that are being drawn by hand, on an empty output. */
export function points(canvas, drawn, { problem }) {
  const { context, width, height } = fit(canvas), up = problem === "curve" ? 3.2 : 2 * REACH;
  context.fillStyle = ink("--zero"); context.fillRect(0, 0, width, height);
  for (const [x, y, v] of drawn) {
    context.beginPath(); context.arc((x / (2 * REACH) + 0.5) * width, (0.5 - y / up) * height, 3.2, 0, 7);
    context.fillStyle = problem === "curve" ? ink("--ink") : v > 0 ? ink("--plus") : ink("--minus"); context.fill();
  }
}

/** The output over the plane with points on it; `look` is a unit's picture in its place. */
export function plane(canvas, frame, started, state, look, chosen) {
  const { context, width, height } = fit(canvas);
  const picture = look ?? frame.arrays.output;
  const [h, w] = picture.shape.slice(-2);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  paint(canvas, picture.data, w, h, state.discretize);
  context.restore();
  const at = (x, y) => [((x + REACH) / (2 * REACH)) * width, ((REACH - y) / (2 * REACH)) * height];
  axes(context, width, height);
  const dots = (X, y, hollow) => {
    const n = y.shape[0], columns = X.shape[1], targets = y.shape[1] ?? 1;
    for (let i = 0; i < n; i++) {
      const [px, py] = at(X.data[columns * i], X.data[columns * i + 1]);
      context.beginPath();
      context.arc(px, py, 3.2, 0, 7);
      context.fillStyle = colourOf(y.data[targets * i]);
      context.strokeStyle = hollow ? "#111" : "#fff";
      context.lineWidth = 1;
      context.fill();
      context.stroke();
      if (i === chosen && !hollow) { context.beginPath(); context.arc(px, py, 8, 0, 7); context.strokeStyle = ink("--ink"); context.lineWidth = 2; context.stroke(); }
    }
  };
  const { X, y, X_test, y_test } = started.arrays;
  if (state.showTestData) dots(X_test, y_test, true);
  dots(X, y, false);
}

function axes(context, width, height) {
  context.fillStyle = ink("--ink"); context.globalAlpha = 0.55;
  context.font = "10px system-ui, sans-serif";
  for (let v = -6; v <= 6; v += 2) {
    const at = ((v + REACH) / (2 * REACH)) * width;
    context.fillText(v, Math.min(Math.max(at - 4, 2), width - 12), height - 3);
    if (v > -6 && v < 6) context.fillText(v, 3, height - at + 3);
  }
  context.globalAlpha = 1;
}

/** A curve, its band and its points. */
export function curve(canvas, frame, started, state) {
  const { context, width, height } = fit(canvas);
  const { X, y, X_test, y_test } = started.arrays;
  const most = Math.max(1.6, ...y.data.map(Math.abs)) * 1.15;
  const across = (x) => ((x + REACH) / (2 * REACH)) * width;
  const up = (v) => height / 2 - (Math.max(-4, Math.min(4, v / most)) * height) / 2;
  context.fillStyle = ink("--panel");
  context.fillRect(0, 0, width, height);
  context.strokeStyle = ink("--line");
  context.beginPath(); context.moveTo(0, height / 2); context.lineTo(width, height / 2);
  context.moveTo(width / 2, 0); context.lineTo(width / 2, height); context.stroke();
  const line = (values, move) => [...values].forEach((v, i) => {
    const px = (i * width) / (values.length - 1);
    if (i === 0 && move) context.moveTo(px, up(v)); else context.lineTo(px, up(v));
  });
  const { mean, low, high, draws } = frame.arrays;
  context.beginPath();
  line(low.data, true);
  [...high.data].reverse().forEach((v, i) => context.lineTo(width - (i * width) / (high.data.length - 1), up(v)));
  context.fillStyle = ink("--plus");
  context.globalAlpha = 0.18; context.fill(); context.globalAlpha = 1;
  if (draws) {
    const n = draws.shape[1];
    context.strokeStyle = ink("--minus"); context.lineWidth = 1; context.globalAlpha = 0.7;
    for (let k = 0; k < draws.shape[0]; k++) { context.beginPath(); line(draws.data.subarray(k * n, (k + 1) * n), true); context.stroke(); }
    context.globalAlpha = 1;
  }
  context.beginPath(); line(mean.data, true);
  context.strokeStyle = ink("--plus"); context.lineWidth = 2.5; context.stroke();
  const dots = (xs, ys, hollow) => xs.data.forEach((x, i) => {
    context.beginPath(); context.arc(across(x), up(ys.data[i]), 2.6, 0, 7);
    context.lineWidth = 1;
    if (hollow) { context.strokeStyle = ink("--soft"); context.stroke(); } else { context.fillStyle = ink("--ink"); context.fill(); }
  });
  if (state.showTestData) dots(X_test, y_test, true);
  dots(X, y, false);
}

const nice = (v) => (v === 0 ? "0" : Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3 ? v.toExponential(0) : String(Number(v.toPrecision(2))));

/** Lines in axes: `lines` have x, y, tone, dashed; logarithmic in y where that can be. */
export function chart(canvas, lines, { logarithmic, across, up }) {
  const { context, width, height } = fit(canvas);
  const [left, bottom, top] = [54, 26, 8];
  const ys = lines.flatMap((l) => l.y).filter(Number.isFinite), xs = lines.flatMap((l) => l.x);
  if (!ys.length) return;
  const log = logarithmic && Math.min(...ys) > 0;
  const scale = log ? (v) => Math.log10(Math.max(v, 1e-300)) : (v) => v;
  let low = Math.min(...ys.map(scale)), high = Math.max(...ys.map(scale));
  if (log) low = Math.max(low, high - 12);
  if (high - low < 1e-9) { high += 0.5; low -= 0.5; }
  const right = Math.max(...xs) || 1;
  const px = (x) => left + (x / right) * (width - left - 10);
  const py = (v) => top + (1 - (Math.max(scale(v), low) - low) / (high - low)) * (height - top - bottom);
  context.font = "11px system-ui, sans-serif"; context.fillStyle = ink("--soft"); context.strokeStyle = ink("--line");
  context.lineWidth = 1; context.textAlign = "right"; context.textBaseline = "middle";
  const decades = log ? ticks(low, high, true).map((v) => 10 ** v) : [];
  const marks = decades.length > 1 ? decades : log ? ticks(10 ** low, 10 ** high, false) : ticks(low, high, false);
  for (const v of marks) {
    const y = py(v);
    context.beginPath(); context.moveTo(left, y); context.lineTo(width - 10, y); context.stroke();
    context.fillText(nice(v), left - 6, y);
  }
  context.textAlign = "center"; context.textBaseline = "top";
  for (const v of ticks(0, right, false)) context.fillText(nice(v), px(v), height - bottom + 4);
  context.textAlign = "right"; context.fillText(across, width - 10, height - 12);
  context.save(); context.translate(10, top + 4); context.rotate(-Math.PI / 2); context.fillText(up, 0, -4); context.restore();
  for (const { x, y, tone, dashed, dots } of lines) {
    context.strokeStyle = context.fillStyle = tone; context.lineWidth = dashed ? 1.2 : 2; context.setLineDash(dashed ? [4, 3] : []);
    context.beginPath();
    y.forEach((v, i) => { if (Number.isFinite(v)) context.lineTo(px(x[i]), py(v)); });
    context.stroke();
    if (dots || y.length === 1) y.forEach((v, i) => { if (Number.isFinite(v)) { context.beginPath(); context.arc(px(x[i]), py(v), 3, 0, 7); context.fill(); } });
  }
  context.setLineDash([]);
}

function ticks(low, high, whole) {
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw || 1));
  let step = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
  if (whole && high - low < 1.5) { // of logarithms: within a decade or so 1, 2, 5
    const decade = Math.floor(low);
    return [0, 1, 2].flatMap((k) => [1, 2, 5].map((m) => decade + k + Math.log10(m))).filter((v) => v >= low && v <= high);
  }
  if (whole) step = Math.max(1, Math.ceil(step));
  const out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-12; v += step) out.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return out;
}

/** The loss by two parameters as shades with contours, and the runs' ways on it. */
export function surface(canvas, answer, paths) {
  const { context, width, height } = fit(canvas);
  const { size, values, centre, reach } = answer;
  const finite = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return;
  const low = finite[0], level = (v) => Math.log(v - low + 1e-3 * (finite.at(-1) - low) + 1e-12);
  const [bottom, top] = [level(low), level(finite.at(-1))];
  const shade = new Uint8Array(values.length);
  values.forEach((v, i) => {
    const t = Number.isFinite(v) ? (level(v) - bottom) / (top - bottom || 1) : 1;
    shade[i] = Math.round(254 - 200 * (Math.floor(t * 14) / 14)); // steps: contours to the eye
  });
  context.save(); context.setTransform(1, 0, 0, 1, 0, 0); paint(canvas, shade, size, size); context.restore();
  const at = ([a, b]) => [((a - centre[0] + reach) / (2 * reach)) * width, ((centre[1] + reach - b) / (2 * reach)) * height];
  for (const { name, way } of paths) {
    context.strokeStyle = context.fillStyle = TONES[name]; context.lineWidth = 2;
    context.beginPath(); way.forEach((p) => context.lineTo(...at(p))); context.stroke();
    way.forEach((p, i) => {
      context.beginPath(); context.arc(...at(p), i === way.length - 1 ? 4.5 : 2, 0, 7); context.fill();
    });
    const [x, y] = at(way.at(-1));
    context.font = "bold 12px system-ui, sans-serif"; context.strokeStyle = ink("--panel"); context.lineWidth = 3;
    context.strokeText(name, x + 8, y + 4); context.fillText(name, x + 8, y + 4);
  }
  context.fillStyle = ink("--ink"); context.font = "11px system-ui, sans-serif";
  context.fillText(nice(centre[0] - reach), 4, height - 5);
  context.textAlign = "right"; context.fillText(nice(centre[0] + reach), width - 4, height - 5);
  context.textAlign = "left"; context.fillText(nice(centre[1] + reach), 4, 12);
}
