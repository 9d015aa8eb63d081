// Pictures to keep: what is on screen, or how it goes on from here.

import { TONES } from "./colours.js";
import { gif, reduced } from "./gif.js";
import { diagram } from "./pictures.js";
import { $, number, page, tell } from "./page.js";
import { download, scene } from "./save.js";
import { advance, pause, then } from "./training.js";

const MOST_PICTURES = 60;

let recording = false;

function sceneNow(scale) {
  const run = page.frame.runs[page.shown], chart = document.querySelector('[role="tabpanel"]:not([hidden]) canvas');
  const names = page.history.map(({ name }) => [name, TONES[name]]);
  return scene(diagram, $("output"), chart, names, `iteration ${run.epoch}, training loss ${number(run.train)}, ${run.name}`, scale);
}

$("picture").onclick = () => then(async () => {
  const canvas = await sceneNow(2);
  canvas.toBlob((blob) => download(blob, "fastmlp-playground.png"));
});

function recorded(is) { recording = is; $("gif").textContent = is ? "Stop, save" : "Save GIF"; $("gif").setAttribute("aria-pressed", is); }

$("gif").onclick = async () => {
  if (recording || !page.frame) { recording = false; return; }
  pause(); recorded(true);
  const kept = [];
  let width, height, last = false;
  for (let n = -1; !last && kept.length > n;) {
    n = kept.length;
    last = !recording || n === MOST_PICTURES - 1 || page.frame.runs.every((run) => run.message);
    tell(`Picture ${n + 1} of ${MOST_PICTURES} …`);
    await then(async () => {
      const canvas = await sceneNow(1);
      width ??= canvas.width; height ??= canvas.height;
      kept.push(reduced(canvas.getContext("2d").getImageData(0, 0, width, height)));
      if (!last) await advance(Number($("speed").value));
    });
  }
  if (kept.length) download(gif(kept, width, height, 10, 200), "fastmlp-playground.gif");
  if (last) tell(`${kept.length} pictures saved.`);
  recorded(false);
};
