"""The playground without its page: data, settings, runs, frames, code."""

import json
import struct
import threading

import numpy as np
import pytest

from fastmlp.playground import points
from fastmlp.playground._frame import encode, shades
from fastmlp.playground._own import drawn_points, read_table
from fastmlp.playground._problems import PROBLEMS
from fastmlp.playground._python import code_of
from fastmlp.playground._session import Session
from fastmlp.playground._settings import LOSSES, SOLVERS, SettingsError, settings_of


def session(**settings):
    return Session(settings_of(settings))


@pytest.mark.parametrize("dataset", [name for sets in PROBLEMS.values() for name in sets])
def test_points_come_from_their_seed_and_lie_on_the_page(dataset):
    first, again, other = (points(dataset, 10, 50, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    X, y, X_test, y_test = first
    assert len(X) == len(y)
    assert np.abs(X).max() < 9
    if len(X_test):
        assert not np.array_equal(X, other[0])
        assert abs(len(X) - len(X_test)) <= 1
    if dataset in PROBLEMS["classification"]:
        assert set(y) == {-1, 1}
        assert 0.3 < np.mean(y > 0) < 0.7


def test_points_of_classes_lie_where_their_formulas_say():
    X, y, *_ = points("circle", 0)
    assert np.array_equal(y > 0, np.hypot(*X.T) < 2.5)
    X, y, *_ = points("xor", 0)
    assert np.array_equal(y > 0, X[:, 0] * X[:, 1] > 0)
    assert np.abs(X).min() > 0.3
    X, y, *_ = points("reg-plane", 0)
    np.testing.assert_allclose(y, np.clip(X.sum(axis=1) / 10, -1, 1))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"speed": 1}, "no setting 'speed'"),
        ({"dataset": "moons"}, "circle, xor, corners, gauss, spiral"),
        ({"networkShape": [9]}, "from 1 to 8"),
        ({"networkShape": [2] * 7}, "0 to 6"),
        ({"networkShape": "4,2"}, "list"),
        ({"learningRate": float("nan")}, "number from 1e-05 to 10"),
        ({"learningRate": True}, "number"),
        ({"seed": 1.5}, "whole"),
        ({"features": []}, "1 to 9"),
        ({"solvers": ["adamw"]}, "sgd, momentum, adam"),
        ({"loss": "poisson"}, "loss is one of"),
        ({"loss": "normal"}, "not for classification"),
        ({"problem": "curve", "loss": "normal", "features": ["y"]}, "x alone"),
        ({"regularization": "L1", "regularizationRate": 0.1, "solvers": ["lm"]}, "L1 has a kink"),
        ({"loss": "perceptron", "solvers": ["adam", "newton"]}, "no curvature for newton"),
        ({"initZero": 1}, "true or false"),
        ([], "names and values"),
        (None, "names and values"),
    ],
)
def test_what_does_not_do_is_said(wrong, said):
    with pytest.raises(SettingsError, match=said):
        settings_of(wrong)


@pytest.mark.parametrize("problem", ["classification", "regression", "curve"])
def test_every_solver_lowers_every_loss_it_admits(problem):
    features = ["x"] if problem == "curve" else ["x", "y"]
    for loss in LOSSES[problem]:
        flat = loss in {"perceptron", "absolute_error"}
        solvers = [s for s in SOLVERS if not (flat and s in {"newton", "newton-cg", "lm"})]
        one = session(
            problem=problem, loss=loss, features=features, solvers=solvers, learningRate=0.003
        )
        before = one.losses()[0]["train"]
        one.advance(15)
        for run, line in zip(one.runs, one.losses(), strict=True):
            assert line["train"] < before, (loss, run.name)


@pytest.mark.parametrize(("dataset", "most"), [("xor", 0.05), ("spiral", 0.05), ("circle", 0.01)])
def test_the_classic_tasks_are_learned(dataset, most):
    one = session(dataset=dataset, networkShape=[8, 8], solvers=["lm"])
    one.advance(150)
    assert one.losses()[0]["train"] < most
    assert one.losses()[0]["accuracy"] > 0.9


def test_newtons_step_on_a_quadratic_is_the_last():
    one = session(
        problem="regression", loss="squared_error", networkShape=[], solvers=["gd", "newton"]
    )
    one.advance(1)
    X = np.column_stack([one.inputs, np.ones(len(one.y))])
    exact = np.linalg.lstsq(X, one.y, rcond=None)[0]
    np.testing.assert_allclose(one.runs[1].theta, exact, atol=1e-9)
    assert np.abs(one.runs[0].theta - exact).max() > 0.01


