// The page: settings on one side, frames from the server on the other.

import { TONES, forgetRamp, ink, paint, rampNow } from "./colours.js";
import { Diagram } from "./diagram.js";
import * as plots from "./plots.js";
import { RECIPES } from "./recipes.js";
import { gif, reduced } from "./gif.js";
import { download, scene } from "./save.js";
import { Socket } from "./socket.js";
import { datasetKey, fromHash, learn, settings, toHash, usualLoss } from "./state.js";

const $ = (id) => document.getElementById(id);
const RATES = [0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10];
const STRENGTHS = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const MOST_KEPT = 4000, MOST_PICTURES = 60;

let state, hidden; // of the address, once the server has said what the defaults are
document.body.inert = true;
let choices, started, frame, playing = false, recording = false, shown = 0, look = null, chosen = 0, busy = Promise.resolve();
let history = [], own = null, drawn = null, surfaceAnswer = null, seen = { when: 0, frames: 0 };

const tell = (text) => { $("message").textContent = text ?? ""; };
const tab = () => document.querySelector('[role="tab"][aria-selected="true"]').id.slice(4);

// -- the server ---------------------------------------------------------------------------------

const socket = new Socket(
  async () => {
    try {
      if (!choices) {
        choices = await socket.ask({ type: "choices" });
        learn(choices);
        ({ state, hidden } = fromHash(location.hash));
        document.body.inert = false;
        controls();
      }
      const reached = frame?.runs?.[shown]?.epoch ?? 0;
      if (own) await socket.ask(own);
      await start();
      if (reached) await show(socket.ask({ type: "frame", advance: reached, shown, draws: state.bayes }));
      document.body.dataset.ready = "true";
    } catch (problem) { tell(problem.message); }
  },
  () => { document.body.dataset.ready = "false"; pause(); if (choices) tell("The connection was lost; trying again …"); },
);

/** One thing at a time: what is asked waits for what was asked before. */
function then(work) {
  busy = busy.then(work).catch((problem) => { pause(); tell(problem.message); });
  return busy;
}

async function start() {
  const answer = await socket.ask({ type: "start", settings: settings(state) });
  started = answer;
  shown = Math.min(shown, state.solvers.length - 1);
  history = state.solvers.map((name) => ({ name, epoch: [], seconds: [], train: [], test: [], theta: [] }));
  surfaceAnswer = null; look = null; chosen = 0;
  location.replace(toHash(state, hidden));
  diagram.numbers = null;
  diagram.build(started, state, choices.activations);
  parameterChoices();
  await show(socket.ask({ type: "frame", advance: 0, shown, draws: state.bayes }));
  if (tab() === "trace" || state.problem === "backprop") await trace();
}

function restart() { pause(); tell(""); return then(start); }

async function show(question) {
  frame = await question;
  frame.runs.forEach((run, k) => {
    const kept = history[k], n = kept.epoch.length;
    if (n && kept.epoch[n - 1] >= run.epoch) kept.epoch.pop(), kept.seconds.pop(), kept.train.pop(), kept.test.pop(), kept.theta.pop();
    kept.epoch.push(run.epoch); kept.seconds.push(run.seconds); kept.train.push(run.train); kept.test.push(run.test);
    const P = frame.arrays.thetas.shape[1];
    kept.theta.push(frame.arrays.thetas.data.slice(k * P, (k + 1) * P));
    if (kept.epoch.length > MOST_KEPT) thin(kept);
  });
  if (frame.note) tell(frame.note);
  draw();
}

function thin(kept) {
  for (const name of ["epoch", "seconds", "train", "test", "theta"]) kept[name] = kept[name].filter((_, i) => i % 2 === 0);
}

async function loop() {
  while (playing) {
    await then(async () => { await show(socket.ask({ type: "frame", advance: Number($("speed").value), shown, draws: state.bayes })); });
    if (frame.runs.every((run) => run.message)) { pause(); tell(frame.runs[shown].message); }
    if (tab() === "surface" && frame.runs[0].epoch % 10 === 0) await then(askSurface);
    seen.frames += 1;
    await new Promise(requestAnimationFrame);
  }
}

function play() {
  if (playing) return;
  playing = true; tell("");
  seen = { when: performance.now(), frames: 0 };
  $("play").textContent = "❚❚"; $("play").setAttribute("aria-label", "Pause");
  loop();
}

