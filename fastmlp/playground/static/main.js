// The page: settings on one side, frames from the server on the other.

import { forgetRamp, paint } from "./colours.js";
import { controls, datasets } from "./controls.js";
import { diagram, draw } from "./pictures.js";
import { $, page } from "./page.js";
import { fromHash, toHash } from "./state.js";
import { connect, restart } from "./training.js";
import "./own.js";
import "./record.js";

document.body.inert = true; // until the server has said what there is to choose from
connect(controls);

function theme(name) {
  document.documentElement.dataset.theme = name;
  forgetRamp();
  const ramp = $("ramp");
  paint(ramp, Uint8Array.from({ length: 255 }, (_, i) => i), 255, 1);
  if (page.choices) datasets();
  if (page.started) { diagram.build(page.started, page.state, page.choices.activations); draw(); }
}
$("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

window.addEventListener("hashchange", () => {
  if (!page.choices || location.hash === toHash(page.state, page.hidden)) return;
  Object.assign(page, fromHash(location.hash));
  controls(); restart();
});
let resizing;
window.addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => { if (page.started) theme(document.documentElement.dataset.theme); }, 120); });
