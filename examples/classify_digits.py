"""A drop-in classifier: handwritten digits, early stopping on a validation split."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)

model = MLPClassifier(
    hidden_layer_sizes=(100,), early_stopping=True, learning_rate_init=0.003, random_state=0
)
model.fit(X_train, y_train)

print(f"epochs                   {model.n_iter_}")
print(f"why it stopped           {model.status_}")
print(f"final training loss      {model.loss_:.4f}")
print(f"accuracy, training       {model.score(X_train, y_train):.3f}")
print(f"accuracy, held out       {model.score(X_test, y_test):.3f}")
