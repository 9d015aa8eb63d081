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


def test_demo_tells_its_stories(demo):
    lines = demo.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = {}
    for line in lines:
        cells = re.split(r"\s{2,}", line.strip())
        if line.startswith("  ") and len(cells) >= 3:
            rows.setdefault(cells[0], []).append(cells[1:])
    curve = rows["loss after the last epoch"][0]
    assert float(curve[0]) == pytest.approx(float(curve[1]), abs=1e-8)
    assert float(rows["loss after 10 epochs"][0][0]) > 0
    assert len([name for name in rows if name.startswith("microseconds")]) == 2
    error = rows["mean squared error"][0]
    assert float(error[0]) < 1e-11 < 1e-6 < float(error[1])
    ours, theirs = map(float, rows["error (rms) on held-out rows"][0])
    assert ours < 1.05 * theirs
    tries = [line for line in lines[lines.index("Three things to try:") + 1 :] if line]
    assert len(tries) == 3
