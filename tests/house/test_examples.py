"""Every example runs as a script and says what it promises to."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "worked_example.py": ["0.298371109", "0.082167041", "0.561370121", "0.299502287"],
    "classify_digits.py": ["accuracy, held out       0.9"],
    "regress_diabetes.py": ["adam", "lbfgs", "newton"],
    "bare_network.py": ["Network", "epochs of adam", "steps of newton"],
    "custom_loss.py": ["iterations", "spread"],
    "perceptron_history.py": ["wrong"],
    "levenberg_marquardt.py": ["lbfgs", "damping", "[5.  1.3 0.5]"],
    "newton.py": ["Converged", "uphill", "saddle-free", "shift", "trust-region"],
    "newton_cg.py": ["GiB", "newton-cg, 500 rows"],
    "evidence.py": ["with evidence", "noise", "effective"],
    "plot_solvers.py": ["lbfgs", "newton-cg", "lm", "logistic neuron", "steps"],
    "universal_approximation.py": ["hidden units for eps", "|x|", "not reached with 3 units"],
    "quiescent.py": ["simulated galaxies", "slope height", "the published box"],
    "features.py": ["photographs", "pixels", "colours"],
    "sine.py": ["error of mean", "the truth"],
    "photoz.py": ["simulated galaxies", "CDE loss"],
    "gap.py": ["in the gap", "noise at x"],
    "bayesian_line.py": ["slope", "Hamiltonian", "BayesianRidge", "deviation at x"],
}
# These draw pictures where matplotlib is installed; the first few take a minute unless told not to.
ARGUMENTS = dict.fromkeys(
    ["plot_solvers.py", "universal_approximation.py", "features.py"],
    ["--quick", "--out", "pictures"],
) | dict.fromkeys(
    ["quiescent.py", "gap.py", "bayesian_line.py", "sine.py", "photoz.py"], ["--out", "pictures"]
)


def table(printed):
    """Words at the start of a line -> the numbers after them."""
    found = {}
    for line in printed.splitlines():
        words = re.match(r"(.*?)((?:\s+[-+]?[\d.]+(?:e[-+]\d+)?%?)+)$", line)
        if words and words[1].strip():
            found[words[1].strip()] = [float(n.rstrip("%")) for n in words[2].split()]
    return found


def quiescent(rows):
    np.testing.assert_allclose(rows["a neuron, from the rule's labels"], [0.8, 0.7], atol=0.01)
    assert (
        rows["the lecture's rule"][0] < rows["one neuron"][0] < rows["hidden layer of 8 units"][0]
    )
    assert rows["hidden layer of 8 units"][3] < 0.9 * rows["one neuron"][3]  # log-loss
    assert rows["hidden layer of 8 units"][4] < 0.015


def features(rows):
    if "HoG" in rows:  # with scikit-image
        (colours, _, _), (shape, texture, faces) = rows["colours"], rows["HoG"]
        assert colours > shape + 0.2  # where the colour says it all
        assert texture > rows["pixels"][1] + 0.1 and faces > 0.9  # where the shape does


def bayesian_line(rows):
    """One posterior, three ways; the line is surer between the data than beyond them."""
    for name in ("Laplace", "Hamiltonian"):
        np.testing.assert_allclose(rows[name], rows["BayesianRidge"], rtol=0.12)
        at_0, at_1, at_3 = rows[f"curve: {name}"]
        assert at_0 < at_1 < at_3 / 1.8
    np.testing.assert_allclose(rows["curve: hidden layer"], rows["curve: Laplace"], rtol=0.1)


# Spread from weights on the data and in the gap by MCMC(n_chains=6, n_warmup=500, n_draws=1500,
# target_accept=0.9), random_state=0, all draws averaged (n_samples=9000): R-hat 1.01, ess 790.
LONG_CHAINS = 0.0374, 0.683


def gap(rows):
    """Laplace widens in the gap as the draws of the posterior itself do, and noise is found."""
    laplace, draws = rows["Laplace, one mode"], rows["Hamiltonian Monte Carlo"]
    assert laplace[2] > 5 and draws[2] > 5
    np.testing.assert_allclose([laplace[0], draws[0]], LONG_CHAINS[0], rtol=0.2)
    # One mode has six tenths of the spread in the gap; short chains what the modes they find say.
    np.testing.assert_allclose(laplace[1], 0.605 * LONG_CHAINS[1], rtol=0.1)
    np.testing.assert_allclose(draws[1], LONG_CHAINS[1], rtol=0.35)
    np.testing.assert_allclose(rows["learned"], rows["truth"], rtol=0.25)


def sine(rows):
    slow, fast, truth = (
        rows[name] for name in ("adam, 500 epochs", "lm with evidence", "the truth")
    )
    assert slow[0] > 2 and fast[0] < 0.35 and fast[1] < 0.15
    assert truth[2] < fast[2] < truth[2] + 0.05 < slow[2]


def photoz(rows):
    assert 0.86 < rows["90 % intervals hold"][0] < 0.94
    assert rows["mean error of the surer half"][0] < 0.6 * rows["of the other half"][0]
    assert rows["a distribution"][1] < 0.01 and len(rows["a distribution"]) == 5


# What an example is about.
NUMBERS = {
    "quiescent.py": quiescent,
    "features.py": features,
    "bayesian_line.py": bayesian_line,
    "gap.py": gap,
    "sine.py": sine,
    "photoz.py": photoz,
}


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")
def test_no_example_is_forgotten():
    plugins = {"scoringbench_wrapper.py"}  # test_plugins.py runs them
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS) | plugins


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")
@pytest.mark.parametrize("name", SAYS)
def test_example(name, tmp_path):
    """From another folder, so that the installed package is what runs."""
    if name == "features.py":
        pytest.importorskip("PIL")  # scikit-learn reads its photographs with it
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("FASTMLP_DATA", None)  # simulated data, everywhere
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *ARGUMENTS.get(name, [])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    # matplotlib says on its first run that it builds its cache of fonts
    assert not [line for line in run.stderr.splitlines() if "Matplotlib" not in line]
    for words in SAYS[name]:
        assert words in run.stdout
    if name in NUMBERS:
        NUMBERS[name](table(run.stdout))
    assert {path.name for path in tmp_path.iterdir()} <= {"pictures"}


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")
def test_examples_write_where_they_are_told():
    """Into the current folder by default: a reader's run changes no file of the project."""
    for path in EXAMPLES.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"\bdocs\b|\bimg\b|__file__", source), path.name
        if "savefig" in source:
            assert re.search(r'"--out", type=Path, default=Path\(\)', source), path.name


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")
def test_evidence_lowers_the_error(tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "evidence.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    table = np.array([line.split() for line in lines if line[:5].strip().isdigit()], dtype=float)
    _, _, plain, evidence, noise, _, effective = table.T
    assert len(table) == 4
    assert (evidence < 0.28).all() and (evidence <= plain).all()
    # true noise: .3; the residuals' own standard error with 24 degrees of freedom is a seventh
    assert (np.abs(noise - 0.3) < 0.09).all()
    assert (effective < 9).all()
