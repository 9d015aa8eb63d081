"""What Python says when it is started in a source tree that was not built."""

import shutil
import subprocess
import sys
from pathlib import Path

import fastmlp

LEFT_OUT = shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__")


def test_unbuilt_tree_says_what_to_do(tmp_path):
    shutil.copytree(Path(fastmlp.__file__).parent, tmp_path / "fastmlp", ignore=LEFT_OUT)
    for statement in ("import fastmlp", "from fastmlp.solvers import minimize"):
        done = subprocess.run(
            [sys.executable, "-c", statement], cwd=tmp_path, capture_output=True, text=True
        )
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"ImportError: {tmp_path / 'fastmlp'} is a source tree"), last
        assert "another folder" in last and "pip install -e ." in last
