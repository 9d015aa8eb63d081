// Settings as controls: they show the state, and what is changed starts the network anew.

import { TONES, ink, rampNow } from "./colours.js";
import { diagram, draw, drawOutput } from "./pictures.js";
import { $, page, tell } from "./page.js";
import { select } from "./panels.js";
import { RECIPES } from "./recipes.js";
import { datasetKey, fromHash, toHash, usualLoss } from "./state.js";
import { advance, edit, pause, play, restart, step, then } from "./training.js";

const RATES = [0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10];
const STRENGTHS = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const MINI_BATCH = ["sgd", "momentum", "adam"], USUAL_STRENGTH = 0.01;

function fill(select, options, value, shownAs = String) {
  select.replaceChildren(...options.map((one) => new Option(shownAs(one), one)));
  if (!options.map(String).includes(String(value))) select.add(new Option(shownAs(value), value));
  select.value = value;
}

/** Controls show the state. */
export function controls() {
  const { choices, state } = page;
  fill($("problem"), Object.keys(choices.problems), state.problem, (p) => ({ classification: "classification", regression: "regression", curve: "curve", backprop: "backprop by hand" })[p] ?? p);
  fill($("loss"), Object.keys(choices.losses[state.problem] ?? {}), state.loss, (l) => l.replace("_", " "));
  fill($("activation"), choices.activations, new Set(state.activations).size > 1 ? "by layer" : state.activations[0]);
  fill($("learningRate"), RATES, state.learningRate);
  fill($("regularization"), choices.regularizations, state.regularization);
  fill($("regularizationRate"), STRENGTHS, state.regularizationRate);
  $("lossText").textContent = choices.losses[state.problem]?.[state.loss] ?? "";
  $("layers").value = state.networkShape.length;
  for (const name of ["percTrainData", "noise", "batchSize"]) {
    $(name).value = state[name];
    $(`${name}Out`).value = name === "batchSize" ? state[name] : `${state[name]} %`;
  }
  $("seed").value = state.seed;
  $("draw").textContent = page.drawn ? "Use" : "Draw"; $("draw").setAttribute("aria-pressed", page.drawn !== null);
  for (const name of ["initZero", "showTestData", "discretize", "bayes"]) $(name).checked = state[name];
  idle();
  $("bayes").parentElement.hidden = state.problem !== "curve";
  $("discretize").parentElement.hidden = state.problem === "curve";
  document.querySelectorAll('[data-ui="text"]').forEach((node) => { node.hidden = state.hideText; });
  for (const name of page.hidden) document.querySelectorAll(`[data-ui="${CSS.escape(name)}"]`).forEach((node) => { node.hidden = true; });
  $("solvers").replaceChildren(...choices.solvers.map((name) => {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", checked: state.solvers.includes(name), value: name });
    label.style.setProperty("--tone", TONES[name]);
    box.onchange = () => {
      const chosenNow = choices.solvers.filter((one) => (one === name ? box.checked : state.solvers.includes(one)));
      if (!chosenNow.length) { box.checked = true; tell("One solver at least has to remain."); return; }
      state.solvers = chosenNow;
      idle(); restart();
    };
    label.append(box, name);
    return label;
  }));
  datasets();
}

/** What the present choices leave without effect cannot be set. */
function idle() {
  const { networkShape, problem, regularization, solvers } = page.state;
  const inBatches = solvers.some((name) => MINI_BATCH.includes(name)), byHand = problem === "backprop";
  const without = {
    activation: !networkShape.length, batchSize: !inBatches || byHand, learningRate: !inBatches && !solvers.includes("gd"),
    noise: byHand, percTrainData: byHand, regularizationRate: regularization === "none",
  };
  for (const [name, is] of Object.entries(without)) $(name).disabled = is;
}