function pause() {
  if (playing) document.body.dataset.rate = ((1000 * seen.frames) / (performance.now() - seen.when)).toFixed(1);
  playing = false;
  $("play").textContent = "▶"; $("play").setAttribute("aria-label", "Play");
}

function step() {
  pause();
  return then(async () => {
    await show(socket.ask({ type: "frame", advance: 1, shown, draws: state.bayes }));
    if (frame.runs[shown].message) tell(frame.runs[shown].message);
    if (diagram.numbers) await trace();
    if (tab() === "surface") await askSurface();
  });
}

async function trace() {
  const answer = await socket.ask({ type: "trace", index: chosen, shown });
  $("trace").textContent = answer.text;
  $("point").value = chosen;
  diagram.write(answer);
}

async function askSurface() {
  const [first, second] = [Number($("first").value), Number($("second").value)];
  surfaceAnswer = await socket.ask({ type: "surface", first, second, shown });
  drawSurface();
}

// -- pictures -----------------------------------------------------------------------------------

const diagram = new Diagram($("diagram"), $("card"), {
  feature(name) {
    const has = state.features.includes(name);
    if (has && state.features.length === 1) { tell("One feature at least has to remain."); return; }
    state.features = choices.features.filter((one) => (one === name ? !has : state.features.includes(one)));
    restart();
  },
  units(layer, change) {
    const n = state.networkShape[layer] + change;
    if (n < 1 || n > choices.most.units) { tell(`A layer has from 1 to ${choices.most.units} units.`); return; }
    state.networkShape[layer] = n;
    restart();
  },
  activation(layer, name) {
    state.activations = state.networkShape.map((_, k) => (k === layer ? name : state.activations[k] ?? state.activations.at(-1)));
    restart();
  },
  look(what) { look = what; if (frame) drawOutput(); },
  edit(segment, row, col, value) {
    then(async () => { await show(socket.ask({ type: "edit", segment, row, col, value, shown })); if (diagram.numbers) await trace(); });
  },
});

function picked() {
  if (!look || state.problem === "curve") return null;
  const from = look.input !== undefined ? started.arrays.inputs : frame.arrays.units;
  const index = look.input ?? look.unit, size = from.shape[1] * from.shape[2];
  return { data: from.data.subarray(index * size, (index + 1) * size), shape: from.shape.slice(1) };
}

function drawOutput() {
  if (drawn) { drawCanvas(); return; }
  if (state.problem === "curve") plots.curve($("output"), frame, started, state);
  else plots.plane($("output"), frame, started, state, picked(), diagram.numbers ? chosen : -1);
}

const number = (v) => (v === null || v === undefined ? "–" : Math.abs(v) >= 1e4 || (v && Math.abs(v) < 1e-3) ? v.toExponential(2) : v.toFixed(4));

function draw() {
  const run = frame.runs[shown];
  $("count").value = run.epoch;
  $("testLoss").textContent = number(run.test);
  $("trainLoss").textContent = number(run.train);
  $("accuracy").textContent = run.accuracy === undefined || run.accuracy === null ? "–" : `${(100 * run.accuracy).toFixed(1)} %`;
  $("accuracyBox").hidden = state.problem !== "classification";
  $("legend").hidden = state.problem === "curve";
  diagram.update(frame.arrays.theta.data, frame.arrays.units);
  drawOutput();
  if (tab() === "loss") drawLoss();
  if (tab() === "surface") drawSurface();
  if (tab() === "weights" && !playing) weights();
}

function drawLoss() {
  const x = $("against").value;
  const lines = history.flatMap((kept) => [
    { x: kept[x], y: kept.train, tone: TONES[kept.name] },
    { x: kept[x], y: kept.test, tone: TONES[kept.name], dashed: true },
  ]);
  plots.chart($("chart"), lines, { logarithmic: $("logLoss").checked, across: x === "epoch" ? "iterations" : "seconds", up: "loss (dashed: test)" });
  const table = document.createElement("table");
  table.innerHTML = "<thead><tr><th scope=col>solver</th><th scope=col>training</th><th scope=col>test</th><th scope=col>ms</th></tr></thead>";
  const body = table.createTBody();
  frame.runs.forEach((run, k) => {
    const row = body.insertRow();
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: run.name, title: run.message || "Show this one" });
    button.style.setProperty("--tone", TONES[run.name]);
    button.setAttribute("aria-pressed", k === shown);
    button.onclick = () => { shown = k; then(() => show(socket.ask({ type: "frame", advance: 0, shown, draws: state.bayes }))); };
    row.insertCell().append(button);
    for (const text of [number(run.train), number(run.test), (1000 * run.seconds).toFixed(1)]) row.insertCell().textContent = text;
  });
  if (!playing || frame.runs[0].epoch % 10 === 0 || !$("runs").firstChild) $("runs").replaceChildren(table);
}

