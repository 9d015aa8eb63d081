"""The playground's server: loopback alone, a token in the address, one session per page."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import threading
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._numbers import check_integer
from fastmlp.playground import _own
from fastmlp.playground._frame import encode, shades
from fastmlp.playground._problems import FEATURES, PROBLEMS
from fastmlp.playground._python import code_of
from fastmlp.playground._session import FEW, Session, points
from fastmlp.playground._settings import (
    ACTIVATIONS,
    LOSSES,
    MOST_LAYERS,
    MOST_UNITS,
    REGULARIZATIONS,
    SOLVERS,
    Settings,
    SettingsError,
    settings_of,
)

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError as missing:
    raise ImportError(
        f"The playground needs {missing.name}: pip install 'fastmlp[playground]'"
    ) from None

STATIC = Path(__file__).parent / "static"
MOST_BYTES = 2_000_000  # of a message
MOST_PAGES = 16
LOG = logging.getLogger("fastmlp.playground")
# Who may frame the page: notebooks of this machine, in a browser or in VS Code, whose cells lie in
# frames of the one scheme in a window of the other, which pages of the web cannot have.
ANCESTORS = "'self' http://localhost:* http://127.0.0.1:* vscode-webview: vscode-file:"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {ANCESTORS}"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class _Page:
    """One page's conversation: a message in, an answer out."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.own: Any = None

    def answer(self, message: Any) -> bytes | dict[str, Any]:
        """What to send back.

        Raises
        ------
        SettingsError
            The message asks for something that cannot be done.
        """
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise SettingsError("A message has a type.")
        act = getattr(self, f"_on_{message['type']}", None)
        if act is None:
            raise SettingsError(f"There is no message of type {message['type'][:40]!r}.")
        return act(message)

    def _whole(self, message, name, most=2**31):
        value = message.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise SettingsError(f"{name} is a whole number from 0 to {most}.")
        return value

    def _running(self) -> Session:
        if self.session is None:
            raise SettingsError("Nothing has been started yet.")
        return self.session

    def _shown(self, message) -> int:
        return self._whole(message, "shown", len(self._running().runs) - 1)

    def _on_choices(self, message):
        return {
            "type": "choices",
            "problems": {name: list(sets) for name, sets in PROBLEMS.items()},
            "features": list(FEATURES),
            "activations": list(ACTIVATIONS),
            "losses": {
                problem: {name: said for name, (_, said) in known.items()}
                for problem, known in LOSSES.items()
            },
            "solvers": list(SOLVERS),
            "regularizations": list(REGULARIZATIONS),
            "defaults": asdict(Settings()),
            "most": {"layers": MOST_LAYERS, "units": MOST_UNITS},
            "thumbnails": {name: _thumbnail(name) for known in PROBLEMS.values() for name in known},
        }

    def _on_start(self, message):
        settings = settings_of(message.get("settings", {}))
        self.session = Session(settings, self.own if settings.data_name == "own" else None)
        return self._everything()

    def _everything(self):
        session = self._running()
        net = session.net
        header = {
            "type": "started",
            "layers": list(net.layers),
            "n_raw": net.n_raw,
            "activations": session.settings.hidden,
            "segments": [[s.name, s.at, s.rows, s.cols] for s in net.segments],
            "features": list(session.settings.features),
            "all_features": list(session.all_features),
        }
        return encode(
            header,
            {
                "X": session.X,
                "y": session.y_shown,
                "X_test": session.X_test,
                "y_test": session.y_test_shown,
                "inputs": shades(session.input_pictures()),
            },
        )

    def _on_frame(self, message):
        session, shown = self._running(), self._shown(message)
        session.advance(self._whole(message, "advance"))
        return self._frame(session, shown, message.get("draws") is True)

    def _frame(self, session, shown, draws=False):
        header = {"type": "frame", "shown": shown}
        theta = session.runs[shown].theta
        arrays = {
            "theta": theta,
            "thetas": np.array([run.theta for run in session.runs]),
            "units": shades(session.unit_pictures(theta)),
        }
        if session.settings.problem == "curve":
            arrays |= session.curve(theta)
            if draws:
                try:
                    arrays["draws"] = session.draws(shown)
                except (ValueError, ArithmeticError, np.linalg.LinAlgError) as problem:
                    header["note"] = str(problem)
        else:
            arrays["output"] = shades(session.output_picture(theta))
        with np.errstate(over="ignore"):
            return encode({**header, "runs": session.losses()}, arrays)

    def _on_edit(self, message):
        session, shown = self._running(), self._shown(message)
        value = message.get("value")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SettingsError("A weight is a number.")
        row, col = self._whole(message, "row"), self._whole(message, "col")
        session.edit(str(message.get("segment")), row, col, value, shown)
        return self._frame(session, shown)

    def _on_trace(self, message):
        shown = self._shown(message)
        index = self._whole(message, "index")
        return {"type": "trace", "index": index, **self._running().trace(index, shown)}

    def _on_surface(self, message):
        first, second = self._whole(message, "first"), self._whole(message, "second")
        shown = self._shown(message)
        return {"type": "surface", **self._running().surface(first, second, shown)}

    def _on_widths(self, message):
        return {"type": "widths", **self._running().widths()}

    def _on_python(self, message):
        return {"type": "python", "code": code_of(self._running(), self._shown(message))}

    def _on_table(self, message):
        X, y, note = _own.read_table(message.get("text"), str(message.get("problem")))
        self.own = X, y
        return self._taken(note)

    def _on_drawn(self, message):
        self.own = _own.drawn_points(message.get("points"), str(message.get("problem")))
        return self._taken(f"{len(self.own[0])} points drawn.")

    def _taken(self, note: str):
        all_train = " So few are all trained on." if len(self.own[0]) <= FEW else ""
        return {"type": "own", "note": note + all_train}


