// What is drawn of a frame: the network, the output, and the panels of losses, surface and weights.

import { TONES } from "./colours.js";
import { Diagram } from "./diagram.js";
import { $, number, page, tab } from "./page.js";
import * as plots from "./plots.js";

export const diagram = new Diagram($("diagram"), $("card"));

/** What does not change from frame to frame: to be called when a network has started. */
export function build() {
  diagram.build(page.started, page.state, page.choices.activations);
  buildRuns();
  buildWeights();
  parameterChoices();
}

export function draw() {
  const run = page.frame.runs[page.shown];
  $("count").value = run.epoch;
  $("testLoss").textContent = number(run.test);
  $("trainLoss").textContent = number(run.train);
  $("accuracy").textContent = run.accuracy === undefined || run.accuracy === null ? "–" : `${(100 * run.accuracy).toFixed(1)} %`;
  $("accuracyBox").hidden = page.state.problem !== "classification";
  $("legend").hidden = page.state.problem === "curve";
  diagram.update(page.frame.arrays.theta.data, page.frame.arrays.units);
  drawOutput();
  if (tab() === "loss") drawLoss();
  if (tab() === "surface") drawSurface();
  if (tab() === "weights") drawWeights();
}

// -- the output ---------------------------------------------------------------------------------

export function drawOutput() {
  const { drawn, frame, started, state } = page;
  if (drawn) plots.points($("output"), drawn, state);
  else if (state.problem === "curve") plots.curve($("output"), frame, started, state);
  else plots.plane($("output"), frame, started, state, picked(), diagram.numbers ? page.chosen : -1);
}

function picked() {
  const { frame, look, started, state } = page;
  if (!look || state.problem === "curve") return null;
  const from = look.input !== undefined ? started.arrays.inputs : frame.arrays.units;
  const index = look.input ?? look.unit, size = from.shape[1] * from.shape[2];
  return { data: from.data.subarray(index * size, (index + 1) * size), shape: from.shape.slice(1) };
}

// -- losses -------------------------------------------------------------------------------------

function buildRuns() {
  const table = document.createElement("table");
  table.innerHTML = "<thead><tr><th scope=col>solver</th><th scope=col>training</th><th scope=col>test</th><th scope=col>ms</th></tr></thead>";
  const body = table.createTBody();
  page.history.forEach(({ name }, k) => {
    const row = body.insertRow();
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name, value: k });
    button.style.setProperty("--tone", TONES[name]);
    row.insertCell().append(button);
    for (let i = 0; i < 3; i++) row.insertCell();
  });
  $("runs").replaceChildren(table);
}

export function drawLoss() {
  const x = $("against").value;
  const lines = page.history.flatMap((kept) => [
    { x: kept[x], y: kept.train, tone: TONES[kept.name] },
    { x: kept[x], y: kept.test, tone: TONES[kept.name], dashed: true },
  ]);
  plots.chart($("chart"), lines, { logarithmic: $("logLoss").checked, across: x === "epoch" ? "iterations" : "seconds", up: "loss (dashed: test)" });
  const rows = $("runs").querySelectorAll("tbody tr");
  page.frame.runs.forEach((run, k) => {
    const [button, ...cells] = [rows[k].querySelector("button"), ...[...rows[k].cells].slice(1)];
    button.title = run.message || "Show this one";
    button.setAttribute("aria-pressed", k === page.shown);
    [number(run.train), number(run.test), (1000 * run.seconds).toFixed(1)].forEach((text, i) => { cells[i].textContent = text; });
  });
}

// -- the loss by two parameters -----------------------------------------------------------------

function parameterChoices() {
  const options = page.started.segments.flatMap(([name, at, rows, cols]) =>
    [...Array(rows * cols).keys()].map((k) => [at + k, rows > 1 || name[0] === "W" ? `${name}[${Math.floor(k / cols) + 1}, ${(k % cols) + 1}]` : `${name}[${k + 1}]`]));
  [["first", 0], ["second", 1]].forEach(([id, index]) => {
    const kept = Number($(id).value) || index;
    $(id).replaceChildren(...options.map(([at, name]) => new Option(name, at)));
    $(id).value = kept < options.length ? kept : index;
  });
  if ($("first").value === $("second").value) $("second").value = $("first").value === "0" ? 1 : 0;
}

export const surfaceParameters = () => [Number($("first").value), Number($("second").value)];

export function drawSurface() {
  if (!page.surface) return;
  const pair = surfaceParameters();
  const paths = page.history.map((kept) => ({ name: kept.name, way: kept.theta.map((theta) => pair.map((p) => theta[p])) }));
  plots.surface($("surface"), page.surface, paths);
}

// -- weights ------------------------------------------------------------------------------------

function buildWeights() {
  const tables = page.started.segments.map(([name, , rows, cols]) => {
    const table = document.createElement("table");
    table.createCaption().textContent = name;
    for (let i = 0; i < rows; i++) {
      const row = table.insertRow();
      for (let j = 0; j < cols; j++) {
        const input = Object.assign(document.createElement("input"), { type: "number", step: "any" });
        input.setAttribute("aria-label", `${name}, row ${i + 1}, column ${j + 1}`);
        input.onchange = () => diagram.on.edit(name, i, j, Number(input.value));
        row.insertCell().append(input);
      }
    }
    return table;
  });
  $("weights").replaceChildren(...tables);
}

/** Theta in the order in which its segments lie in it; what is being typed stays. */
export function drawWeights() {
  const theta = page.frame.arrays.theta.data;
  $("weights").querySelectorAll("input").forEach((input, k) => {
    if (input !== document.activeElement) input.value = Number(theta[k].toPrecision(6));
  });
}
