// The conversation with the server: start, frames, and what is asked about the network shown.

import { diagram, build, draw, drawSurface, surfaceParameters } from "./pictures.js";
import { $, page, tab, tell } from "./page.js";
import { Socket } from "./socket.js";
import { fromHash, learn, settings, toHash } from "./state.js";

const MOST_KEPT = 4000;

let socket, busy = Promise.resolve();

/** Connect; `learned` is called once, when the settings and what they may be are known. */
export function connect(learned) {
  socket = new Socket(
    async () => {
      try {
        if (!page.choices) {
          page.choices = await ask({ type: "choices" });
          learn(page.choices);
          Object.assign(page, fromHash(location.hash));
          document.body.inert = false;
          learned();
        }
        const reached = page.frame?.runs?.[page.shown]?.epoch ?? 0;
        tell("");
        if (page.own) await ask(page.own);
        await start();
        if (reached) await advance(reached);
        document.body.dataset.ready = "true";
      } catch (problem) { tell(problem.message); }
    },
    () => { document.body.dataset.ready = "false"; pause(); if (page.choices) tell("The connection was lost; trying again …"); },
  );
}

export const ask = (question) => socket.ask(question);

/** One thing at a time: what is asked waits for what was asked before. */
export function then(work) {
  busy = busy.then(work).catch((problem) => { pause(); tell(problem.message); });
  return busy;
}

export async function start() {
  const { state } = page;
  page.started = await ask({ type: "start", settings: settings(state) });
  page.shown = Math.min(page.shown, state.solvers.length - 1);
  page.history = state.solvers.map((name) => ({ name, epoch: [], seconds: [], train: [], test: [], theta: [] }));
  Object.assign(page, { surface: null, look: null, chosen: 0 });
  location.replace(toHash(state, page.hidden));
  diagram.numbers = null;
  build();
  await advance(0);
  if (tab() === "trace" || state.problem === "backprop") await trace();
}

export function restart() { pause(); tell(""); return then(start); }

/** Train for so many iterations, and show where that leads. */
export const advance = (n) => show(ask({ type: "frame", advance: n, shown: page.shown, draws: page.state.bayes }));

export async function show(question) {
  const frame = page.frame = await question;
  frame.runs.forEach((run, k) => {
    const kept = page.history[k], n = kept.epoch.length, P = frame.arrays.thetas.shape[1];
    const entry = { epoch: run.epoch, seconds: run.seconds, train: run.train, test: run.test, theta: frame.arrays.thetas.data.slice(k * P, (k + 1) * P) };
    const again = n && kept.epoch[n - 1] >= run.epoch, thin = n - again >= MOST_KEPT;
    for (const [name, value] of Object.entries(entry)) {
      if (again) kept[name].pop();
      kept[name].push(value);
      if (thin) kept[name] = kept[name].filter((_, i) => i % 2 === 0);
    }
  });
  if (frame.note) tell(frame.note);
  draw();
}

// -- time ---------------------------------------------------------------------------------------

async function loop() {
  while (page.playing) {
    await then(() => advance(Number($("speed").value)));
    if (page.frame.runs.every((run) => run.message)) { pause(); tell(page.frame.runs[page.shown].message); }
    if (tab() === "surface" && page.frame.runs[0].epoch % 10 === 0) await then(askSurface);
    await new Promise(requestAnimationFrame);
  }
}

export function play() {
  if (page.playing) return;
  page.playing = true;
  $("play").textContent = "❚❚"; $("play").setAttribute("aria-label", "Pause");
  loop();
}

export function pause() {
  page.playing = false;
  $("play").textContent = "▶"; $("play").setAttribute("aria-label", "Play");
}

export function step() {
  pause();
  return then(async () => {
    await advance(1);
    if (page.frame.runs[page.shown].message) tell(page.frame.runs[page.shown].message);
    if (diagram.numbers) await trace();
    if (tab() === "surface") await askSurface();
  });
}

// -- about the network shown --------------------------------------------------------------------

export async function trace() {
  const answer = await ask({ type: "trace", index: page.chosen, shown: page.shown });
  $("trace").textContent = answer.text;
  $("point").value = page.chosen;
  diagram.write(answer);
}

export async function askSurface() {
  const [first, second] = surfaceParameters();
  page.surface = await ask({ type: "surface", first, second, shown: page.shown });
  drawSurface();
}

export function edit(segment, row, col, value) {
  return then(async () => { await show(ask({ type: "edit", segment, row, col, value, shown: page.shown })); if (diagram.numbers) await trace(); });
}
