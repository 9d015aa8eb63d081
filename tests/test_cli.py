"""The command `fastmlp`, as a process of its own would see it."""

import re
import subprocess
import sys

import pytest

from fastmlp.cli import main


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert re.fullmatch(r"fastmlp \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_config(capsys):
    assert main(["config"]) == 0
    assert "instruction set" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["unknown"]])
def test_unknown_command(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: fastmlp" in capsys.readouterr().err


@pytest.fixture(scope="module")
def demo():
    """Run `fastmlp demo` as a user does: its table must come out clean, and soon."""
    script = "from fastmlp.cli import main; main()"
    command = [sys.executable, "-P", "-c", script, "demo"]  # -P: not the unbuilt folder beside us
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_demo_spills_no_warnings(demo):
    assert demo.stderr == ""


def test_demo_table(demo):
    lines = demo.stdout.splitlines()
    rule = next(k for k, line in enumerate(lines) if line.startswith("---"))
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[rule + 1 : rule + 6]]
    assert {len(lines[k]) for k in range(rule, rule + 6)} == {len(lines[rule])}  # aligned
    assert [(row[0], row[2]) for row in rows] == [
        ("digits", "adam"),
        ("breast_cancer", "adam"),
        ("diabetes", "adam"),
        ("diabetes", "lbfgs"),
        ("diabetes", "newton*"),
    ]
    for data, _, solver, _, loss, score, _, their_loss, their_score, *_ in rows:
        assert float(score) > (0.3 if data == "diabetes" else 0.9)
        if solver != "newton*":  # the same fit
            assert float(loss) == pytest.approx(float(their_loss), abs=1e-3)
            assert float(score) == pytest.approx(float(their_score), abs=0.011)
