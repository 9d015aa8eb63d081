"""Bins as ScoringBench takes them, and LSST's qp, with and without that package."""

import sys

import numpy as np
import pytest
from families import CONTINUOUS, DISCRETE, DRAWN, drawn

from fastmlp.distributions import Histogram, Normal

QP_NAMES = {
    "normal": b"norm",
    "student_t": b"t",
    "laplace": b"laplace",
    "lognormal": b"lognorm",
    "gamma": b"gamma",
    "beta": b"beta",
    "mixture": b"mixmod",
    "quantiles": b"quant",
}


@pytest.mark.parametrize("family", DRAWN)
def test_bins_hold_all_probability_and_the_score(family):
    dist = drawn(family)
    probas, edges, midpoints = dist.to_bins()
    assert probas.shape[:-1] == (50,) and edges.shape[-1] == probas.shape[-1] + 1
    np.testing.assert_allclose(midpoints, (edges[..., 1:] + edges[..., :-1]) / 2)
    assert (probas >= 0).all()
    np.testing.assert_allclose(probas.sum(1), 1, rtol=1e-12)
    y = dist.sample(1, random_state=0)[0]
    if not dist.discrete:
        # A bin of a mixture may span the gap between two of its components.
        rtol = 3e-2 if family in ("mixture", "averaged") else 5e-3
        np.testing.assert_allclose(Histogram(probas, edges).crps(y), dist.crps(y), rtol=rtol)
    else:
        np.testing.assert_allclose((probas * midpoints).sum(1), dist.mean(), rtol=1e-3, atol=1)


def test_bins_between_given_edges():
    dist = Normal([[0.0, 1.0], [2.0, 3.0]], 1.0)
    probas, edges, _ = dist.to_bins([-1, 0, 1])
    assert probas.shape == (2, 2, 2) and edges.shape == (3,)
    np.testing.assert_allclose(probas[..., 0], dist.cdf(0.0))
    own = dist.loc[..., None] + np.arange(-2, 3)
    probas, _, _ = dist.to_bins(own)
    np.testing.assert_allclose(probas, np.broadcast_to(probas[0, 0], probas.shape))


def test_a_histogram_gives_its_own_bins():
    dist = drawn("histogram")
    probas, edges, _ = dist.to_bins()
    assert edges.shape == (7,)
    np.testing.assert_allclose(probas, dist.probas, atol=1e-15)


@pytest.mark.parametrize("family", DRAWN)
def test_qp_tables(family):
    dist = drawn(family)
    tables = dist.to_qp_tables()
    assert set(tables) == {"meta", "data"}
    assert tables["meta"]["pdf_name"].tolist() == [QP_NAMES.get(family, b"hist")]
    assert tables["meta"]["pdf_version"].tolist() == [0]
    for value in tables["data"].values():
        assert value.shape[0] == 50 and value.ndim == 2 and value.flags.writeable
    assert dist[3].to_qp_tables()["data"].keys() == tables["data"].keys()


@pytest.mark.parametrize("family", CONTINUOUS)
@pytest.mark.filterwarnings("ignore")
def test_qp_reads_them(family):
    pytest.importorskip("qp")
    dist = drawn(family)
    ensemble = dist.to_qp()
    y = dist.median() + 0.3 * dist.std()
    assert ensemble.npdf == 50
    if family == "quantiles":  # between and beyond them, qp has curves of its own
        np.testing.assert_allclose(ensemble.ppf(dist.levels), dist.values, rtol=1e-6, atol=1e-6)
        return
    if family == "averaged":  # a histogram, which is right at its edges
        edges = dist.to_qp_tables()["meta"]["bins"].ravel()[1:-1]
        np.testing.assert_allclose(ensemble.cdf(edges), dist[:, None].cdf(edges), atol=1e-6)
        return
    np.testing.assert_allclose(ensemble.cdf(y[:, None]).ravel(), dist.cdf(y), atol=1e-6)
    np.testing.assert_allclose(ensemble.pdf(y[:, None]).ravel(), dist.pdf(y), rtol=1e-6)


@pytest.mark.parametrize("family", DISCRETE)
@pytest.mark.filterwarnings("ignore")
def test_qp_reads_counts_as_histograms(family):
    pytest.importorskip("qp")
    dist = drawn(family)
    edges = dist.to_bins()[1]
    np.testing.assert_allclose(
        dist.to_qp().cdf(edges[1:-1]), dist[:, None].cdf(edges[1:-1]), atol=1e-9
    )


def test_what_qp_has_no_form_for():
    with pytest.raises(ValueError, match=r"qp has one target; take dist\[:, j\]"):
        Normal(np.zeros((3, 2)), 1.0).to_qp_tables()
    own = Histogram(np.full((2, 2), 0.5), [[0, 1, 2], [0, 1, 3]])
    with pytest.raises(ValueError, match="rebin"):
        own.to_qp_tables()
    assert own.rebin([0, 1, 2, 3]).to_qp_tables()["meta"]["bins"].shape == (1, 4)


def test_qp_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "qp", None)
    with pytest.raises(ImportError, match="pip install qp-prob"):
        Normal([0.0], 1.0).to_qp()