def _thumbnail(dataset: str) -> list[list[float]]:
    """A few points for a small picture: x1, x2, target; of a curve x, y as on the plane."""
    X, y, *_ = points(dataset, 10.0, 90.0, 1, 1 if dataset == "2-2-2" else 260)
    if X.shape[1] == 1:
        return np.round(np.column_stack([X[:, 0], 3.75 * y, np.ones(len(y))]), 2).tolist()
    return np.round(np.column_stack([X, y if y.ndim == 1 else y[:, 1]]), 2).tolist()


def make_app(token: str, port: int) -> Starlette:
    """The application: the page, its files and its socket.

    Parameters
    ----------
    token : str
        What the address has to hold.
    port : int
        Where it is served: pages of other origins are refused.
    """
    origins = {f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")}
    pages = set()

    def is_ours(given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), token.encode())

    async def index(request: Request) -> Response:
        if not is_ours(request.query_params.get("token")):
            text = "The address lacks its token: open the one that `fastmlp playground` printed."
            return PlainTextResponse(text, 403, HEADERS)
        page = (STATIC / "index.html").read_bytes()
        return Response(page, media_type="text/html", headers=HEADERS)

    async def talk(websocket: WebSocket) -> None:
        ours = is_ours(websocket.query_params.get("token"))
        if not ours or websocket.headers.get("origin") not in origins:
            await websocket.close(1008)
            return
        await websocket.accept()
        if len(pages) >= MOST_PAGES:
            text = f"{MOST_PAGES} pages are open; close one."
            await websocket.send_json({"type": "error", "message": text})
            await websocket.close(1013)
            return
        page = _Page()
        pages.add(page)
        try:
            while True:
                answer = await run_in_threadpool(_answer, page, await websocket.receive())
                if answer is None:
                    break
                if isinstance(answer, bytes):
                    await websocket.send_bytes(answer)
                else:
                    await websocket.send_text(answer)
        except WebSocketDisconnect:
            pass
        finally:
            pages.discard(page)

    return Starlette(
        routes=[
            Route("/", index),
            WebSocketRoute("/ws", talk),
            Mount("/static", _Files(directory=STATIC)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


class _Files(StaticFiles):
    """Static files under the page's headers."""

    async def get_response(self, path, scope):
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def _answer(page: _Page, received: Any) -> bytes | str | None:
    """The answer to whatever came, as it is sent; an error is a sentence, never an exception."""
    if received["type"] == "websocket.disconnect":
        return None
    answer = _answered(page, received)
    if isinstance(answer, bytes):
        return answer
    try:
        return json.dumps(answer, allow_nan=False)
    except ValueError:
        text = "Numbers here are no longer finite: the run has diverged."
        return json.dumps({"type": "error", "message": text})


def _answered(page, received):
    try:
        if received.get("text") is None:
            raise SettingsError("A message is text in JSON.")
        return page.answer(_parsed(received["text"]))
    except SettingsError as problem:
        return {"type": "error", "message": str(problem)}
    except MemoryError:
        return {"type": "error", "message": "There is not enough memory for this."}
    except Exception:
        LOG.exception("A message could not be answered")
        return {"type": "error", "message": "Something went wrong; the terminal says what."}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also whole numbers of thousands of digits
        raise SettingsError("The message is not JSON.") from None


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)  # before its address is printed
    except OSError as problem:
        listener.close()
        raise OSError(problem.errno, f"port {port} cannot be used: {problem.strerror}") from None
    return listener


def _server(listener: socket.socket) -> tuple[uvicorn.Server, str]:
    port, token = listener.getsockname()[1], secrets.token_urlsafe(16)
    config = uvicorn.Config(
        make_app(token, port),
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,
    )
    return uvicorn.Server(config), f"http://127.0.0.1:{port}/?token={token}"


def serve(port: int = 0, browser: bool = True) -> None:
    """See :func:`fastmlp.playground.serve`."""
    port = check_integer("port", port, 0)
    if port > 65535:
        raise ValueError(f"port is a number from 0 to 65535, got {port}.")
    listener = _listen(port)
    try:
        server, address = _server(listener)
        print(f"The playground is at {address}\nCtrl-C ends it.", flush=True)
        if browser:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


_shown: list[str] = []  # the address of this process's server


def show(height: int = 600) -> Any:
    """See :func:`fastmlp.playground.show`."""
    height = check_integer("height", height, 100)
    try:
        from IPython.display import IFrame
    except ImportError:
        raise ImportError("show is for notebooks: it needs IPython") from None
    if not _shown:
        listener = _listen(0)
        server, address = _server(listener)
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        _shown.append(address)
    return IFrame(_shown[0], width="100%", height=height)
