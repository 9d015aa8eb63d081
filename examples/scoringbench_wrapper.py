"""fastmlp in ScoringBench (arXiv:2603.29928): any estimator with ``predict_dist``, as its bins.

``FastMLPWrapper(MLPDistributionRegressor(...))`` goes into the bench's table of models. Every row
has bins of its own, narrow where its density is high.
"""

from scoringbench.univariate.wrappers.base import DistributionPrediction, ProbabilisticWrapper


class FastMLPWrapper(ProbabilisticWrapper):
    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        self._set_train_range(y)
        self.estimator.fit(X, y)
        return self

    def predict(self, X):
        return self.estimator.predict(X)

    def predict_distribution(self, X):
        dist = self.estimator.predict_dist(X)
        bins, mean = dist.to_bins(), dist.mean()
        return DistributionPrediction(*bins, mean, train_range=self._y_train_range)
