"""Models saved by an earlier revision still load, predict the same numbers and train on.

``saved/expected.json`` names the revision and holds, for each file, some rows and what the model
made of them then. fastmlp's estimators are pickled without scikit-learn's version, so that no
release of it warns; their arrays are NumPy's, in the form that NumPy 2 began to write.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Network, predictor, terms
from fastmlp.distributions import resolve_family
from fastmlp.estimators import _bayesian

SAVED = Path(__file__).parent / "saved"
EXPECTED = json.loads((SAVED / "expected.json").read_text())
MADE_WITH = EXPECTED.pop("made_with")
FILES = sorted(path.name for path in SAVED.iterdir() if path.suffix != ".json")

# Rounding of a forward pass and of an epoch, in units of each type; another processor adds in
# another order.
ROUNDING = {"float64": 1e-12, "float32": 2e-5}

pytestmark = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 cannot read NumPy 2's pickles"
)


def load(file):
    if file.endswith(".pkl"):
        return pickle.loads((SAVED / file).read_bytes())
    sio = pytest.importorskip("skops.io")
    return sio.load(SAVED / file, trusted=sio.get_untrusted_types(file=SAVED / file))


def rows(told):
    return np.array(told["X"], told["dtype"])


def test_every_saved_model_is_tried():
    assert {file.rsplit(".", 1)[0] for file in FILES} == set(EXPECTED)
    assert {file.rsplit(".", 1)[1] for file in FILES} == {"pkl", "skops"}


@pytest.mark.parametrize("file", FILES)
class TestSaved:
    def test_it_predicts_as_it_did(self, file):
        told = EXPECTED[file.rsplit(".", 1)[0]]
        model, X, rtol = load(file), rows(told), ROUNDING[told["dtype"]]
        if "predict_proba" in told:
            np.testing.assert_allclose(
                model.predict_proba(X), told["predict_proba"], rtol=rtol, atol=rtol
            )
            assert model.predict(X).tolist() == told["predict"]
        else:
            np.testing.assert_allclose(model.predict(X), told["predict"], rtol=rtol, atol=rtol)
        assert (model.n_iter_, model.loss_) == (told["n_iter"], told["loss"])

    def test_it_trains_on(self, file):
        """What the optimiser had gathered is a part of the model: the next epoch is the same."""
        told = EXPECTED[file.rsplit(".", 1)[0]]
        if "loss_after_partial_fit" not in told:
            pytest.skip("another solver, or early stopping: no partial_fit")
        model = load(file).partial_fit(rows(told), np.array(told["y"]))
        assert len(model.loss_curve_) == told["n_iter"] + 1
        expected = pytest.approx(told["loss_after_partial_fit"], rel=ROUNDING[told["dtype"]])
        assert model.loss_ == expected != told["loss"]


def test_the_evidence_is_kept():
    model = load("regressor_lm_evidence.pkl")
    assert model.evidence_.log_evidence == EXPECTED["regressor_lm_evidence"]["evidence"]


NET = Network([2, 2])
THETA = NET.init(random_state=0)
TERM = NET.objective(np.ones((3, 2)), np.ones((3, 2))).term
HOMES = {
    terms: [TERM, terms.Total([TERM])],
    _bayesian: [
        _bayesian.BayesianMLPRegressor(),
        _bayesian.BayesianMLPClassifier(),
        _bayesian.Parts(THETA, THETA, THETA),
    ],
    predictor: [
        predictor.Predictor(NET, THETA),
        predictor.DistributionPredictor(NET, THETA, resolve_family("normal"), n_targets=1),
    ],
}


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.__name__)
def test_pickles_that_name_the_public_home_of_a_class_load(home):
    """As those do that were made when it was a single file."""
    for one in HOMES[home]:
        kind = type(one)
        now, then = (f"c{module}\n{kind.__name__}\n" for module in (kind.__module__, home.__name__))
        saved = pickle.dumps(one, protocol=0)
        assert now.encode() in saved
        again = pickle.loads(saved.replace(now.encode(), then.encode()))
        assert type(again) is kind
