"""One regressor, three solvers: first-order mini-batches, L-BFGS, Newton's method."""

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from fastmlp import MLPRegressor

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

print(f"{'solver':8} {'iterations':>10} {'loss':>8} {'R2 held out':>12}")
for solver, max_iter in [("adam", 400), ("lbfgs", 400), ("newton", 60)]:
    model = MLPRegressor(
        hidden_layer_sizes=(8,),
        activation="tanh",
        solver=solver,
        alpha=20.0,
        learning_rate_init=0.01,
        max_iter=max_iter,
        standardize=True,  # scales X and y inside: predictions are in the units of y
        random_state=0,
    )
    model.fit(X_train, y_train)
    r2 = model.score(X_test, y_test)
    print(f"{solver:8} {model.n_iter_:10} {model.loss_:8.4f} {r2:12.3f}")
