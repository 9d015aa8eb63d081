// The panels below: one at a time, and what is asked there.

import { TONES } from "./colours.js";
import { diagram, drawLoss, drawOutput, drawWeights } from "./pictures.js";
import { $, page, tell } from "./page.js";
import * as plots from "./plots.js";
import { advance, ask, askSurface, then, trace } from "./training.js";

export async function select(name) {
  for (const one of document.querySelectorAll('[role="tab"]')) {
    const is = one.id === `tab-${name}`;
    one.setAttribute("aria-selected", is); one.tabIndex = is ? 0 : -1;
    $(one.id.replace("tab", "panel")).hidden = !is;
  }
  if (!page.frame) return;
  if (name === "loss") drawLoss();
  if (name === "surface") await then(askSurface);
  if (name === "weights") drawWeights();
  if (name === "trace") await then(trace);
  else if (page.state.problem !== "backprop") { diagram.write(null); drawOutput(); }
  if (name === "python") await then(async () => { $("python").textContent = (await ask({ type: "python", shown: page.shown })).code; });
}
for (const one of document.querySelectorAll('[role="tab"]')) {
  one.onclick = () => select(one.id.slice(4));
  one.onkeydown = (event) => {
    const all = [...document.querySelectorAll('[role="tab"]')], at = all.indexOf(one);
    const to = { ArrowRight: all[(at + 1) % all.length], ArrowLeft: all.at(at - 1) }[event.key];
    if (to) { to.focus(); to.click(); }
  };
}
$("against").onchange = $("logLoss").onchange = () => page.frame && drawLoss();
$("first").onchange = $("second").onchange = () => then(askSurface);
$("point").onchange = (event) => { page.chosen = Math.max(0, Math.floor(Number(event.target.value)) || 0); then(trace); };
$("copy").onclick = async () => {
  try { await navigator.clipboard.writeText($("python").textContent); tell("Copied."); }
  catch { getSelection().selectAllChildren($("python")); tell("Press Ctrl-C: the code is selected."); }
};
$("tryWidths").onclick = () => then(async () => {
  tell("Training eight networks …");
  const { widths, train, test, solver } = await ask({ type: "widths" });
  plots.chart($("widthChart"), [
    { x: widths, y: train, tone: TONES[solver], dots: true }, { x: widths, y: test, tone: TONES[solver], dashed: true, dots: true },
  ], { logarithmic: true, across: "units in one hidden layer", up: "loss (dashed: test)" });
  tell(`Each by ${solver}, from the same seed.`);
});

$("runs").onclick = (event) => {
  const button = event.target.closest("button");
  if (button) { page.shown = Number(button.value); then(() => advance(0)); }
};