function drawSurface() {
  if (!surfaceAnswer) return;
  const pair = [Number($("first").value), Number($("second").value)];
  const paths = history.map((kept) => ({ name: kept.name, way: kept.theta.map((theta) => pair.map((p) => theta[p])) }));
  plots.surface($("surface"), surfaceAnswer, paths);
}

function weights() {
  const theta = frame.arrays.theta.data;
  const tables = started.segments.map(([name, at, rows, cols]) => {
    const table = document.createElement("table");
    table.createCaption().textContent = name;
    for (let i = 0; i < rows; i++) {
      const row = table.insertRow();
      for (let j = 0; j < cols; j++) {
        const input = Object.assign(document.createElement("input"), { type: "number", step: "any", value: Number(theta[at + i * cols + j].toPrecision(6)) });
        input.setAttribute("aria-label", `${name}, row ${i + 1}, column ${j + 1}`);
        input.onchange = () => diagram.on.edit(name, i, j, Number(input.value));
        row.insertCell().append(input);
      }
    }
    return table;
  });
  $("weights").replaceChildren(...tables);
}

// -- controls -----------------------------------------------------------------------------------

function fill(select, options, value, shownAs = String) {
  select.replaceChildren(...options.map((one) => new Option(shownAs(one), one)));
  if (!options.map(String).includes(String(value))) select.add(new Option(shownAs(value), value));
  select.value = value;
}

function parameterChoices() {
  const options = started.segments.flatMap(([name, at, rows, cols]) =>
    [...Array(rows * cols).keys()].map((k) => [at + k, rows > 1 || name[0] === "W" ? `${name}[${Math.floor(k / cols) + 1}, ${(k % cols) + 1}]` : `${name}[${k + 1}]`]));
  [["first", 0], ["second", 1]].forEach(([id, index]) => {
    const kept = Number($(id).value) || index;
    $(id).replaceChildren(...options.map(([at, name]) => new Option(name, at)));
    $(id).value = kept < options.length ? kept : index;
  });
  if ($("first").value === $("second").value) $("second").value = $("first").value === "0" ? 1 : 0;
}

/** Controls show the state. */
function controls() {
  fill($("problem"), Object.keys(choices.problems), state.problem, (p) => ({ classification: "classification", regression: "regression", curve: "curve", backprop: "backprop by hand" })[p] ?? p);
  fill($("loss"), Object.keys(choices.losses[state.problem] ?? {}), state.loss, (l) => l.replace("_", " "));
  fill($("activation"), choices.activations, new Set(state.activations).size > 1 ? "by layer" : state.activations[0]);
  fill($("learningRate"), RATES, state.learningRate);
  fill($("regularization"), choices.regularizations, state.regularization);
  fill($("regularizationRate"), STRENGTHS, state.regularizationRate);
  $("lossText").textContent = choices.losses[state.problem]?.[state.loss] ?? "";
  $("layers").value = state.networkShape.length;
  for (const name of ["percTrainData", "noise", "batchSize"]) { $(name).value = state[name]; $(`${name}Out`).value = name === "batchSize" ? state[name] : `${state[name]} %`; }
  $("seed").value = state.seed;
  for (const name of ["initZero", "showTestData", "discretize", "bayes"]) $(name).checked = state[name];
  $("bayes").parentElement.hidden = state.problem !== "curve";
  $("discretize").parentElement.hidden = state.problem === "curve";
  document.querySelectorAll('[data-ui="text"]').forEach((node) => { node.hidden = state.hideText; });
  for (const name of hidden) document.querySelectorAll(`[data-ui="${CSS.escape(name)}"]`).forEach((node) => { node.hidden = true; });
  $("solvers").replaceChildren(...choices.solvers.map((name) => {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", checked: state.solvers.includes(name), value: name });
    label.style.setProperty("--tone", TONES[name]);
    box.onchange = () => {
      const chosenNow = choices.solvers.filter((one) => (one === name ? box.checked : state.solvers.includes(one)));
      if (!chosenNow.length) { box.checked = true; tell("One solver at least has to remain."); return; }
      state.solvers = chosenNow;
      restart();
    };
    label.append(box, name);
    return label;
  }));
  datasets();
}

