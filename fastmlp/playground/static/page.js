// What the parts of the page share: its elements, its settings, and what the server has answered.

export const $ = (id) => document.getElementById(id);

export const page = {
  state: null, hidden: null, // settings, and the names of controls that the address takes away
  choices: null, started: null, frame: null, surface: null, // the last answer of each kind
  history: [], // of each run: name, epoch, seconds, train, test, theta
  shown: 0, // the run whose network is drawn
  chosen: 0, // the training point whose pass is written out
  look: null, // the unit or input under the pointer
  own: null, // the question that told the server of points of one's own
  drawn: null, // points that are being drawn
  playing: false,
};

export const tell = (text) => { $("message").textContent = text ?? ""; };
export const tab = () => document.querySelector('[role="tab"][aria-selected="true"]').id.slice(4);
export const number = (v) => (v === null || v === undefined ? "–" : Math.abs(v) >= 1e4 || (v && Math.abs(v) < 1e-3) ? v.toExponential(2) : v.toFixed(4));
