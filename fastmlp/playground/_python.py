"""The code that does what is on the page."""

from __future__ import annotations

import numpy as np

from fastmlp.playground._problems import FEATURE_CODE
from fastmlp.playground._session import Session
from fastmlp.playground._settings import LOSSES


def code_of(session: Session, shown_run: int = 0) -> str:
    """A script with the data, the network, the start, the solver and the number of iterations.

    Parameters
    ----------
    session : Session
        What the page works on.
    shown_run : int, default=0
        Which of its runs.

    Returns
    -------
    str
        Python source; its variable ``losses`` is the run's loss curve.
    """
    settings, run = session.settings, session.runs[shown_run]
    solver, n = run.solver, run.n_iter
    kind = type(solver).__name__
    given = {
        key: value
        for key, value in solver.get_params(deep=False).items()
        if value != type(solver)().get_params(deep=False)[key]
    }
    made = [f"{kind}(", *(f"    {key}={value!r}," for key, value in given.items()), ")"]
    if sum(map(len, made)) < 70:
        made = ["".join(made).replace(",)", ")").replace("    ", " ").replace("( ", "(")]
    features = ", ".join(FEATURE_CODE[name] for name in settings.features)
    hidden = settings.hidden
    activation = hidden[0] if len(set(hidden)) == 1 else hidden
    output = LOSSES[settings.problem][settings.loss][0]
    alpha = settings.l2 * (solver.batch_size if run.is_mini_batch else len(session.X))
    lines = [
        "import numpy as np",
        "",
        "from fastmlp import Network",
        *(["from fastmlp.playground import points"] if settings.data_name != "own" else []),
        f"from fastmlp.solvers import {kind}, minimize",
        "",
        *_data(session),
        f"inputs = np.column_stack([{features}])",
        *(["y = (y + 1) / 2  # classes as 0 and 1"] if settings.as_shares else []),
        "",
        "net = Network(",
        f"    {list(session.net.layers)}, activation={activation!r},"
        if hidden
        else f"    {list(session.net.layers)},",
        f"    output_activation={output!r}, loss={settings.loss!r},",
        ")",
        f"theta = {_start(session, run)}",
        f"objective = net.objective(inputs, y, alpha={alpha!r})",
    ]

    lines += [f"solver = {made[0]}", *made[1:]]

    def call(max_iter, tol, random_state, more=""):
        return [
            "result = minimize(",
            "    objective, theta, solver=solver,",
            f"    max_iter={max_iter}, tol={tol}, n_iter_no_change=np.inf,",
            f"    random_state={random_state},{more}",
            ")",
        ]

    if run.is_mini_batch:
        epoch = [
            *call(1, 0, "random_state", " state=state,"),
            "losses += result.history['loss']",
            "state, theta = result.state, result.theta",
        ]
        lines.append(
            f"random_state, state, losses = np.random.RandomState({settings.seed}), None, []"
        )
        if settings.l1:
            epoch += [
                f"smaller = np.sign(theta) * np.maximum(np.abs(theta) - {run.threshold!r}, 0)",
                "theta = np.where(weights, smaller, theta)  # L1",
            ]
            lines += [
                "weights = np.zeros(net.n_params, bool)",
                "for segment in net.segments:",
                "    weights[segment.at : segment.end] = segment.group == 'weights'",
            ]
        lines += [f"for epoch in range({max(n, 1)}):", *("    " + line for line in epoch)]
    else:
        lines += [*call(max(n, 1), 1e-10, settings.seed), "losses = result.history['loss']"]
    lines.append("print(len(losses), 'iterations, loss', losses[-1])")
    return "\n".join(lines).replace("'", '"') + "\n"


def _data(session: Session) -> list[str]:
    settings = session.settings
    if settings.data_name != "own":
        return [
            "X, y, X_test, y_test = points(",
            f"    {settings.data_name!r}, noise={settings.noise!r},"
            f" train={settings.percTrainData!r}, seed={settings.seed},",
            ")",
        ]
    return [
        f"X = np.array({session.X.tolist()!r})",
        f"y = np.array({session.y_shown.tolist()!r})",
    ]


def _start(session: Session, run) -> str:
    drawn = session.net.init(random_state=session.settings.seed)
    if np.array_equal(session.start, drawn):
        return f"net.init(random_state={session.settings.seed})"
    return f"np.array({session.start.tolist()!r})"
