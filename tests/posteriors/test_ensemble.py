"""Ensembles: own starts and rows on one copy of X, whatever the threads; honest out of the bag."""

import numpy as np
import pytest

from fastmlp import Network
from fastmlp.posteriors import Ensemble
from fastmlp.solvers import Adam, Status, minimize


def problem(n=60, loss="squared_error", **network):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(n, 2))
    y = np.sin(3 * X.sum(1)) + 0.1 * rng.normal(size=n)
    y = (y > 0).astype(float) if loss == "log_loss" else y
    return Network([2, 5, 1], activation="tanh", loss=loss, **network), X, y


def by_adam(objective, theta, random_state):
    return minimize(objective, theta, solver=Adam(), max_iter=20, random_state=random_state)


@pytest.mark.parametrize("rows", ["all", "bootstrap"])
@pytest.mark.parametrize("train", [None, by_adam])
def test_members_are_the_same_whatever_the_threads(rows, train):
    net, X, y = problem()
    found = [
        Ensemble(3, rows).fit(
            net.objective(X, y), net.init(random_state=0), train=train, random_state=1, n_threads=n
        )
        for n in (1, 2)
    ]
    assert np.array_equal(found[0].thetas, found[1].thetas)
    assert len({theta.tobytes() for theta in found[0].thetas}) == 3
    losses = [result.loss for result in found[0].results]
    assert losses == sorted(losses)


def test_a_member_of_a_bag_is_that_of_rows_repeated():
    net, X, y = problem()
    seen = []

    def train(objective, theta, random_state):
        assert np.shares_memory(objective.term.data.X, X)  # one copy
        w = objective.term.data.w
        seen.append((w.astype(int), objective.value(theta), objective.weight_sum))
        return minimize(objective, theta, solver="lbfgs", max_iter=5)

    start = net.init(random_state=0)
    Ensemble(2, "bootstrap").fit(
        net.objective(X, y), start, train=train, random_state=0, n_threads=1
    )
    counts, value, weight = seen[0]
    assert weight == counts.sum() == len(X) and (counts == 0).any() and counts.max() > 1
    again = np.repeat(np.arange(len(X)), counts)
    assert np.isclose(value, net.objective(X[again], y[again]).value(start), rtol=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_what_bags_leave_out_judges_honestly(loss):
    net, X, y = problem(400, loss)
    posterior = Ensemble(8, "bootstrap").fit(
        net.objective(X[:200], y[:200]), net.init(random_state=0), random_state=0
    )
    fresh = net.objective(X[200:], y[200:])
    test = np.mean([fresh.value(theta) for theta in posterior.thetas])
    inside = np.mean([net.value(theta, X[:200], y[:200]) for theta in posterior.thetas])
    assert abs(np.log(posterior.oob_loss / test)) < 0.35
    assert inside < posterior.oob_loss
    ok = np.isfinite(posterior.oob_prediction[:, 0])
    assert ok.mean() > 0.9
    truth = y[:200][ok] - posterior.oob_prediction[ok, 0]
    assert np.mean(truth**2) < 0.5 * y.var()
    if loss == "squared_error":
        assert abs(posterior.noise / 0.1 - 1) < 0.5
    else:
        assert posterior.noise == 1


def test_the_mixture_is_that_of_the_members():
    net, X, y = problem()
    posterior = Ensemble(3).fit(net.objective(X, y), net.init(random_state=0), random_state=0)
    mixture = posterior.raws(X, 50)
    assert np.allclose(mixture.weights, 1 / 3) and mixture.cov is None
    for theta, mean in zip(posterior.thetas, mixture.mean, strict=True):
        assert np.array_equal(mean, net.raw(theta, X))
    assert np.array_equal(mixture.noise, [result.state.noise for result in posterior.results])
    theta, noise = posterior.draw(20, 0)
    at = [int(np.flatnonzero((posterior.thetas == t).all(1))[0]) for t in theta]
    assert np.array_equal(noise, posterior.noises[at]) and len(set(at)) == 3


def test_ctrl_c_and_time_keep_the_members_that_were_begun():
    net, X, y = problem()
    made = []

    def train(objective, theta, random_state):
        result = by_adam(objective, theta, random_state)
        made.append(result)
        if len(made) == 2:
            result = type(result)(**{**vars(result), "status": Status.INTERRUPTED})
        return result

    start = net.init(random_state=0)
    with pytest.warns(RuntimeWarning, match="Ended early: 2 of 5 members"):
        posterior = Ensemble(5).fit(
            net.objective(X, y), start, train=train, random_state=0, n_threads=1
        )
    assert len(posterior.thetas) == 2
    with pytest.warns(RuntimeWarning, match="Ended early: 1 of 3 members"):
        Ensemble(3, max_time=1e-9).fit(net.objective(X, y), start, train=by_adam, n_threads=1)

    def never(objective, theta, random_state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Ensemble(2).fit(net.objective(X, y), net.init(random_state=0), train=never)


def test_what_cannot_be_is_said():
    net, X, y = problem()
    with pytest.raises(ValueError, match="n_members must be at least 1"):
        Ensemble(0).fit(net.objective(X, y), net.init(random_state=0))
    with pytest.raises(ValueError, match="bootstrap"):
        Ensemble(2, "bootstraps").fit(net.objective(X, y), net.init(random_state=0))
