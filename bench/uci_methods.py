"""What ``bench.uci`` compares: each makes of (X, y) a function from rows to a distribution."""

import importlib.util

import numpy as np

from bench.committee import Committee, student
from bench.heads import averaged
from fastmlp import BayesianMLPRegressor, MLPRegressor, TabularMLPRegressor
from fastmlp.distributions import Normal, StudentT
from fastmlp.solvers import LevenbergMarquardt


def committee(X, y):
    """Out-of-fold networks, weighted, with sigma(x) and a Student-t: ``bench.committee``."""
    return Committee().fit(X, y).predict_dist


def constant_noise(X, y):
    """Levenberg-Marquardt with evidence, 20 units, five starts averaged: one sigma for all rows."""
    models = [
        MLPRegressor(
            hidden_layer_sizes=(20,), activation="tanh", solver=LevenbergMarquardt(evidence=True),
            standardize=True, max_iter=150, random_state=k,
        ).fit(X, y)
        for k in range(5)
    ]  # fmt: skip
    noise = np.mean([model.evidence_.noise for model in models]) * y.std()

    def predict(rows):
        each = np.stack([model.predict(rows) for model in models])
        return Normal(each.mean(axis=0), np.hypot(noise, each.std(axis=0)))

    return predict


def posterior(name):
    """BayesianMLPRegressor as it comes, and of its draws the Normal of their mean and variance."""

    def fit(X, y):
        model = BayesianMLPRegressor(posterior=name, random_state=0).fit(X, y)

        def predict(rows):
            dist = model.predict_dist(rows)
            return Normal(dist.mean(), dist.std())

        return predict

    return fit


def tabular(X, y):
    """TabularMLPRegressor as it comes."""
    return TabularMLPRegressor(random_state=0).fit(X, y).predict_dist


def shape(distribution):
    """Five networks of 50 units with this output distribution, their densities averaged."""

    def fit(X, y):
        return averaged(distribution, X, y, hidden_layer_sizes=(50,), batch_size=32, max_iter=200)

    return fit


def ridge(X, y):
    """A linear model with a Student-t of constant width: what no network may be worse than."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
    left = y - cross_val_predict(model, X, y, cv=5)
    _, df, factor = student(left, np.full(len(y), np.log(left.std())))
    model.fit(X, y)
    return lambda rows: StudentT(df, model.predict(rows), np.full(len(rows), factor * left.std()))


def ngboost(X, y):
    """NGBoost as it comes: 500 trees, a Normal in each row."""
    from ngboost import NGBRegressor

    model = NGBRegressor(verbose=False, random_state=0).fit(X, y)

    def predict(rows):
        found = model.pred_dist(rows)
        return Normal(found.loc, found.scale)

    return predict


def scaled(X, y):
    """Standardised tensors, and the way back."""
    import torch

    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tensors = (
        torch.tensor((X - mean) / scale, dtype=torch.float32),
        torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None],
    )
    return *tensors, lambda rows: torch.tensor((rows - mean) / scale, dtype=torch.float32)


def epochs(model, loss, A, b, n, lr):
    """Adam on batches of 32, as PyTorch's manual has it."""
    import torch

    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(n):
        for rows in torch.randperm(len(A)).split(32):
            optimiser.zero_grad()
            loss(model(A[rows]), b[rows]).backward()
            optimiser.step()
    return model


def torch_ensemble(X, y):
    """Five networks of 50 ReLU units with a Normal likelihood, 200 epochs of PyTorch's adam."""
    import torch

    A, b, scale = scaled(X, y)

    def nll(out, target):
        mean, raw = out.chunk(2, dim=1)
        var = torch.nn.functional.softplus(raw) + 1e-6
        return (0.5 * torch.log(var) + 0.5 * (target - mean) ** 2 / var).mean()

    members = []
    for _ in range(5):
        layers = torch.nn.Linear(X.shape[1], 50), torch.nn.ReLU(), torch.nn.Linear(50, 2)
        members.append(epochs(torch.nn.Sequential(*layers), nll, A, b, 200, 0.01))

    def predict(rows):
        with torch.no_grad():
            out = torch.stack([member(scale(rows)) for member in members]).double().numpy()
        mean, var = out[..., 0], np.logaddexp(0, out[..., 1]) + 1e-6
        one = mean.mean(axis=0)
        whole = var.mean(axis=0) + (mean**2).mean(axis=0) - one**2
        return Normal(y.mean() + y.std() * one, y.std() * np.sqrt(whole))

    return predict


def laplace_torch(X, y):
    """laplace-torch: 50 tanh units, full Gauss-Newton, strengths by the marginal likelihood."""
    import torch
    from laplace import Laplace

    A, b, scale = scaled(X, y)
    layers = torch.nn.Linear(X.shape[1], 50), torch.nn.Tanh(), torch.nn.Linear(50, 1)
    model = epochs(torch.nn.Sequential(*layers), torch.nn.MSELoss(), A, b, 200, 0.01)
    la = Laplace(model, "regression", subset_of_weights="all", hessian_structure="full")
    batches = torch.utils.data.TensorDataset(A, b)
    la.fit(torch.utils.data.DataLoader(batches, batch_size=256))
    prior, noise = (torch.ones(1, requires_grad=True) for _ in range(2))
    optimiser = torch.optim.Adam([prior, noise], lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        (-la.log_marginal_likelihood(prior.exp(), noise.exp())).backward()
        optimiser.step()

    def predict(rows):
        mean, var = la(scale(rows))
        spread = np.sqrt(var.detach().double().numpy().ravel() + float(noise.detach().exp()) ** 2)
        return Normal(y.mean() + y.std() * mean.detach().double().numpy().ravel(), y.std() * spread)

    return predict


OTHER_SHAPES = {  # not one bell per row
    "mixture of 5": shape(("mixture", {"components": 5})),
    "histogram, CRPS": shape(("histogram", {"bins": 50, "loss": "crps"})),
}
METHODS = {
    "committee": committee,
    "TabularMLPRegressor": tabular,
    "lm, evidence, one sigma": constant_noise,
    "Laplace": posterior("laplace"),
    "ensemble": posterior("ensemble"),
    "variational": posterior("variational"),
    "MCMC": posterior("mcmc"),
    "ridge, Student-t": ridge,
    "NGBoost, run here": ngboost,
    "PyTorch ensemble, run here": torch_ensemble,
    "laplace-torch, run here": laplace_torch,
    **OTHER_SHAPES,
}
MOST_ROWS = {"MCMC": 1000}  # beyond, a fit takes more than a minute
NEEDS = {
    "NGBoost, run here": "ngboost",
    "PyTorch ensemble, run here": "torch",
    "laplace-torch, run here": "laplace",
}


def available(method):
    """Whether its package is installed."""
    return method not in NEEDS or importlib.util.find_spec(NEEDS[method]) is not None