function datasets() {
  const key = datasetKey(state.problem);
  const names = choices.problems[state.problem] ?? [];
  $("datasets").replaceChildren(...[...names, ...(own ? ["own"] : [])].map((name) => {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    Object.assign(button, { type: "button", title: name });
    Object.assign(canvas, { width: 56, height: 56 });
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", key ? state[key] === name : true);
    button.onclick = () => { if (key) { state[key] = name; controls(); restart(); } };
    thumbnail(canvas, choices.thumbnails[name], state.problem);
    button.append(canvas, name === "own" ? "yours" : name.replace("reg-", ""));
    return button;
  }));
}

function thumbnail(canvas, points, problem) {
  const context = canvas.getContext("2d"), ramp = rampNow();
  context.fillStyle = ink("--zero"); context.fillRect(0, 0, 56, 56);
  (points ?? []).forEach(([x, y, v]) => {
    const byte = 4 * Math.round((Math.max(-1, Math.min(1, v)) + 1) * 127);
    context.fillStyle = problem === "curve" ? ink("--ink") : `rgb(${ramp.slice(byte, byte + 3).join(" ")})`;
    context.fillRect(((x + 6) / 12) * 56 - 1, ((6 - y) / 12) * 56 - 1, 2.2, 2.2);
  });
}

function changed(name, value) { state[name] = value; controls(); restart(); }

$("problem").onchange = (event) => {
  const problem = event.target.value;
  state.problem = problem;
  state.loss = usualLoss(problem);
  if (problem === "curve") { state.features = ["x"]; if (state.networkShape.length === 2) state.networkShape = [6]; }
  else if (problem === "backprop") Object.assign(state, { features: ["x", "y"], networkShape: [2], activations: ["sigmoid"], solvers: ["sgd"], learningRate: 0.5, batchSize: 1 });
  else if (!state.features.includes("y")) state.features = ["x", "y"];
  controls(); restart();
};
for (const name of ["loss", "regularization"]) $(name).onchange = (event) => changed(name, event.target.value);
$("activation").onchange = (event) => { if (event.target.value !== "by layer") changed("activations", [event.target.value]); };
for (const name of ["learningRate", "regularizationRate"]) $(name).onchange = (event) => changed(name, Number(event.target.value));
for (const name of ["percTrainData", "noise", "batchSize"]) {
  $(name).oninput = (event) => { $(`${name}Out`).value = event.target.value; };
  $(name).onchange = (event) => changed(name, Number(event.target.value));
}
$("seed").onchange = (event) => changed("seed", Math.max(0, Math.floor(Number(event.target.value)) || 0));
$("initZero").onchange = (event) => changed("initZero", event.target.checked);
$("bayes").onchange = (event) => {
  state.bayes = event.target.checked;
  location.replace(toHash(state, hidden));
  then(() => show(socket.ask({ type: "frame", advance: 0, shown, draws: state.bayes })));
};
for (const name of ["showTestData", "discretize"]) $(name).onchange = (event) => { state[name] = event.target.checked; location.replace(toHash(state, hidden)); draw(); };
$("regenerate").onclick = () => changed("seed", Math.floor(Math.random() * 2 ** 31));
$("moreLayers").onclick = () => { if (state.networkShape.length < choices.most.layers) { state.networkShape.push(2); changed("networkShape", state.networkShape); } else tell(`${choices.most.layers} hidden layers at most.`); };
$("fewerLayers").onclick = () => { if (state.networkShape.length) { state.networkShape.pop(); if (state.activations.length > 1) state.activations.length = Math.max(1, state.networkShape.length); changed("networkShape", state.networkShape); } };
$("play").onclick = () => (playing ? pause() : play());
$("step").onclick = step;
$("reset").onclick = restart;
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, button, dialog, [role=tab]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") { event.preventDefault(); if (playing) pause(); else play(); }
  if (event.key === "s") step();
  if (event.key === "r") restart();
});

