"""Sums over data: what parts of it add up to, the map of theta, penalties in groups."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from cases import relative_error
from parts import Faulty, Smooth, die

from fastmlp import Network, penalties
from fastmlp._gram import Factors
from fastmlp.objective import Objective
from fastmlp.penalties import L2
from fastmlp.posteriors._structure import check_fits
from fastmlp.segments import Segment
from fastmlp.solvers import LevenbergMarquardt, NewtonCG, minimize
from fastmlp.terms import SHAPES, Total

# Sums in another order: some hundred roundings of float64.
ORDER = 1e-12


def data(n=60, n_outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = np.sin(X).sum(axis=1) if n_outputs == 1 else np.sin(X @ rng.normal(size=(3, n_outputs)))
    return X, y, rng.uniform(0.5, 2.0, size=n)


def split(net, X, y, w, n_parts=3):
    """Terms of every n_parts-th row, of different weights."""
    return [
        net.objective(X[k::n_parts], y[k::n_parts], sample_weight=w[k::n_parts]).term
        for k in range(n_parts)
    ]


# -- the map of theta ------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [[2, 1], [3, 4, 2], [1, 1, 1, 1]])
def test_segments_are_what_unpack_shows(layers):
    net = Network(layers)
    coefs, intercepts = net.unpack(np.arange(float(net.n_params)))
    assert [s.name for s in net.segments[::2]] == [f"W{l}" for l in range(1, len(layers))]
    assert [s.name for s in net.segments[1::2]] == [f"b{l}" for l in range(1, len(layers))]
    for segment, array in zip(net.segments[::2], coefs, strict=True):
        assert (segment.at, segment.rows, segment.cols) == (array[0, 0], *array.shape)
        assert segment.group == "weights"
    for segment, array in zip(net.segments[1::2], intercepts, strict=True):
        assert (segment.at, segment.rows, segment.cols) == (array[0], 1, array.size)
        assert segment.group == "biases"
    assert [s.end for s in net.segments] == [s.at for s in net.segments[1:]] + [net.n_params]


# -- penalties -------------------------------------------------------------------------------------


class TestAnotherMap:
    """Names and groups say what a segment is, not its place: here b1, W1, W2 alone, W3, b3."""

    segments = (
        Segment("b1", 0, 1, 3, "biases"),
        Segment("W1", 3, 2, 3, "weights"),
        Segment("W2", 9, 3, 2, "weights"),
        Segment("b3", 15, 1, 1, "biases"),
        Segment("W3", 16, 2, 1, "weights"),
    )

    @pytest.mark.parametrize("grouping", ["single", "layer", "ard"])
    def test_the_prior_leaves_out_the_biases_of_outputs(self, grouping):
        prior = penalties.prior(self.segments, grouping, np.array([4.0]))
        groups = prior.penalty.groups
        names = {
            "single": ["all"] * 17,
            "layer": ["b1"] * 3 + ["W1"] * 6 + ["W2"] * 6 + ["W3"] * 2,
            "ard": ["b1"] * 3 + ["W1[0]"] * 3 + ["W1[1]"] * 3 + ["W2"] * 6 + ["W3"] * 2,
        }[grouping]
        assert groups.index[15] == -1
        assert [groups.names[k] for k in np.delete(groups.index, 15)] == names
        typical = dict(zip(groups.names, prior.typical, strict=True))
        expected = {name: 3.0 * (name == "W2") + 2.0 * (name == "W3") for name in names}
        assert typical == ({"all": 0} if grouping == "single" else expected)
        assert prior.segments["b3"] == ()
        np.testing.assert_array_equal(np.flatnonzero(prior.penalty.diagonal == 0.25), [16, 17])

    def test_a_posterior_by_layers_has_a_block_for_each(self):
        objective = SimpleNamespace(segments=self.segments, n_params=18)
        assert check_fits(objective, "layer") == ("layer", [9, 6, 3])


class TestPenalties:
    net = Network([3, 2, 1])

    @pytest.mark.parametrize(
        ("groups", "names"),
        [
            (penalties.weights, ["weights"]),
            (penalties.by_segment, ["W1", "b1", "W2", "b2"]),
            (penalties.by_feature, ["W1[0]", "W1[1]", "W1[2]", "b1", "W2", "b2"]),
        ],
    )
    def test_value_gradient_and_diagonal(self, groups, names, rng):
        groups = groups(self.net.segments)
        assert list(groups.names) == names
        strengths = rng.uniform(1, 2, size=len(names))
        relative = rng.uniform(1, 2, size=self.net.n_params)
        theta = rng.normal(size=self.net.n_params)
        penalty = L2(groups, strengths, relative)
        expected = np.zeros(self.net.n_params)
        (W1, W2), (b1, b2) = self.net.unpack(expected)
        by_name = {"W1": W1, "b1": b1, "W2": W2, "b2": b2, **{f"W1[{k}]": W1[k] for k in range(3)}}
        for name, strength in zip(names, strengths, strict=True):
            for part in [W1, W2] if name == "weights" else [by_name[name]]:
                part[...] = strength
        expected *= relative
        assert np.allclose(penalty.diagonal, expected, rtol=1e-15)
        assert penalty.value(theta) == pytest.approx(0.5 * expected @ theta**2, rel=1e-14)
        grad = np.ones_like(theta)
        penalty.add_to(grad, theta)
        assert np.allclose(grad, 1 + expected * theta, rtol=1e-14)
        assert strengths @ penalty.squares(theta) == pytest.approx(expected @ theta**2, rel=1e-14)

    @pytest.mark.parametrize(
        ("strengths", "match"),
        [
            ([1.0, 2.0], r"one for each of 4 groups, W1, b1, W2, b2; got shape \(2,\)"),
            ([1.0, -1.0, 0.0, 0.0], "at least 0; that of b1 is -1.0"),
            ([1.0, 1.0, 0.0, np.nan], "that of b2 is nan"),
            (np.inf, "that of W1 is inf"),
        ],
    )
    def test_bad_strengths(self, strengths, match):
        with pytest.raises(ValueError, match=match):
            L2(penalties.by_segment(self.net.segments), strengths)

    def test_of_another_network(self):
        objective = self.net.objective(np.ones((4, 3)), np.ones(4))
        with pytest.raises(ValueError, match="for 3 parameters, the term for 11"):
            Objective(objective.term, L2(penalties.weights(Network([2, 1]).segments), 1.0))


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_every_answer_has_the_strengths_of_groups(n_outputs, rng):
    """Beside the same without a penalty; the dual form solves with strengths by row and column."""
    net = Network([3, 4, n_outputs], "tanh")
    X, y, w = data(9, n_outputs)
    bare = net.objective(X, y, sample_weight=w)
    relative = np.ones(net.n_params)
    net.segments[2].of(relative)[...] = rng.uniform(1, 2, size=(4, n_outputs))
    groups = penalties.by_feature(net.segments)
    penalty = L2(groups, rng.uniform(0.1, 1, size=len(groups.names)), relative)
    objective = Objective(bare.term, penalty)
    theta, v, D = net.init(0), rng.normal(size=net.n_params), penalty.diagonal
    assert D.min() > 0
    value, grad = bare.value_grad(theta)
    more = 0.5 * D @ theta**2
    assert objective.value(theta) == pytest.approx(value + more, rel=1e-14)
    assert relative_error(objective.value_grad(theta)[1], grad + D * theta) < ORDER
    for name in ("hessian", "ggn"):
        expected = getattr(bare, name)(theta) + np.diag(D)
        assert relative_error(getattr(objective, name)(theta), expected) < ORDER
    assert relative_error(objective.hess_mul(theta, v), bare.hess_mul(theta, v) + D * v) < ORDER
    assert relative_error(objective.ggn_mul(theta, v), bare.ggn_mul(theta, v) + D * v) < ORDER
    assert relative_error(objective.ggn_diagonal(theta), bare.ggn_diagonal(theta) + D) < ORDER
    value, grad, G = objective.value_grad_ggn(theta)
    assert relative_error(grad, objective.value_grad(theta)[1]) < ORDER
    _, same, gram = objective.value_grad_gram(theta)
    assert relative_error(same, grad) < ORDER
    assert relative_error(gram.diagonal, np.diag(G)) < ORDER
    J = np.array([gram.transpose_mul(unit) for unit in np.eye(gram.n_residuals)])
    assert relative_error(J.T @ J + np.diag(D), G) < ORDER
    assert relative_error(gram.mul(v), J @ v) < ORDER
    assert relative_error(gram.kernel(0.3), J @ np.diag(1 / (D + 0.3)) @ J.T) < ORDER
    assert relative_error(gram.divide(v, 0.3), v / (D + 0.3)) < ORDER


def test_mini_batches_take_the_l2_term_alone():
    net = Network([3, 4, 1])
    objective = net.objective(*data()[:2], alpha=0.1)
    other = objective.with_penalty(L2(penalties.by_segment(net.segments), 1.0))
    with pytest.raises(ValueError, match="no penalty but the L2 term"):
        minimize(other, net.init(0), solver="adam")
    assert minimize(objective, net.init(0), solver="adam", max_iter=1).n_iter == 1


# -- terms that live anywhere ----------------------------------------------------------------------


class TestTotal:
    @pytest.mark.parametrize("want", SHAPES)
    @pytest.mark.parametrize("layers", [[3, 5, 1], [3, 5, 4]])
    def test_parts_add_up_to_the_whole(self, want, layers, rng):
        net = Network(layers, "tanh")
        X, y, w = data(n_outputs=layers[-1])
        whole = net.objective(X, y, sample_weight=w).term
        total = Total(split(net, X, y, w))
        assert (total.n_samples, total.n_residuals) == (whole.n_samples, whole.n_residuals)
        assert total.weight == pytest.approx(whole.weight, rel=1e-14)
        theta, v = net.init(0), rng.normal(size=net.n_params)
        ours, theirs = total.sums(want, theta, v), whole.sums(want, theta, v)
        for a, b in zip(ours, theirs, strict=True):
            if isinstance(a, Factors):  # in another order of rows
                a, b = (
                    np.concatenate([(delta.T @ delta).ravel() for _, delta in factors.pairs])
                    for factors in (a, b)
                )
            assert relative_error(a, b) < ORDER

    @pytest.mark.parametrize(
        ("loss", "penalty"), [("squared_error", 0.1), ("poisson", 1e-2), (Smooth(), 1e-2)]
    )
    def test_the_same_path_in_processes(self, loss, penalty):
        net = Network([3, 6, 1], "tanh", loss=loss)
        X, y, w = data()
        y = np.abs(y)
        whole = net.objective(X, y, sample_weight=w)
        term = L2(penalties.weights(net.segments), penalty)
        run = {"solver": LevenbergMarquardt(), "max_iter": 15, "tol": 1e-12}
        one = minimize(Objective(whole.term, term), net.init(0), **run)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            parts = Objective(Total(split(net, X, y, w), pool.map), term)
            many = minimize(parts, net.init(0), **run)
        assert one.n_iter == many.n_iter >= 10
        assert np.allclose(one.history["loss"], many.history["loss"], rtol=1e-10)
        assert np.abs(one.theta - many.theta).max() < 1e-10 * np.abs(one.theta).max()

    def test_a_sample_of_the_rows(self):
        net = Network([3, 5, 1], "tanh")
        X, y, w = data()
        total = Total(split(net, X, y, w))
        order = np.concatenate([np.arange(k, len(X), 3) for k in range(3)])
        rows = np.array([55, 3, 21, 22])
        expected = net.objective(X, y, sample_weight=w, rows=order[rows])
        found = Objective(total.subset(rows))
        assert found.value(net.init(0)) == pytest.approx(expected.value(net.init(0)), rel=1e-13)
        solver = NewtonCG(batch_size=30, curvature_size=10)
        assert minimize(Objective(total), net.init(0), solver=solver, max_iter=3).n_iter == 3

    def test_a_run_in_threads_and_mini_batches_by_name(self):
        net = Network([3, 5, 1], "tanh")
        with ThreadPoolExecutor(2) as pool:
            objective = Objective(Total(split(net, *data()), pool.map))
            assert minimize(objective, net.init(0), max_iter=5).n_iter == 5
        with pytest.raises(TypeError, match="Adam needs an objective that has epoch; Objective"):
            minimize(objective, net.init(0), solver="adam")

    def test_terms_can_be_pickled(self):
        net = Network([3, 5, 1], "tanh", loss=Smooth(), dtype=np.float32)
        term = net.objective(*data(), rows=[1, 2, 5], n_threads=1).term
        term.sums("ggn", net.init(0))
        again = pickle.loads(pickle.dumps(term))
        assert again.threads.n_threads == 1
        assert again.sums("value", net.init(0)) == term.sums("value", net.init(0))


def nan(sums):
    return tuple(np.nan * part for part in sums)


def fail(sums):
    raise OSError("the file is gone")


class TestFaultyParts:
    net = Network([3, 5, 1], "tanh")

    def total(self, answer, good=1, **more):
        first, second, third = split(self.net, *data())
        return Total([first, Faulty(second, answer, good), third], **more)

    @pytest.mark.parametrize(
        ("answer", "error", "match"),
        [
            (nan, ValueError, "part 1 of 3 .* answers value_grad with NaN"),
            (fail, RuntimeError, "No value_grad of part 1 of 3.*failed.*OSError: the file is gone"),
            (lambda sums: sums[:1], ValueError, r"part 1 of 3 .* shapes \[\(\), \(26,\)\]; got"),
            (lambda sums: (sums[0], sums[1][:-1]), ValueError, r"got \[\(\), \(25,\)\]"),
            (lambda sums: None, ValueError, "part 1 of 3 .* got None"),
        ],
    )
    def test_named_and_the_state_as_before(self, answer, error, match):
        total = self.total(answer)
        objective = Objective(total)
        theta = self.net.init(0)
        before = theta.copy(), *objective.value_grad(theta)
        with pytest.raises(error, match=match):
            minimize(objective, theta)
        total.parts[1].good = 10**9
        for a, b in zip(before, (theta, *objective.value_grad(theta)), strict=True):
            assert np.array_equal(a, b)

    def test_a_part_that_dies(self):
        theta = self.net.init(0)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            objective = Objective(self.total(die, good=0, map=pool.map))
            with pytest.raises(RuntimeError, match="of part . of 3 .*died.*BrokenProcessPool"):
                minimize(objective, theta, solver="lm")
        assert np.array_equal(theta, self.net.init(0))

    def test_a_trial_that_is_no_number_is_a_rejection(self):
        """As in one piece: theta is to blame, since the parts answer where they did before."""
        X, y, w = data()
        net = Network([3, 5, 1], "exp", loss="poisson")
        whole = net.objective(X, np.abs(y), sample_weight=w)
        total = Objective(Total(split(net, X, np.abs(y), w)))
        far = np.full(net.n_params, 1e3)
        theta = net.init(0)
        assert total.value(theta) == pytest.approx(whole.value(theta))
        with np.errstate(all="ignore"):
            assert np.isnan(whole.value_grad(far)[1]).any()
            assert np.isnan(total.value_grad(far)[1]).any()
            with pytest.raises(ValueError, match="part 0 of 3 .* NaN"):
                Objective(Total(split(net, X, np.abs(y), w))).value_grad(far)

    def test_a_term_of_ones_own_is_checked_alone_too(self):
        """Its arrays stay its own."""
        term = split(self.net, *data())[0]
        theta = self.net.init(0)
        kept = term.sums("value_grad", theta)
        kept[1].flags.writeable = False
        same = Objective(Faulty(term, lambda sums: kept, good=0))
        assert np.array_equal(same.value_grad(theta)[1], Objective(term).value_grad(theta)[1])
        for answer, got in ((lambda s: s[:1], r"\[\(\)\]"), (lambda s: (s[0], "no"), "<U2")):
            with pytest.raises(ValueError, match=f"term must answer value_grad .*; got .*{got}"):
                Objective(Faulty(term, answer, good=0)).value_grad(theta)
        with pytest.raises(TypeError, match="term must have n_params, n_samples.* has not"):
            Objective(object())
        with pytest.raises(TypeError, match="part 1 of 2 .* must have .*sums"):
            Total([term, self.net])

    def test_parts_that_do_not_belong_together(self):
        parts = split(self.net, *data())
        other = Network([3, 4, 1]).objective(*data()[:2]).term
        with pytest.raises(ValueError, match="part 1 of 2 .* has 21 parameters .* the first 26"):
            Total([parts[0], other])
        with pytest.raises(ValueError, match="at least one part"):
            Total([])
        with pytest.raises(ValueError, match="theta must have shape"):
            Total(parts).sums("value", np.zeros(3))
