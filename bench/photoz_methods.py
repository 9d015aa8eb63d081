"""What ``bench.photoz`` compares: each makes of (X, z) a function from rows to an estimate.

An estimate is a distribution of ``fastmlp.distributions``, or a number where that is all.
"""

import importlib.util

import numpy as np

from bench.heads import averaged
from fastmlp.distributions import Normal, NormalMixture, Quantiles, resolve_family

WIDTHS = (64, 64)
COMPONENTS = 10
BINS = 200


def head(distribution):
    """A network of fastmlp with this output distribution, stopped early."""

    def fit(X, z):
        from fastmlp import MLPDistributionRegressor

        model = MLPDistributionRegressor(
            distribution=distribution, hidden_layer_sizes=WIDTHS, standardize=True,
            early_stopping=True, n_iter_no_change=20, max_iter=400, random_state=0,
        )  # fmt: skip
        return model.fit(X, z).predict_dist

    return fit


def five(distribution):
    """Five such networks, each stopped early on rows of its own; their densities averaged."""
    return lambda X, z: averaged(distribution, X, z, hidden_layer_sizes=WIDTHS, max_iter=60)


def bayesian(posterior, widths):
    """A distribution over weights, and a Normal in each row; features as ``averaged`` has them."""

    def fit(X, z):
        from fastmlp import BayesianMLPRegressor
        from fastmlp.tabular import SmoothClipScaler

        scaler = SmoothClipScaler().fit(X)
        model = BayesianMLPRegressor(
            ("normal", {"scale": "row"}), widths, posterior=posterior, random_state=0
        )
        model.fit(scaler.transform(X), z)
        return lambda rows: model.predict_dist(scaler.transform(rows))

    return fit


def sklearn_mlp(X, z):
    """scikit-learn's network of the same size: a point for each row."""
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPRegressor(
        hidden_layer_sizes=WIDTHS, early_stopping=True, n_iter_no_change=20, random_state=0
    )
    return make_pipeline(StandardScaler(), network).fit(X, z).predict


def boosting(X, z):
    """scikit-learn's histogram gradient boosting, a model for each of 19 quantiles, sorted."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    levels = np.arange(1, 20) / 20
    models = [
        HistGradientBoostingRegressor(loss="quantile", quantile=q, random_state=0).fit(X, z)
        for q in levels
    ]

    def predict(rows):
        values = np.sort(np.stack([model.predict(rows) for model in models], axis=1), axis=1)
        # Quantiles that meet are a spike in the density: none is nearer than half the mean gap.
        least = np.linspace(0, 0.5, len(levels)) * (values[:, -1:] - values[:, :1] + 1e-6)
        return Quantiles(np.maximum.accumulate(values - least, axis=1) + least, levels)

    return predict


def skl_neurnet(X, z):
    """RAIL's SklNeurNet: 12-12 tanh by lbfgs, a Normal of width 0.05 (1 + z), three decimals."""
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import StandardScaler

    network = MLPRegressor(
        hidden_layer_sizes=(12, 12), activation="tanh", solver="lbfgs", max_iter=500, random_state=0
    )
    network.fit(StandardScaler().fit_transform(X), z)

    def predict(rows):
        # Its scaler is fitted to the rows asked about, as RAIL's is to each chunk.
        mode = np.round(network.predict(StandardScaler().fit_transform(rows)), 3)
        return Normal(mode, np.maximum(0.05 * (1 + mode), 1e-3))

    return predict


def plain_mdn(X, z):
    """A mixture density network of equal size as PyTorch's tutorials have it, stopped early."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1
    centre, unit = z.mean(), z.std()
    A = torch.tensor((X - mean) / scale, dtype=torch.float32)
    b = torch.tensor((z - centre) / unit, dtype=torch.float32)[:, None]
    sizes = (X.shape[1], *WIDTHS)
    layers = []
    for wide, narrow in zip(sizes, sizes[1:], strict=False):
        layers += [torch.nn.Linear(wide, narrow), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTHS[-1], 3 * COMPONENTS))

    def nll(out, target):
        logits, loc, log_scale = out.chunk(3, dim=1)
        parts = torch.distributions.Normal(loc, log_scale.exp() + 1e-4).log_prob(target)
        return -torch.logsumexp(torch.log_softmax(logits, dim=1) + parts, dim=1).mean()

    n_held = len(A) // 10
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    best, kept, idle = np.inf, None, 0
    for _ in range(400):
        for rows in (n_held + torch.randperm(len(A) - n_held)).split(200):
            optimiser.zero_grad()
            nll(net(A[rows]), b[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            score = nll(net(A[:n_held]), b[:n_held]).item()
        idle += 1
        if score < best - 1e-4:
            best, idle = score, 0
            kept = {name: value.clone() for name, value in net.state_dict().items()}
        if idle == 20:
            break
    net.load_state_dict(kept)

    def predict(rows):
        with torch.no_grad():
            out = net(torch.tensor((rows - mean) / scale, dtype=torch.float32)).double()
            logits, loc, log_scale = out.chunk(3, dim=1)
            weights = torch.softmax(logits, dim=1).numpy()
        loc, spread = loc.numpy(), np.exp(log_scale.numpy()) + 1e-4
        return NormalMixture(weights, centre + unit * loc, unit * spread)

    return predict


HEADS = {
    "fastmlp normal": "normal",
    "fastmlp student_t": "student_t",
    "fastmlp mixture": ("mixture", {"components": COMPONENTS}),
    "fastmlp histogram": ("histogram", {"bins": BINS}),
    "fastmlp histogram, CRPS": ("histogram", {"bins": BINS, "loss": "crps"}),
}
METHODS = {
    **{name: head(distribution) for name, distribution in HEADS.items()},
    "fastmlp mixture, five": five(HEADS["fastmlp mixture"]),
    "fastmlp Laplace": bayesian("laplace", (20,)),
    "fastmlp ensemble": bayesian("ensemble", (20,)),
    "fastmlp variational": bayesian("variational", (20,)),
    "fastmlp MCMC": bayesian("mcmc", (5,)),
    "scikit-learn MLP": sklearn_mlp,
    "boosted quantiles": boosting,
    "plain MDN, PyTorch": plain_mdn,
    "SklNeurNet": skl_neurnet,
}
MOST_ROWS = {"fastmlp MCMC": 1000}  # beyond, a fit takes more than a minute


def available(method):
    """Whether its package is installed, its family of distributions known."""
    if method in HEADS:
        try:
            resolve_family(HEADS[method])
        except (TypeError, ValueError):
            return False
    return "PyTorch" not in method or importlib.util.find_spec("torch") is not None
