// Minus is orange, plus is blue, as on TensorFlow's page; solvers have a tone each.

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const TONES = {
  sgd: "#b8860b", momentum: "#d55e00", adam: "#0072b2", gd: "#7a7a7a",
  lbfgs: "#009e73", newton: "#cc3399", "newton-cg": "#8a63d2", lm: "#c22f2f",
};

let ramp;

/** RGBA of the bytes 0 .. 254 (-1 .. 1) and 255 (not a number). */
export function rampNow() {
  if (ramp) return ramp;
  const [minus, zero, plus] = ["--minus", "--zero", "--plus"].map((name) => channels(css(name)));
  ramp = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const t = (i - 127) / 127;
    const end = t < 0 ? minus : plus;
    const mix = i === 255 ? [128, 128, 128] : zero.map((c, k) => c + (end[k] - c) * Math.abs(t));
    ramp.set([...mix, 255], 4 * i);
  }
  return ramp;
}

export function forgetRamp() { ramp = undefined; }

export function colourOf(value) {
  const byte = Math.round((Math.max(-1, Math.min(1, value)) + 1) * 127);
  const at = 4 * (Number.isFinite(value) ? byte : 255);
  const [r, g, b] = rampNow().subarray(at, at + 3);
  return `rgb(${r} ${g} ${b})`;
}

export const ink = (name) => css(name);

/** Bytes as a picture on a canvas of that size, stretched to fill it. */
export function paint(canvas, bytes, width, height, discretize = false) {
  const colours = rampNow();
  const small = new OffscreenCanvas(width, height);
  const context = small.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const byte = discretize && bytes[i] !== 255 ? (bytes[i] >= 127 ? 254 : 0) : bytes[i];
    image.data.set(colours.subarray(4 * byte, 4 * byte + 4), 4 * i);
  }
  context.putImageData(image, 0, 0);
  const target = canvas.getContext("2d");
  target.imageSmoothingEnabled = true;
  target.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/** A canvas's pixels follow its size on screen; the context is in its own units. */
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
