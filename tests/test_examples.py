"""Every example runs as a script and says what it promises to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "worked_example.py": ["0.298371109", "0.082167041", "0.561370121", "0.299502287"],
    "classify_digits.py": ["accuracy, held out       0.9"],
    "regress_diabetes.py": ["adam", "lbfgs", "newton"],
    "bare_network.py": ["Network", "epochs of adam", "steps of newton"],
    "custom_loss.py": ["iterations", "spread"],
    "perceptron_history.py": ["wrong"],
}


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")
def test_no_example_is_forgotten():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")
@pytest.mark.parametrize("name", SAYS)
def test_example(name, tmp_path):
    """From another folder, so that the installed package is what runs."""
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    for words in SAYS[name]:
        assert words in run.stdout
