"""From what a posterior says of raw outputs to distributions of targets: raw integrated out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from fastmlp.distributions import Bernoulli, Distribution, Normal, average
from fastmlp.distributions._families import BernoulliFamily, Family, NormalFamily, scale_of
from fastmlp.posteriors._base import RawMixture

# Nodes of Gauss's rule for each raw output of a target; with more outputs, points of Sobol's.
_NODES = {1: 21, 2: 9}
_POINTS = 256
# Variances of raw outputs above it stand for all that are larger.
_MOST = 1e200


class Marginal(NamedTuple):
    """Predictive distributions of rows, and what their spread is made of.

    Attributes
    ----------
    dist : Distribution
    mean, epistemic, aleatoric : ndarray of the distribution's shape
        The mean; the standard deviation of what is expected, over the posterior; and that of
        targets around it, whose squares add up to the whole variance.
    """

    dist: Distribution
    mean: np.ndarray
    epistemic: np.ndarray
    aleatoric: np.ndarray


def marginal(family: Family, raws: RawMixture, n_targets: int) -> Marginal:
    """Integrate raw outputs out.

    One Normal of constant noise stays Normal. One whose scale is an output is, for each scale, a
    Normal with the conditional mean and variance of its location: a mixture over Gauss's nodes.
    All other families are averaged over nodes of the raw outputs of each target.

    Parameters
    ----------
    family : Family
    raws : RawMixture
    n_targets : int

    Returns
    -------
    Marginal
    """
    weights, members, inner = [], [], []
    for k, weight in enumerate(raws.weights):
        cov = None if raws.cov is None else np.nan_to_num(raws.cov[k], nan=_MOST, posinf=_MOST)
        for share, dist, var in _given(family, raws.mean[k], cov, raws.noise[k], n_targets):
            weights.append(weight * share)
            members.append(dist)
            inner.append(var)
    w = np.array(weights)
    means = np.stack([member.mean() for member in members])
    mean = np.tensordot(w, means, 1)
    epistemic = np.tensordot(w, (means - mean) ** 2, 1) + np.tensordot(w, np.stack(inner), 1)
    total = sum(share * member.var() for share, member in zip(w, members, strict=True))
    aleatoric = total - np.tensordot(w, np.stack(inner), 1)
    dist = average(members, w / w.sum())
    return Marginal(dist, mean, np.sqrt(epistemic), np.sqrt(np.maximum(aleatoric, 0)))


def _given(family, mean, cov, noise, n_targets):
    """Distributions that make up one component: weight, distribution, epistemic variance in it."""
    if isinstance(family, NormalFamily) and not family.of_rows:
        loc = _columns(mean, n_targets)[0]
        var = np.zeros_like(loc) if cov is None else _columns(_diagonal(cov), n_targets)[0]
        yield 1.0, Normal(loc, np.sqrt(var + noise**2)), var
        return
    if cov is None:
        dist = family.from_raw(mean, n_targets)
        yield 1.0, dist, np.zeros(dist.shape)
        return
    if isinstance(family, NormalFamily):
        yield from _given_scales(family, mean, cov, n_targets)
        return
    if isinstance(family, BernoulliFamily):
        p, var = _share(*(_columns(part, n_targets)[0] for part in (mean, _diagonal(cov))))
        yield 1.0, Bernoulli(p), var
        return
    joint = family.output_activation == "softmax"
    n_raw = mean.shape[1]
    depth = n_raw if joint else n_raw // n_targets
    nodes, shares = _points(depth)
    roots = [_root(cov[:, part][:, :, part]) for part in _parts(n_raw, depth)]
    for node, share in zip(nodes, shares, strict=True):
        raw = mean.copy()
        for part, root in zip(_parts(n_raw, depth), roots, strict=True):
            raw[:, part] += root @ node
        dist = family.from_raw(raw, n_targets)
        yield share, dist, np.zeros(dist.shape)


def _given_scales(family, mean, cov, n_targets):
    """Of Normals with a scale in each row: the scale at a node, the location integrated out.

    Location and log scale are what is linear in theta, whatever the parameters are: in a precision
    that is, half of the rows far from data would have none.
    """
    a, b = slice(0, n_targets), slice(n_targets, None)
    pairs = np.arange(n_targets)
    loc, log_scale = mean[:, a], mean[:, b]
    var_a, var_b = _diagonal(cov)[:, a], _diagonal(cov)[:, b]
    both = cov[:, pairs, n_targets + pairs]
    if family.natural:
        loc, log_scale, by_a, by_b, slope = _of_natural(family, mean, n_targets)
        var_a, both, var_b = (
            by_a**2 * var_a + 2 * by_a * by_b * both + by_b**2 * var_b,
            slope * (by_a * both + by_b * var_b),
            slope**2 * var_b,
        )
    nodes, shares = _points(1)
    slope = both / np.maximum(var_b, np.finfo(float).tiny)
    inner = _columns(np.maximum(var_a - slope * both, 0), n_targets)[0]
    for node, share in zip(nodes[:, 0], shares, strict=True):
        step = node * np.sqrt(var_b)
        place = _columns(loc + slope * step, n_targets)[0]
        scale = scale_of(_columns(log_scale + step, n_targets)[0])
        yield share, Normal(place, np.sqrt(scale**2 + inner)), inner


def _of_natural(family, mean, n_targets):
    """Location and log scale by eta1 = loc / scale^2 and softplus(r) = 1 / scale^2.

    Returns
    -------
    loc, log_scale, d loc / d eta1, d loc / d r, d log_scale / d r : ndarray of shape (n, n_targets)
    """
    dist = family.from_raw(mean, n_targets)
    loc, scale = (part.reshape(-1, n_targets) for part in (dist.loc, dist.scale))
    bend = scale**2 * special.expit(mean[:, n_targets:])
    return loc, np.log(scale), scale**2, -loc * bend, -0.5 * bend


def expected(family: Family, raw: np.ndarray, mean: np.ndarray, n_targets: int) -> np.ndarray:
    """The mean of targets at raw outputs that were drawn around a mean, linear as in `marginal`."""
    if isinstance(family, NormalFamily) and family.of_rows and family.natural:
        loc, _, by_a, by_b, _ = _of_natural(family, mean, n_targets)
        step = raw - mean
        loc = loc + by_a * step[:, :n_targets] + by_b * step[:, n_targets:]
        return _columns(loc, n_targets)[0]
    return family.from_raw(raw, n_targets).mean()


def _share(mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of expit(N(mean, var)), by Gauss's rule.

    Over the Normal where that is narrow; where it is wide over the logistic distribution L, as
    E expit(X) = E Phi((mean - L) / sd), and E expit^2 = E expit - E expit'.
    """
    sd = np.sqrt(np.maximum(var, 0))[..., None]
    wide = sd > 1
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    weight = weight / weight.sum()
    narrow = special.expit(mean[..., None] + np.where(wide, 0, sd) * node)
    level, share = np.polynomial.legendre.leggauss(80)
    z = (mean[..., None] - special.logit((1 + level) / 2)) / np.where(wide, sd, 1)
    first = np.where(wide[..., 0], special.ndtr(z) @ share / 2, narrow @ weight)
    slope = np.exp(-0.5 * z**2) @ share / 2 / np.where(wide, sd, 1)[..., 0] / np.sqrt(2 * np.pi)
    second = np.where(wide[..., 0], first - slope, narrow**2 @ weight)
    return first, np.maximum(second - first**2, 0)