export function datasets() {
  const key = datasetKey(page.state.problem);
  const names = page.choices.problems[page.state.problem] ?? [];
  $("datasets").replaceChildren(...[...names, ...(page.own ? ["own"] : [])].map((name) => {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    Object.assign(button, { type: "button", title: name });
    Object.assign(canvas, { width: 56, height: 56 });
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", key ? page.state[key] === name : true);
    button.onclick = () => { if (key) { page.state[key] = name; controls(); restart(); } };
    thumbnail(canvas, page.choices.thumbnails[name], page.state.problem);
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

// -- what is changed ----------------------------------------------------------------------------

function changed(name, value) { page.state[name] = value; controls(); restart(); }

$("problem").onchange = (event) => {
  const { state } = page, problem = event.target.value;
  Object.assign(state, { problem, loss: usualLoss(problem) });
  if (problem === "curve") { state.features = ["x"]; if (state.networkShape.length === 2) state.networkShape = [6]; }
  else if (problem === "backprop") Object.assign(state, { features: ["x", "y"], networkShape: [2], activations: ["sigmoid"], solvers: ["sgd"], learningRate: 0.5, batchSize: 1 });
  else if (!state.features.includes("y")) state.features = ["x", "y"];
  page.drawn = null;
  controls(); restart();
};
$("loss").onchange = (event) => changed("loss", event.target.value);
$("regularization").onchange = (event) => {
  page.state.regularizationRate ||= USUAL_STRENGTH;
  changed("regularization", event.target.value);
};
$("activation").onchange = (event) => { if (event.target.value !== "by layer") changed("activations", [event.target.value]); };
for (const name of ["learningRate", "regularizationRate"]) $(name).onchange = (event) => changed(name, Number(event.target.value));
for (const name of ["percTrainData", "noise", "batchSize"]) {
  $(name).oninput = (event) => { $(`${name}Out`).value = event.target.value; };
  $(name).onchange = (event) => changed(name, Number(event.target.value));
}
$("seed").onchange = (event) => changed("seed", Math.max(0, Math.floor(Number(event.target.value)) || 0));
$("initZero").onchange = (event) => changed("initZero", event.target.checked);
$("bayes").onchange = (event) => {
  page.state.bayes = event.target.checked;
  location.replace(toHash(page.state, page.hidden));
  then(() => advance(0));
};
for (const name of ["showTestData", "discretize"]) $(name).onchange = (event) => {
  page.state[name] = event.target.checked;
  location.replace(toHash(page.state, page.hidden));
  draw();
};
$("regenerate").onclick = () => changed("seed", Math.floor(Math.random() * 2 ** 31));
$("moreLayers").onclick = () => {
  const { networkShape } = page.state, { layers } = page.choices.most;
  if (networkShape.length < layers) changed("networkShape", [...networkShape, 2]);
  else tell(`${layers} hidden layers at most.`);
};
$("fewerLayers").onclick = () => {
  const { activations, networkShape } = page.state;
  if (!networkShape.length) return;
  if (activations.length > 1) activations.length = Math.max(1, networkShape.length - 1);
  changed("networkShape", networkShape.slice(0, -1));
};
$("play").onclick = () => (page.playing ? pause() : play());
$("step").onclick = step;
$("reset").onclick = restart;
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, button, dialog, [role=tab]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") { event.preventDefault(); if (page.playing) pause(); else play(); }
  if (event.key === "s") step();
  if (event.key === "r") restart();
});

fill($("recipe"), [""], "", () => "a recipe …");
RECIPES.forEach(([name], k) => $("recipe").add(new Option(name, k)));
$("recipe").onchange = async (event) => {
  if (event.target.value === "") return;
  const [, hash, sentence] = RECIPES[Number(event.target.value)];
  Object.assign(page, { state: fromHash(hash).state, drawn: null });
  controls();
  await restart();
  tell(sentence);
  if (page.state.problem === "backprop") select("trace");
  event.target.value = "";
};

// -- on the drawing of the network --------------------------------------------------------------

diagram.on = {
  feature(name) {
    const { choices, state } = page, has = state.features.includes(name);
    if (has && state.features.length === 1) { tell("One feature at least has to remain."); return; }
    state.features = choices.features.filter((one) => (one === name ? !has : state.features.includes(one)));
    restart();
  },
  units(layer, change) {
    const { choices, state } = page, n = state.networkShape[layer] + change;
    if (n < 1 || n > choices.most.units) { tell(`A layer has from 1 to ${choices.most.units} units.`); return; }
    state.networkShape[layer] = n;
    restart();
  },
  activation(layer, name) {
    const { state } = page;
    state.activations = state.networkShape.map((_, k) => (k === layer ? name : state.activations[k] ?? state.activations.at(-1)));
    restart();
  },
  look(what) { page.look = what; if (page.frame) drawOutput(); },
  edit,
};
