"""The playground's server over real sockets: who may talk to it, and what it survives."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import fastmlp.playground
from fastmlp.cli import main
from fastmlp.playground._settings import Settings, settings_of

pytest.importorskip("uvicorn")
client = pytest.importorskip("websockets.sync.client")

from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402

STATIC = Path(fastmlp.playground.__file__).parent / "static"


def get(url, host=None):
    request = urllib.request.Request(url, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(), refused.headers


@pytest.fixture
def open_page(address):
    parts = urlsplit(address)
    origin = f"http://{parts.netloc}"

    def connect(origin=origin, query=parts.query):
        return client.connect(f"ws://{parts.netloc}/ws?{query}", origin=origin, max_size=None)

    return connect


def ask(page, **message):
    page.send(json.dumps(message))
    answer = page.recv(timeout=20)
    if isinstance(answer, bytes):
        length = int.from_bytes(answer[:4], "little")
        return json.loads(answer[4 : 4 + length])
    return json.loads(answer)


def test_the_page_needs_its_token(address):
    origin = address.partition("?")[0]
    assert get(address)[0] == 200
    for url in (origin, origin + "?token=wrong", origin + "?token=%E2%82%AC"):
        status, text, _ = get(url)
        assert status == 403
        assert "token" in text


def test_the_page_asks_nothing_of_other_machines(address):
    _, page, headers = get(address)
    assert "http://" not in page
    assert "https://" not in page
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    root = address.partition("?")[0]
    names = [path.name for path in STATIC.iterdir() if path.name != "index.html"]
    assert len(names) > 8
    for name in names:
        status, text, headers = get(f"{root}static/{name}")
        assert status == 200
        assert "https://" not in text
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_notebooks_of_this_machine_may_frame_it_and_no_others(address):
    """Frames of VS Code are ``vscode-webview://...``, in a window that is ``vscode-file://...``."""
    policy = get(address)[2]["Content-Security-Policy"]
    (ancestors,) = (part.split() for part in policy.split("; ") if part.startswith("frame-anc"))
    here = {"'self'", "http://localhost:*", "http://127.0.0.1:*"}
    assert set(ancestors[1:]) == here | {"vscode-webview:", "vscode-file:"}


def test_defaults_come_from_one_place(open_page):
    with open_page() as page:
        given = ask(page, type="choices")
    assert settings_of(given["defaults"]) == Settings()
    assert list(given["losses"]["classification"])[0] == Settings().loss


def test_no_file_outside_its_folder(address):
    root = address.partition("?")[0]
    for path in ("static/../_server.py", "static/%2e%2e/_server.py", "static//etc/passwd", "x"):
        assert get(root + path)[0] == 404


def test_a_host_of_another_name_is_refused(address):
    assert get(address, host="example.com")[0] == 400


@pytest.mark.parametrize("origin", ["http://example.com", "null", None, "http://127.0.0.1:1"])
def test_a_page_of_another_origin_cannot_drive_it(open_page, origin):
    with pytest.raises(InvalidStatus, match="403"):
        open_page(origin=origin)


def test_a_socket_needs_the_token(open_page):
    for query in ("", "token=", "token=wrong"):
        with pytest.raises(InvalidStatus, match="403"):
            open_page(query=query)


