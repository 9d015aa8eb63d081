// The network as it is drawn: features, units with what they make of the plane, weights as lines.

import { colourOf, paint, ink } from "./colours.js";

const SIZE = 30, TOP = 44, NS = "http://www.w3.org/2000/svg";
const SHOWN = {
  x: "x₁", y: "x₂", xSquared: "x₁²", ySquared: "x₂²", xTimesY: "x₁x₂",
  sinX: "sin x₁", sinY: "sin x₂", cosX: "cos x₁", cosY: "cos x₂",
};

const make = (tag, attributes = {}, parent = null) => {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent?.append(node);
  return node;
};
const short = (v) => (Math.abs(v) >= 1000 || (v !== 0 && Math.abs(v) < 0.001) ? v.toExponential(1) : v.toFixed(3));

export class Diagram {
  /** To be set: `on`, with feature(name), units(layer, change), activation(layer, name), look(unit or null), edit(segment, row, col, value). */
  constructor(place, card) {
    Object.assign(this, { place, card });
    this.numbers = null;
    place.addEventListener("pointerleave", () => this.on.look(null));
    document.addEventListener("pointerdown", (event) => { if (!card.contains(event.target)) card.hidden = true; });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") card.hidden = true; });
  }

  /** Draw a network anew: `started` is the server's answer. */
  build(started, state, activations) {
    const features = started.all_features.filter((name) => !name.startsWith("cos") || started.features.includes(name) || started.all_features.length < 5);
    this.started = started;
    this.place.replaceChildren();
    this.card.hidden = true;
    const width = this.place.clientWidth, layers = [...started.layers];
    layers[layers.length - 1] = started.n_raw;
    const hidden = layers.slice(1, -1);
    const rows = Math.max(features.length, ...hidden, started.n_raw);
    const most = features.length > 2 ? 46 : 150; // of the network by hand: room for its numbers
    const gap = Math.min(most, (this.place.clientHeight - TOP - 10) / Math.max(rows, 1));
    this.roomy = gap > 90;
    const left = 64, right = width - 64;
    const across = (l) => left + ((right - left) * l) / (layers.length - 1);
    const down = (i) => TOP + gap * i + SIZE / (this.roomy ? 1 : 2);
    this.svg = make("svg", { role: "img", "aria-label": this.sentence(layers) }, this.place);
    this.canvases = [];
    this.links = [];
    this.texts = [];
    // features
    this.inputs = new Map();
    features.forEach((name, i) => {
      const chosen = started.features.indexOf(name);
      const canvas = this.unit(left, down(i), SHOWN[name]);
      canvas.classList.toggle("off", chosen < 0);
      canvas.setAttribute("aria-pressed", chosen >= 0);
      canvas.setAttribute("role", "button");
      canvas.tabIndex = 0;
      canvas.onclick = () => this.on.feature(name);
      canvas.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.on.feature(name); } };
      const picture = started.all_features.indexOf(name);
      canvas.onpointerenter = () => this.on.look({ input: picture });
      make("text", { x: left - SIZE / 2 - 8, y: down(i) + 4, "text-anchor": "end" }, this.svg).textContent = SHOWN[name];
      this.inputs.set(name, canvas);
      this.paintUnit(canvas, started.arrays.inputs, picture);
    });
    const places = [started.features.map((name) => [left, down(features.indexOf(name))])];
    hidden.forEach((n, k) => places.push([...Array(n).keys()].map((i) => [across(k + 1), down(i)])));
    places.push([...Array(started.n_raw).keys()].map((i) => [right, down(i)]));
    this.places = places;
    // weights
    for (let l = 1; l < layers.length; l++) {
      const [, at, , cols] = started.segments[2 * (l - 1)];
      places[l - 1].forEach(([x0, y0], i) => places[l].forEach(([x1, y1], j) => {
        const [a, b] = [x0 + SIZE / 2, x1 - SIZE / 2], middle = (a + b) / 2;
        const d = `M${a} ${y0}C${middle} ${y0} ${middle} ${y1} ${b} ${y1}`;
        const touch = make("path", { class: "touch", d }, this.svg);
        const line = make("path", { class: "link", d }, this.svg);
        line.style.pointerEvents = "none";
        const link = { line, at: at + i * cols + j, name: `W${l}`, row: i, col: j, x: middle, y: (y0 + y1) / 2 };
        touch.addEventListener("pointerenter", () => this.say(link, "Weight"));
        touch.addEventListener("pointerleave", () => { if (!this.card.querySelector("input")) this.card.hidden = true; });
        touch.addEventListener("click", () => this.ask(link, "Weight"));
        this.links.push(link);
      }));
    }
    // units, biases
    hidden.forEach((n, k) => {
      this.layerControls(k, n, across(k + 1), state, activations);
      for (let i = 0; i < n; i++) {
        const canvas = this.unit(across(k + 1), down(i), `unit ${i + 1} of hidden layer ${k + 1}`);
        const unit = this.canvases.length;
        canvas.onpointerenter = () => this.on.look({ unit });
        this.canvases.push(canvas);
      }
    });
    places[layers.length - 1].forEach(([x, y], i) => {
      make("circle", { cx: x, cy: y, r: 9, fill: "none", stroke: ink("--soft"), "stroke-width": 2 }, this.svg);
      const name = started.n_raw === 2 && layers.length && started.layers.at(-1) === 1 ? ["mean", "log σ"][i] : started.n_raw > 1 ? `o${i + 1}` : "output";
      make("text", { x, y: y + 24, "text-anchor": "middle" }, this.svg).textContent = name;
    });
    this.biases = [];
    for (let l = 1; l < layers.length; l++) {
      const [, at] = started.segments[2 * l - 1];
      places[l].forEach(([x, y], j) => {
        const mark = make("rect", { class: "bias", x: x - SIZE / 2 - 3, y: y + SIZE / 2 - 5, width: 8, height: 8, rx: 1 }, this.svg);
        const bias = { mark, at: at + j, name: `b${l}`, row: 0, col: j, x: x - SIZE / 2, y: y + SIZE / 2 };
        mark.addEventListener("pointerenter", () => this.say(bias, "Bias"));
        mark.addEventListener("pointerleave", () => { if (!this.card.querySelector("input")) this.card.hidden = true; });
        mark.addEventListener("click", () => this.ask(bias, "Bias"));
        this.biases.push(bias);
      });
    }
    this.write(this.numbers);
  }

  sentence(layers) {
    return `A network of ${layers[0]} features, ${layers.slice(1, -1).map((n) => `${n} units`).join(", ") || "no hidden layer"} and ${layers.at(-1)} output`;
  }

  unit(x, y, label) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 32;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    canvas.title = label;
    canvas.addEventListener("focus", () => canvas.onpointerenter?.());
    Object.assign(canvas.style, { left: `${x - SIZE / 2}px`, top: `${y - SIZE / 2}px`, width: `${SIZE}px`, height: `${SIZE}px` });
    this.place.append(canvas);
    return canvas;
  }

  layerControls(k, n, x, state, activations) {
    const box = document.createElement("div");
    box.className = "layer";
    Object.assign(box.style, { left: `${x}px`, top: "0" });
    const button = (text, label, change) => {
      const one = document.createElement("button");
      Object.assign(one, { type: "button", textContent: text });
      one.setAttribute("aria-label", label);
      one.onclick = () => this.on.units(k, change);
      return one;
    };
    const select = document.createElement("select");
    select.setAttribute("aria-label", `Activation of hidden layer ${k + 1}`);
    activations.forEach((name) => select.add(new Option(name)));
    select.value = state.activations[k] ?? state.activations.at(-1);
    select.onchange = () => this.on.activation(k, select.value);
    const row = document.createElement("span");
    row.append(button("−", `Remove a unit from hidden layer ${k + 1}`, -1), ` ${n} `, button("+", `Add a unit to hidden layer ${k + 1}`, 1));
    box.style.flexDirection = "column";
    box.append(row, select);
    this.place.append(box);
  }

  paintUnit(canvas, pictures, index) {
    const size = pictures.shape.slice(1).reduce((a, b) => a * b, 1);
    const bytes = pictures.data.subarray(index * size, (index + 1) * size);
    if (pictures.shape.length === 3) { paint(canvas, bytes, pictures.shape[2], pictures.shape[1]); return; }
    const context = canvas.getContext("2d"); // along a curve: the value as a line
    context.fillStyle = ink("--panel");
    context.fillRect(0, 0, 32, 32);
    context.strokeStyle = ink("--plus");
    context.lineWidth = 2;
    context.beginPath();
    bytes.forEach((byte, i) => context.lineTo((i * 32) / (size - 1), 30 - (byte / 254) * 28));
    context.stroke();
  }

  /** The weights and pictures of a frame. */
  update(theta, units) {
    this.theta = theta;
    for (const { line, at } of this.links) {
      const w = theta[at];
      line.setAttribute("stroke", colourOf(w));
      line.setAttribute("stroke-width", Math.min(9, 0.6 + 1.6 * Math.abs(w) || 0.6).toFixed(2));
    }
    for (const { mark, at } of this.biases) mark.setAttribute("fill", colourOf(theta[at]));
    this.canvases.forEach((canvas, i) => this.paintUnit(canvas, units, i));
  }

  value(one) { return `${one.name}[${one.row + 1}, ${one.col + 1}]`; }

  say(one, what) {
    if (this.card.querySelector("input")) return;
    this.card.textContent = `${what} ${this.value(one)} is ${short(this.theta[one.at])}` + this.slope(one);
    this.put(one);
  }

  slope(one) {
    return this.numbers ? `, its slope ${short(this.gradient(one))}` : "";
  }

  gradient(one) {
    const l = Number(one.name.slice(1)) - 1;
    return one.name[0] === "W" ? this.numbers.grad_W[l][one.row][one.col] : this.numbers.grad_b[l][one.col];
  }

  ask(one, what) {
    const input = Object.assign(document.createElement("input"), { type: "number", step: "any", value: Number(this.theta[one.at].toPrecision(6)) });
    const label = document.createElement("label");
    label.append(`${what} ${this.value(one)}`, input);
    this.card.replaceChildren(label);
    this.put(one);
    input.focus();
    input.select();
    input.onchange = () => { this.card.hidden = true; this.card.replaceChildren(); this.on.edit(one.name, one.row, one.col, Number(input.value)); };
    input.onblur = () => { this.card.hidden = true; this.card.replaceChildren(); };
  }

  put({ x, y }) {
    this.card.hidden = false;
    const left = Math.min(x + 10, this.place.clientWidth - 180);
    Object.assign(this.card.style, { left: `${Math.max(0, left)}px`, top: `${y + this.place.offsetTop + 12}px` });
  }

  /** Numbers of one pass on the units, or none. */
  write(trace) {
    this.numbers = trace;
    this.texts.splice(0).forEach((text) => text.remove());
    if (!trace || !this.places) return;
    const put = (x, y, lines, anchor = "start") => lines.forEach((text, k) => {
      const node = make("text", { class: "number", x, y: y + 12 * k, "text-anchor": anchor }, this.svg);
      node.textContent = text;
      this.texts.push(node);
    });
    this.places.forEach((column, l) => column.forEach(([x, y], i) => {
      const a = `a ${short(trace.a[l]?.[i] ?? trace.z[l - 1]?.[i])}`, isOutput = l === this.places.length - 1;
      const delta = l ? [`δ ${short(trace.delta[l - 1][i])}`] : [];
      if (!this.roomy) { put(x + SIZE / 2 + 3, y - 6, [a, ...delta]); return; }
      const z = l ? [`z ${short(trace.z[l - 1][i])}`] : [], y_ = isOutput ? [`y ${short(trace.y[i])}`] : [];
      put(x - SIZE / 2 + 4, y + SIZE / 2 + (isOutput ? 24 : 14), [...z, a, ...y_, ...delta]);
    }));
    if (!this.roomy) return;
    for (const link of this.links) {
      const at = link.line.getPointAtLength(0.3 * link.line.getTotalLength());
      put(at.x, at.y + (link.col ? 14 : -18), [`w ${short(this.theta[link.at])}`, `∂ ${short(this.gradient(link))}`]);
    }
    const narrow = this.place.clientWidth < 480; // there the lowest weights stand where biases do
    for (const bias of this.biases)
      put(bias.x - 6, bias.y + (narrow && bias.col ? 38 : 12), [`b ${short(this.theta[bias.at])}`, `∂ ${short(this.gradient(bias))}`], "end");
  }
}