def test_the_lecture_by_hand():
    one = session(
        problem="backprop", loss="squared_error", networkShape=[2], activations=["sigmoid"],
        solvers=["sgd"], learningRate=0.5, batchSize=1,
    )  # fmt: skip
    assert one.trace(0)["loss"] == pytest.approx(0.298371109, abs=1e-9)
    one.advance(1)
    assert one.losses()[0]["train"] == pytest.approx(0.291027774, abs=1e-9)
    w5 = one.runs[0].theta[6]
    assert w5 == pytest.approx(0.35891648, abs=1e-8)


CASES = [
    {},
    {"solvers": ["sgd"], "regularization": "L2", "regularizationRate": 0.01, "noise": 20},
    {"solvers": ["adam"], "regularization": "L1", "regularizationRate": 0.003},
    {"solvers": ["momentum"], "dataset": "gauss", "networkShape": [], "loss": "perceptron"},
    {"solvers": ["lm"], "dataset": "xor", "networkShape": [3, 2], "activations": ["tanh", "elu"]},
    {"solvers": ["lbfgs"], "problem": "regression", "loss": "squared_error", "initZero": True},
    {"solvers": ["newton"], "problem": "curve", "loss": "student_t", "features": ["x"]},
    {"solvers": ["gd"], "features": ["x", "y", "xTimesY", "sinX"], "percTrainData": 30},
]


@pytest.mark.parametrize("settings", CASES, ids=[f"{k}" for k in range(len(CASES))])
def test_the_code_does_what_the_page_did(settings):
    one = session(seed=7, **settings)
    one.advance(12)
    names = {}
    exec(code_of(one), names)
    np.testing.assert_allclose(names["losses"], one.runs[0].losses[1:], rtol=1e-12)


def test_a_long_run_is_one_run_and_its_thread_ends_with_it():
    """However many pictures it is shown in: a solver begun anew would take another way."""
    before = set(threading.enumerate())
    one = session(dataset="spiral", networkShape=[4], solvers=["lm"])
    for _ in range(44):
        one.advance(5)
    assert one.runs[0].n_iter == 220
    names = {}
    exec(code_of(one), names)
    np.testing.assert_allclose(names["losses"], one.runs[0].losses[1:], rtol=1e-9)
    (work,) = set(threading.enumerate()) - before
    del one
    work.join(timeout=10)
    assert not work.is_alive()


def test_a_run_that_has_ended_says_so_and_stays():
    one = session(problem="regression", networkShape=[], loss="squared_error", solvers=["newton"])
    one.advance(1)
    assert one.runs[0].message == ""
    one.advance(20)
    n, theta = one.runs[0].n_iter, one.runs[0].theta
    assert n < 10 and "onverged" in one.runs[0].message
    one.advance(5)
    assert one.runs[0].n_iter == n and one.runs[0].theta is theta


def test_the_code_holds_points_of_ones_own():
    X, y, _ = read_table("a,b,c\n1,2,u\n3,5,v\n2,2,u\n4,9,v\n", "classification")
    one = Session(settings_of({"dataset": "own", "percTrainData": 90}), (X, y))
    one.advance(3)
    names = {}
    exec(code_of(one), names)
    np.testing.assert_allclose(names["losses"], one.runs[0].losses[1:], rtol=1e-12)


def test_few_points_of_ones_own_are_all_trained_on():
    corners = [[2, 2, 1], [-2, -2, 1], [2, -2, -1], [-2, 2, -1]]
    own = drawn_points(corners, "classification")
    one = Session(settings_of({"dataset": "own", "networkShape": [2], "seed": 3}), own)
    assert len(one.X) == 4 and len(one.X_test) == 0
    one.advance(400)
    assert one.losses()[0]["train"] < 0.05 and one.losses()[0]["test"] is None
    many = Session(settings_of({"dataset": "own"}), drawn_points(6 * corners, "classification"))
    assert len(many.X) == len(many.X_test) == 12


def test_an_edited_weight_is_where_the_run_goes_on():
    one = session(solvers=["adam", "lm"])
    one.advance(2)
    other = one.runs[1].theta.copy()
    one.edit("W2", 1, 0, 2.5, 0)
    assert one.net.unpack(one.runs[0].theta)[0][1][1, 0] == 2.5
    assert np.array_equal(one.runs[1].theta, other)
    one.advance(1)
    assert one.runs[0].n_iter == 3
    for wrong in [("W9", 0, 0, 1.0), ("W1", 5, 0, 1.0), ("b1", 0, 0, np.inf)]:
        with pytest.raises(SettingsError):
            one.edit(*wrong)


def test_pictures_show_the_network():
    one = session(networkShape=[3])
    theta = one.runs[0].theta
    x = np.linspace(-6, 6, 100)
    corner = np.array([[x[0], x[-1]]])  # the first pixel is the upper left one
    np.testing.assert_allclose(
        one.output_picture(theta)[0, 0], 2 * one.net.predict(theta, corner)[0, 0] - 1
    )
    coefs, intercepts = one.net.unpack(theta)
    z = np.array([[-6.0, 6.0]]) @ coefs[0] + intercepts[0]
    np.testing.assert_allclose(one.unit_pictures(theta)[:, 0, 0], np.tanh(z[0]), rtol=1e-6)
    assert one.input_pictures()[0, 0, -1] == 1