fill($("recipe"), [""], "", () => "a recipe …");
RECIPES.forEach(([name], k) => $("recipe").add(new Option(name, k)));
$("recipe").onchange = async (event) => {
  if (event.target.value === "") return;
  const [, hash, sentence] = RECIPES[Number(event.target.value)];
  state = fromHash(hash).state;
  controls();
  await restart();
  tell(sentence);
  if (state.problem === "backprop") select("trace");
  event.target.value = "";
};

// -- panels -------------------------------------------------------------------------------------

async function select(name) {
  for (const one of document.querySelectorAll('[role="tab"]')) {
    const is = one.id === `tab-${name}`;
    one.setAttribute("aria-selected", is); one.tabIndex = is ? 0 : -1;
    $(one.id.replace("tab", "panel")).hidden = !is;
  }
  if (!frame) return;
  if (name === "loss") drawLoss();
  if (name === "surface") await then(askSurface);
  if (name === "weights") weights();
  if (name === "trace") await then(trace);
  else if (state.problem !== "backprop") { diagram.write(null); drawOutput(); }
  if (name === "python") await then(async () => { $("python").textContent = (await socket.ask({ type: "python", shown })).code; });
}
for (const one of document.querySelectorAll('[role="tab"]')) {
  one.onclick = () => select(one.id.slice(4));
  one.onkeydown = (event) => {
    const all = [...document.querySelectorAll('[role="tab"]')], at = all.indexOf(one);
    const to = { ArrowRight: all[(at + 1) % all.length], ArrowLeft: all.at(at - 1) }[event.key];
    if (to) { to.focus(); to.click(); }
  };
}
$("against").onchange = $("logLoss").onchange = () => frame && drawLoss();
$("first").onchange = $("second").onchange = () => then(askSurface);
$("point").onchange = (event) => { chosen = Math.max(0, Math.floor(Number(event.target.value)) || 0); then(trace); };
$("copy").onclick = async () => {
  try { await navigator.clipboard.writeText($("python").textContent); tell("Copied."); }
  catch { getSelection().selectAllChildren($("python")); tell("Press Ctrl-C: the code is selected."); }
};
$("tryWidths").onclick = () => then(async () => {
  tell("Training eight networks …");
  const { widths, train, test, solver } = await socket.ask({ type: "widths" });
  plots.chart($("widthChart"), [
    { x: widths, y: train, tone: TONES[solver], dots: true }, { x: widths, y: test, tone: TONES[solver], dashed: true, dots: true },
  ], { logarithmic: true, across: "units in one hidden layer", up: "loss (dashed: test)" });
  tell(`Each by ${solver}, from the same seed.`);
});

// -- points of one's own -------------------------------------------------------------------------

$("paste").onclick = () => { $("tableError").textContent = ""; $("table").showModal(); };
async function take(text) {
  await then(async () => {
    try {
      const question = { type: "table", text, problem: state.problem };
      const { note } = await socket.ask(question);
      own = question;
      $("table").close(); drawn = null; $("draw").setAttribute("aria-pressed", false);
      choices.thumbnails.own = [];
      state[datasetKey(state.problem)] = "own";
      controls();
      await start();
      tell(note);
    } catch (problem) { if ($("table").open) $("tableError").textContent = problem.message; else tell(problem.message); }
  });
}
async function read(file) {
  if (file.size > 1_000_000) {
    const text = `${file.name} has ${(file.size / 1e6).toFixed(1)} MB; up to 1 MB can be read.`;
    if ($("table").open) $("tableError").textContent = text; else tell(text);
    return;
  }
  await take(await file.text());
}
$("tableUse").onclick = () => take($("tableText").value);
$("tableFile").onchange = (event) => { if (event.target.files[0]) read(event.target.files[0]); event.target.value = ""; };
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => { event.preventDefault(); document.body.classList.remove("dropping"); if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]); });

