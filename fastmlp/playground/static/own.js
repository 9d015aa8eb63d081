// Points of one's own: a table that is pasted, dropped or chosen, or points drawn by hand.

import { controls } from "./controls.js";
import { drawOutput } from "./pictures.js";
import { $, page, tell } from "./page.js";
import { select } from "./panels.js";
import { datasetKey } from "./state.js";
import { ask, pause, start, then } from "./training.js";

/** Whether the problem has no points but its own; the user is told. */
function isByHand() {
  const is = page.state.problem === "backprop";
  if (is) tell("Choose classification, regression or a curve for points of your own.");
  return is;
}

$("paste").onclick = () => { if (!isByHand()) { $("tableError").textContent = ""; $("table").showModal(); } };

async function use(question, thumbnail, note) {
  const { choices, state } = page;
  Object.assign(page, { own: question, drawn: null });
  choices.thumbnails.own = thumbnail;
  state[datasetKey(state.problem)] = "own";
  controls();
  await start();
  tell(note);
}

async function take(text) {
  await then(async () => {
    try {
      const question = { type: "table", text, problem: page.state.problem };
      const { note } = await ask(question);
      $("table").close();
      await use(question, [], note);
    } catch (problem) { if ($("table").open) $("tableError").textContent = problem.message; else tell(problem.message); }
  });
}

async function read(file) {
  if (isByHand()) return;
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
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
});

// -- drawn by hand ------------------------------------------------------------------------------

$("draw").onclick = () => {
  if (page.drawn) { useDrawn(); return; }
  if (isByHand()) return;
  pause();
  page.drawn = [];
  controls();
  tell(page.state.problem === "curve" ? "Click in the output to put points; then Use." : "Click or drag in the output: blue; with Shift, orange; then Use.");
  drawOutput();
};

async function useDrawn() {
  const points = page.drawn;
  if (!points.length) { page.drawn = null; controls(); tell(""); drawOutput(); return; }
  await then(async () => {
    const question = { type: "drawn", points, problem: page.state.problem };
    const { note } = await ask(question);
    await use(question, points.map(([x, y, v]) => [x, y, v ?? 1]), note);
  });
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
  page.drawn.push(page.state.problem === "curve" ? [x, y / 3.75] : [x, y, event.shiftKey || event.button === 2 ? -1 : 1]);
  drawOutput();
}

$("output").onpointerdown = (event) => {
  if (page.drawn) { last = null; put(event); return; }
  if (!page.started || page.state.problem === "curve") return;
  const [x, y] = place(event), { data, shape } = page.started.arrays.X;
  let best = Infinity;
  for (let i = 0; i < shape[0]; i++) {
    const d = Math.hypot(data[2 * i] - x, data[2 * i + 1] - y);
    if (d < best) { best = d; page.chosen = i; }
  }
  select("trace");
};
$("output").onpointermove = (event) => { if (page.drawn && event.buttons) put(event); };
$("output").oncontextmenu = (event) => { if (page.drawn) event.preventDefault(); };