def test_a_conversation(open_page):
    with open_page() as page:
        assert "circle" in ask(page, type="choices")["problems"]["classification"]
        started = ask(page, type="start", settings={"networkShape": [3], "solvers": ["sgd", "lm"]})
        assert started["layers"] == [2, 3, 1]
        frame = ask(page, type="frame", advance=5, shown=1)
        assert [run["epoch"] for run in frame["runs"]] == [5, 5]
        assert frame["runs"][1]["train"] < frame["runs"][0]["train"]
        frame = ask(page, type="edit", segment="b1", row=0, col=2, value=0.25, shown=0)
        assert frame["type"] == "frame"
        assert ask(page, type="trace", index=3, shown=0)["loss"] > 0
        assert len(ask(page, type="surface", first=0, second=4)["values"]) == 41 * 41
        assert "minimize(" in ask(page, type="python", shown=1)["code"]
        assert "3 points" in ask(page, type="table", text="1,2\n2,3\n3,1", problem="curve")["note"]
        own = {"problem": "curve", "curveDataset": "own", "loss": "normal", "features": ["x"]}
        assert ask(page, type="start", settings=own)["n_raw"] == 2


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "NaN",
        "{}",
        '{"type": 3}',
        '{"type": "answer"}',
        '{"type": "__class__"}',
        '{"type": "frame"}',
        '{"type": "start", "settings": {"seed": 1e400}}',
        '{"type": "start", "settings": {"networkShape": [1e9]}}',
        '{"type": "start", "settings": {"dataset": "own"}}',
        '{"type": "table", "text": 3}',
        '{"type": "drawn", "points": {}}',
        '{"type": "drawn", "points": [[1, 2, 1%s]]}' % ("0" * 400),
        '{"type": "start", "settings": {"learningRate": 1%s}}' % ("0" * 400),
        '{"type": %s}' % ("9" * 5000),
        "[" * 100_000,
        b"\x00\x01",
    ],
    ids=lambda m: repr(m)[:40],
)
def test_a_hostile_frame_gets_a_sentence_and_harms_nothing(open_page, message):
    with open_page() as page:
        page.send(message)
        answer = json.loads(page.recv(timeout=20))
        assert answer["type"] == "error"
        assert len(answer["message"]) < 400
        assert "terminal" not in answer["message"]  # a mistake of the program
        assert ask(page, type="start", settings={})["type"] == "started"
        bad = [
            {"type": "frame", "advance": -1},
            {"type": "frame", "advance": 1, "shown": 7},
            {"type": "frame", "advance": True},
            {"type": "trace", "index": 10**6},
            {"type": "surface", "first": 0, "second": 10**6},
            {"type": "edit", "segment": "W1", "row": 0, "col": 0, "value": "x"},
            {"type": "edit", "segment": None, "row": 0, "col": 0, "value": 1.0},
        ]
        for one in bad:
            assert ask(page, **one)["type"] == "error", one
        assert ask(page, type="frame", advance=1)["runs"][0]["epoch"] == 1


def test_a_run_that_diverged_does_not_end_the_conversation(open_page):
    settings = {"problem": "regression", "loss": "squared_error", "solvers": ["sgd"]}
    settings |= {"learningRate": 10, "networkShape": [8], "activations": ["linear"]}
    with open_page() as page:
        ask(page, type="start", settings=settings)
        assert "Diverged" in ask(page, type="frame", advance=1000)["runs"][0]["message"]
        for one in ({"type": "trace", "index": 0}, {"type": "surface", "first": 0, "second": 1}):
            assert "diverged" in ask(page, **one)["message"]
        assert ask(page, type="start", settings={})["type"] == "started"


def test_a_message_that_is_too_large_closes_that_page_alone(open_page):
    with open_page() as bystander:
        ask(bystander, type="start", settings={})
        with open_page() as page, pytest.raises(ConnectionClosed):
            page.send(json.dumps({"type": "table", "text": "1" * 5_000_000, "problem": "curve"}))
            page.recv(timeout=20)
        assert ask(bystander, type="frame", advance=1)["type"] == "frame"


def test_two_pages_do_not_mix(open_page):
    with open_page() as first, open_page() as second:
        ask(first, type="start", settings={"seed": 1})
        ask(second, type="start", settings={"seed": 2, "networkShape": [8]})
        losses = []
        for _ in range(3):
            losses.append(ask(first, type="frame", advance=1)["runs"][0]["train"])
            ask(second, type="frame", advance=3)
    with open_page() as alone:
        ask(alone, type="start", settings={"seed": 1})
        again = [ask(alone, type="frame", advance=1)["runs"][0]["train"] for _ in range(3)]
    np.testing.assert_allclose(losses, again, rtol=1e-12)


def test_too_many_pages_are_told_so(open_page):
    with contextlib.ExitStack() as open_pages:
        pages = [open_pages.enter_context(open_page()) for _ in range(20)]
        assert json.loads(pages[-1].recv(timeout=10))["message"].endswith("close one.")


def test_a_notebook_shows_the_page():
    pytest.importorskip("IPython")
    script = (
        "import urllib.request, fastmlp.playground as p\n"
        "first, again = p.show(height=400), p.show()\n"
        "assert first.src == again.src and first.height == 400\n"
        "page = urllib.request.urlopen(first.src, timeout=10)\n"
        "assert page.status == 200 and b'playground' in page.read()\n"
        "print('shown')\n"
    )
    command = [sys.executable, "-P", "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "shown\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--port", "70000"], "65535"), (["--port", "-1"], "at least 0")]
)
def test_a_port_that_is_none(arguments, said, capsys):
    assert main(["playground", "--no-browser", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken(address, capsys):
    port = urlsplit(address).port
    assert main(["playground", "--no-browser", "--port", str(port)]) == 1
    assert f"port {port} cannot be used" in capsys.readouterr().err
