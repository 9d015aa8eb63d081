// Settings of the page and their names in the address's hash, as TensorFlow Playground has them.

const FLAGS = ["showTestData", "discretize", "bayes", "initZero", "hideText"];
const NUMBERS = ["learningRate", "regularizationRate", "batchSize", "percTrainData", "noise"];
const WORDS = ["problem", "dataset", "regDataset", "curveDataset", "loss", "regularization"];

const SHOWN_ONLY = { showTestData: false, discretize: false, bayes: false, hideText: false };

let DEFAULTS, FEATURES, LOSSES;

/** What the server has to choose from, and its defaults: to be called before all else. */
export function learn({ defaults, features, losses }) {
  DEFAULTS = { ...defaults, ...SHOWN_ONLY };
  FEATURES = features;
  LOSSES = losses;
}

export const usualLoss = (problem) => Object.keys(LOSSES[problem] ?? {})[0] ?? DEFAULTS.loss;

// What a page of the original, which draws its seed as a fraction, becomes here.
function seedOf(text) {
  const number = Number(text);
  if (!Number.isFinite(number) || number < 0) return DEFAULTS.seed;
  return Number.isInteger(number) ? number : Math.floor((number % 1) * 2 ** 31);
}

/** Settings from an address's hash; unknown names are kept in `hidden` where they end in _hide. */
export function fromHash(hash) {
  const state = structuredClone(DEFAULTS);
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const hidden = new Set();
  const flags = {};
  for (const [name, value] of given) {
    if (name.endsWith("_hide")) { if (value === "true") hidden.add(name.slice(0, -5)); }
    else if (FLAGS.includes(name)) state[name] = value === "true";
    else if (FEATURES.includes(name)) flags[name] = value === "true";
    else if (NUMBERS.includes(name)) { if (Number.isFinite(Number(value))) state[name] = Number(value); }
    else if (WORDS.includes(name)) state[name] = value;
    else if (name === "seed") state.seed = seedOf(value);
    else if (name === "networkShape")
      state.networkShape = value.split(",").map(Number).filter((n) => Number.isInteger(n) && n > 0);
    else if (name === "activation") state.activations = [value];
    else if (name === "activations" || name === "solvers") state[name] = value.split(",").filter(Boolean);
  }
  const usual = state.problem === "curve" ? ["x"] : DEFAULTS.features;
  const chosen = FEATURES.filter((name) => flags[name] ?? usual.includes(name));
  if (chosen.length) state.features = chosen;
  if (state.regularization === "none") state.regularizationRate = 0;
  if (!given.has("loss")) state.loss = usualLoss(state.problem);
  return { state, hidden };
}

/** The hash of settings: what differs from the defaults, in the original's names. */
export function toHash(state, hidden = new Set()) {
  const parts = new URLSearchParams();
  for (const name of [...WORDS, ...NUMBERS, ...FLAGS])
    if (state[name] !== DEFAULTS[name]) parts.set(name, state[name]);
  parts.set("networkShape", state.networkShape.join(","));
  if (new Set(state.activations).size <= 1) parts.set("activation", state.activations[0] ?? DEFAULTS.activations[0]);
  else parts.set("activations", state.activations.join(","));
  parts.set("solvers", state.solvers.join(","));
  for (const name of FEATURES)
    if (state.features.includes(name) !== DEFAULTS.features.includes(name))
      parts.set(name, state.features.includes(name));
  parts.set("seed", state.seed);
  for (const name of hidden) parts.set(`${name}_hide`, "true");
  return "#" + parts.toString().replaceAll("%2C", ",");
}

/** What the server is told. */
export function settings(state) {
  const told = { ...state };
  for (const name of Object.keys(SHOWN_ONLY)) delete told[name];
  return told;
}

export function datasetKey(problem) {
  return { classification: "dataset", regression: "regDataset", curve: "curveDataset" }[problem];
}
