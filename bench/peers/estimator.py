"""The adapter of both estimator libraries: their constructors are the same."""


def prepare(module, case, X, y, seed, **extras):
    cls = module.MLPClassifier if case.n_classes else module.MLPRegressor
    estimator = cls(
        hidden_layer_sizes=case.hidden,
        batch_size=case.batch_size,
        alpha=case.alpha,
        learning_rate_init=case.rate,
        max_iter=case.epochs,
        n_iter_no_change=case.epochs,
        tol=0.0,
        random_state=seed,
        **extras,
    )
    return lambda: estimator.fit(X, y).loss_curve_
