import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def address():
    """The address that `fastmlp playground` prints, of a server in a process of its own."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    pytest.importorskip("websockets")
    script = "from fastmlp.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-P", "-c", script, "playground", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = server.stdout.readline()
        yield first.split()[-1]
        assert server.poll() is None, server.stderr.read()
    finally:
        server.send_signal(2)
        output, errors = server.communicate(timeout=20)
    assert server.returncode == 0, errors
    assert errors == ""