$("draw").onclick = () => {
  if (drawn) { useDrawn(); return; }
  if (state.problem === "backprop") { tell("Choose classification, regression or a curve to draw points for."); return; }
  pause();
  drawn = [];
  $("draw").setAttribute("aria-pressed", true); $("draw").textContent = "Use";
  tell(state.problem === "curve" ? "Click in the output to put points; then Use." : "Click or drag in the output: blue; with Shift, orange; then Use.");
  drawCanvas();
};
async function useDrawn() {
  const points = drawn;
  drawn = null;
  $("draw").setAttribute("aria-pressed", false); $("draw").textContent = "Draw";
  if (!points.length) { tell(""); drawOutput(); return; }
  await then(async () => {
    const question = { type: "drawn", points, problem: state.problem };
    const { note } = await socket.ask(question);
    own = question;
    choices.thumbnails.own = points.map(([x, y, v]) => [x, y, v ?? 1]);
    state[datasetKey(state.problem)] = "own";
    controls();
    await start();
    tell(note);
  });
  if (frame) drawOutput();
}
function drawCanvas() {
  const canvas = $("output"), ratio = canvas.width / canvas.clientWidth || 1, context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = ink("--zero"); context.fillRect(0, 0, 300, 300);
  for (const [x, y, v] of drawn) {
    context.beginPath(); context.arc(((x + 6) / 12) * 300, (0.5 - y / (state.problem === "curve" ? 3.2 : 12)) * 300, 3.2, 0, 7);
    context.fillStyle = state.problem === "curve" ? ink("--ink") : v > 0 ? ink("--plus") : ink("--minus"); context.fill();
  }
}
function place(event) {
  const box = $("output").getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * 12 - 6, (0.5 - (event.clientY - box.top) / box.height) * 12];
}
let last = null;
function put(event) {
  const [x, y] = place(event);
  if (last && Math.hypot(x - last[0], y - last[1]) < 0.4) return;
  last = [x, y];
  drawn.push(state.problem === "curve" ? [x, y / 3.75] : [x, y, event.shiftKey || event.button === 2 ? -1 : 1]);
  drawCanvas();
}
$("output").onpointerdown = (event) => {
  if (drawn) { last = null; put(event); return; }
  if (!started || state.problem === "curve") return;
  const [x, y] = place(event), { data, shape } = started.arrays.X;
  let best = Infinity;
  for (let i = 0; i < shape[0]; i++) {
    const d = Math.hypot(data[2 * i] - x, data[2 * i + 1] - y);
    if (d < best) { best = d; chosen = i; }
  }
  select("trace");
};
$("output").onpointermove = (event) => { if (drawn && event.buttons) put(event); };
$("output").oncontextmenu = (event) => { if (drawn) event.preventDefault(); };

// -- the page itself ------------------------------------------------------------------------------

function theme(name) {
  document.documentElement.dataset.theme = name;
  forgetRamp();
  const ramp = $("ramp");
  paint(ramp, Uint8Array.from({ length: 255 }, (_, i) => i), 255, 1);
  if (choices) datasets();
  if (started) { diagram.build(started, state, choices.activations); draw(); }
}
$("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function sceneNow(scale) {
  const run = frame.runs[shown], chart = document.querySelector('[role="tabpanel"]:not([hidden]) canvas');
  const names = history.map(({ name }) => [name, TONES[name]]);
  return scene(diagram, $("output"), chart, names, `iteration ${run.epoch}, training loss ${number(run.train)}, ${run.name}`, scale);
}

$("picture").onclick = () => then(async () => {
  const canvas = await sceneNow(2);
  canvas.toBlob((blob) => download(blob, "fastmlp-playground.png"));
});

function recorded(is) { recording = is; $("gif").textContent = is ? "Stop, save" : "Save GIF"; $("gif").setAttribute("aria-pressed", is); }

$("gif").onclick = async () => {
  if (recording || !frame) { recording = false; return; }
  pause(); recorded(true);
  const kept = [];
  let width, height, last = false;
  for (let n = -1; !last && kept.length > n;) {
    n = kept.length;
    last = !recording || n === MOST_PICTURES - 1 || frame.runs.every((run) => run.message);
    tell(`Picture ${n + 1} of ${MOST_PICTURES} …`);
    await then(async () => {
      const canvas = await sceneNow(1);
      width ??= canvas.width; height ??= canvas.height;
      kept.push(reduced(canvas.getContext("2d").getImageData(0, 0, width, height)));
      if (!last) await show(socket.ask({ type: "frame", advance: Number($("speed").value), shown, draws: state.bayes }));
    });
  }
  if (kept.length) download(gif(kept, width, height, 10, 200), "fastmlp-playground.gif");
  if (last) tell(`${kept.length} pictures saved.`);
  recorded(false);
};

window.addEventListener("hashchange", () => {
  if (!choices || location.hash === toHash(state, hidden)) return;
  ({ state, hidden } = fromHash(location.hash));
  controls(); restart();
});
let resizing;
window.addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => { if (started) theme(document.documentElement.dataset.theme); }, 120); });