def _points(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a standard Normal of so many dimensions, (m, depth), and their weights."""
    if depth not in _NODES:
        uniform = stats.qmc.Sobol(depth, seed=0).random(_POINTS)
        return stats.norm.ppf(uniform), np.full(_POINTS, 1 / _POINTS)
    node, weight = np.polynomial.hermite_e.hermegauss(_NODES[depth])
    grid = np.stack(np.meshgrid(*[node] * depth, indexing="ij"), axis=-1).reshape(-1, depth)
    weights = np.prod(np.stack(np.meshgrid(*[weight] * depth, indexing="ij")), axis=0).ravel()
    return grid, weights / weights.sum()


def _parts(n_raw, depth):
    """The raw outputs of each target."""
    n_targets = n_raw // depth
    return [slice(j, None, n_targets) for j in range(n_targets)]


def _root(cov: np.ndarray) -> np.ndarray:
    """R with R R' = cov, (n, k, k), whatever rounding did to it."""
    if cov.shape[1] == 1:
        return np.sqrt(np.maximum(cov, 0))
    scale = np.maximum(_diagonal(cov).max(axis=1), np.finfo(float).tiny)[:, None, None]
    values, basis = np.linalg.eigh(cov / scale)
    return basis * np.sqrt(np.maximum(values, 0) * scale[:, 0])[:, None]


def _diagonal(cov: np.ndarray) -> np.ndarray:
    return np.einsum("nkk->nk", cov)


def _columns(rows: np.ndarray, n_targets: int) -> Any:
    """Parameter k of all rows as entry k: (n,) of one target, (n, n_targets) of several."""
    parts = rows.reshape(len(rows), -1, n_targets).swapaxes(0, 1)
    return parts[..., 0] if n_targets == 1 else parts