def test_the_band_is_that_of_the_likelihood():
    one = session(problem="curve", loss="normal", features=["x"])
    band = one.curve(one.runs[0].theta)
    raw = one.net.raw(one.runs[0].theta, np.array([[-6.0]]))[0]
    np.testing.assert_allclose(band["high"][0], raw[0] + 1.959964 * np.exp(raw[1]), rtol=1e-6)


def test_functions_drawn_from_the_posterior_part_where_there_are_no_points():
    wider = []
    for seed in range(6):
        one = session(
            problem="curve", curveDataset="gap", loss="squared_error", features=["x"],
            networkShape=[6], solvers=["lm"], regularization="L2", regularizationRate=1e-3,
            seed=seed,
        )  # fmt: skip
        one.advance(60)
        spread = one.draws().std(axis=0)
        x = np.linspace(-6, 6, spread.size)
        wider.append(spread[abs(x) < 1].mean() / spread[(abs(x) > 2) & (abs(x) < 4.5)].mean())
    assert np.median(wider) > 2
    with pytest.raises(SettingsError, match="curve"):
        session().draws()
    with pytest.raises(SettingsError, match="no curvature"):
        session(problem="curve", loss="absolute_error", features=["x"]).draws()


def test_the_surface_has_the_loss():
    one = session(networkShape=[2], solvers=["sgd"])
    one.advance(3)
    answer = one.surface(0, 1)
    theta = one.runs[0].theta.copy()
    theta[0], theta[1] = (
        answer["centre"][0] - answer["reach"],
        answer["centre"][1] + answer["reach"],
    )
    assert answer["values"][0] == pytest.approx(one.runs[0].objective.value(theta))
    with pytest.raises(SettingsError):
        one.surface(0, 0)


def test_more_units_come_nearer_to_a_jump():
    answer = session(
        problem="curve", curveDataset="step", loss="squared_error", features=["x"]
    ).widths()
    assert answer["widths"] == list(range(1, 9))
    assert answer["train"][-1] < 1.01 * answer["train"][0]


def test_a_frame_can_be_read_back():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": shades(np.array([-2.0, 0.0, 1.0, np.nan]))}
    blob = encode({"type": "x"}, arrays)
    (length,) = struct.unpack_from("<I", blob)
    header = json.loads(blob[4 : 4 + length])
    assert (length + 4) % 8 == 0
    start = 4 + length
    a, b = header["arrays"]
    np.testing.assert_array_equal(np.frombuffer(blob, "<f4", 6, start + a["at"]), np.arange(6))
    assert list(np.frombuffer(blob, "u1", 4, start + b["at"])) == [0, 127, 254, 255]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", [True, False])
def test_a_table_is_read(separator, header):
    rows = [["x1", "x2", "kind"]] * header + [["10", "-1", "b"], ["20", "1", "a"], ["15", "0", "a"]]
    X, y, note = read_table("\n".join(separator.join(r) for r in rows) + "\n\n", "classification")
    np.testing.assert_allclose(X, [[-5, -5], [5, 5], [0, 0]])
    assert list(y) == [1, -1, -1]
    assert "3 points" in note


@pytest.mark.parametrize(
    ("text", "problem", "said"),
    [
        ("", "curve", "0 rows"),
        ("1,2\n3", "curve", "Row 2 has 1 columns"),
        ("1,2,3\n4,x,6", "regression", "Row 2 holds 'x'"),
        ("1,2,nan\n4,5,6", "regression", "Row 1 holds 'nan'"),
        ("1,2,a\n4,5,a", "classification", "two classes"),
        ("1,2,a\n4,5,b\n1,1,c", "classification", "two classes"),
        ("1,1\n" * 5001, "curve", "up to 5,000"),
        ("1" * 1_000_001, "curve", "up to 1,000,000"),
        (b"1,2", "curve", "is text"),
        ('1,"2\n3,4', "curve", "rows|read"),
        ("\x00,1\n2,3", "curve", "rows|number"),
    ],
)
def test_a_table_that_cannot_be_read(text, problem, said):
    with pytest.raises(SettingsError, match=said):
        read_table(text, problem)


def test_huge_numbers_in_a_table_stay_finite():
    X, y, _ = read_table("-1e308,-1e308\n1e308,1e308", "curve")
    assert np.isfinite(X).all()
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    "given", [None, [], [[1, 2]], [[1, 2, 3]], [[1, 2, "a"]], [[99, 0, 1]] * 2]
)
def test_drawn_points_that_are_none(given):
    with pytest.raises(SettingsError):
        drawn_points(given, "classification")
