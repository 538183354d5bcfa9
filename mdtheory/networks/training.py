r"""A small network trained to convergence on the exact objective of the theory: Adam, then L-BFGS, by explicit gradients.

.. math:: \frac1n\sum_i \ell(W h(x_i), y_i) + \lambda_W\|W\|^2 + \frac{\lambda_H}{n}\sum_i\|h(x_i)\|^2 + \lambda_V\sum_k\|V_k\|^2

with h a network of ReLU layers with weights V_k and biases, and a classifier W without one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import (
    FloatArray,
    fail,
    finite,
    instance,
    integer,
    nonnegative,
    one_integer,
    one_number,
)
from mdtheory.losses import Loss

# Of Adam: step, both averages, and what keeps quotients finite.
_STEP, _FIRST, _SECOND, _TINY = 3e-3, 0.9, 0.999, 1e-8


# Products of a few are doubles.
_LARGEST = 1e30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedNetwork(Frozen):
    """A network, and how it was left.

    Attributes
    ----------
    layers : tuple of pairs (V, b)
        Of each ReLU layer: h_k = max(h_(k-1) V + b, 0).
    weights : array (N, M)
        W.
    objective : float
    gradient_norm : float
        The largest entry of the gradient: how far from a stationary point.
    """

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    weights: FloatArray
    objective: float
    gradient_norm: float

    def features(self, inputs: ArrayLike) -> FloatArray:
        """h (n, M) of inputs (n, P)."""
        h = np.asarray(finite("inputs", inputs), dtype=np.float64)
        width = len(self.layers[0][0])
        if h.ndim != 2 or h.shape[1] != width:
            raise fail("inputs", h.shape, f"must have two dimensions, the second {width}")
        for v, b in self.layers:
            h = np.maximum(h @ v + b, 0.0)
        return h


def train_network(
    inputs: ArrayLike,
    labels: ArrayLike,
    loss: Loss,
    *,
    num_classes: int = 2,
    widths: tuple[int, ...] = (32, 8),
    weight_decay: float = 5e-3,
    feature_decay: float = 5e-3,
    hidden_decay: float = 0.0,
    seed: int = 0,
    adam_steps: int = 600,
    steps: int = 1500,
    progress: Callable[[str], object] | None = None,
) -> TrainedNetwork:
    """Train a network of ReLU layers on all examples at once.

    Parameters
    ----------
    inputs : array (n, P)
    labels : array (n,) of int
        From 0 to ``num_classes - 1``.
    loss : Loss
    num_classes : int, default 2
    widths : tuple of int
        Of the layers; the last is the dimension of the features.
    weight_decay, feature_decay, hidden_decay : float
        lambda_W, lambda_H and lambda_V.
    seed : int
        Of the first weights.
    adam_steps, steps : int
        Of Adam, and of L-BFGS at most.
    progress : callable, optional
        Called with a line of text every hundred steps.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    AssumptionError
        If an argument is outside its domain.

    Examples
    --------
    >>> from mdtheory.losses import CrossEntropy
    >>> x = np.array([[1.0, 0.1], [0.9, -0.1], [-1.0, 0.1], [-0.9, -0.1]])
    >>> net = train_network(x, [0, 0, 1, 1], CrossEntropy(), widths=(8,))
    >>> h = net.features(x)
    >>> bool(np.all((h @ net.weights.T).argmax(axis=1) == [0, 0, 1, 1]))
    True
    """
    from scipy.optimize import minimize  # slow to import, and needed here only

    x = np.asarray(finite("inputs", inputs), dtype=np.float64)
    if x.ndim != 2 or x.size == 0:
        raise fail("inputs", x.shape, "must have two dimensions, one row an example")
    count = one_integer("num_classes", num_classes, 2, 10_000)
    y = np.asarray(integer("labels", labels, 0, count - 1), dtype=np.intp)
    if y.shape != x.shape[:1]:
        raise fail("labels", y.shape, f"must have shape {x.shape[:1]}, a label for each row of inputs")
    instance("loss", loss, Loss, "a Loss")
    if np.shape(loss.value(np.zeros(count), 0)) != ():
        raise fail("loss", loss, "must have one number for each of its parameters")
    if not isinstance(widths, tuple) or not widths:
        raise fail("widths", widths, "must be a tuple of one width or more")
    sizes = (x.shape[1], *(one_integer("widths", width, 1, 100_000) for width in widths))
    decays = (
        one_number("weight_decay", weight_decay, nonnegative),
        one_number("feature_decay", feature_decay, nonnegative),
        one_number("hidden_decay", hidden_decay, nonnegative),
    )
    for name, size in (("inputs", float(np.max(np.abs(x)))), ("decays", max(decays))):
        if size > _LARGEST:
            raise fail(name, size, f"must not exceed {_LARGEST:g} in size")
    net = _Net(x, y, loss, sizes, count, *decays)
    at = net.first(np.random.default_rng(one_integer("seed", seed, 0, 2**31)))
    at = _adam(net, at, one_integer("adam_steps", adam_steps, 0, 10**6), progress)
    most = one_integer("steps", steps, 0, 10**6)
    if most:
        told = _every_hundred(progress, "L-BFGS")

        def value_and_gradient(there: FloatArray) -> tuple[float, FloatArray]:
            told()
            return net.objective(there)

        at = minimize(
            value_and_gradient,
            at,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": most, "maxfun": 2 * most, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 20},
        ).x
    value, gradient = net.objective(at)
    layers, weights = net.unpacked(at)
    return TrainedNetwork(
        layers=tuple(layers), weights=weights, objective=value, gradient_norm=float(np.max(np.abs(gradient)))
    )


@dataclass(frozen=True, slots=True)
class _Net:
    x: FloatArray
    y: NDArray[np.intp]
    loss: Loss
    sizes: tuple[int, ...]
    count: int
    weight_decay: float
    feature_decay: float
    hidden_decay: float

    def first(self, rng: np.random.Generator) -> FloatArray:
        """Weights of the size that keeps the scale of activations, biases of zero."""
        parts = []
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            parts += [rng.normal(size=before * after) * np.sqrt(2.0 / before), np.zeros(after)]
        parts.append(rng.normal(size=self.count * self.sizes[-1]) / np.sqrt(self.sizes[-1]))
        return np.concatenate(parts)

    def unpacked(self, at: FloatArray) -> tuple[list[tuple[FloatArray, FloatArray]], FloatArray]:
        layers, place = [], 0
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            v = at[place : place + before * after].reshape(before, after)
            place += before * after
            layers.append((v, at[place : place + after]))
            place += after
        return layers, at[place:].reshape(self.count, self.sizes[-1])

    def objective(self, at: FloatArray) -> tuple[float, FloatArray]:
        """The objective and its gradient."""
        layers, w = self.unpacked(at)
        n, outputs = len(self.x), [self.x]
        for v, b in layers:
            outputs.append(np.maximum(outputs[-1] @ v + b, 0.0))
        h = outputs[-1]
        z = h @ w.T
        value = float(np.mean(self.loss.value(z, self.y))) + self.weight_decay * float(np.sum(w**2))
        value += self.feature_decay * float(np.sum(h**2)) / n
        by_z = self.loss.gradient(z, self.y) / n
        parts = [(by_z.T @ h + 2.0 * self.weight_decay * w).ravel()]
        back = by_z @ w + 2.0 * self.feature_decay / n * h
        for (v, _), before, after in zip(layers[::-1], outputs[-2::-1], outputs[:0:-1], strict=True):
            back = np.where(after > 0.0, back, 0.0)
            value += self.hidden_decay * float(np.sum(v**2))
            parts += [back.sum(axis=0), (before.T @ back + 2.0 * self.hidden_decay * v).ravel()]
            back = back @ v.T
        return value, np.concatenate(parts[::-1])


def _adam(net: _Net, at: FloatArray, steps: int, progress: Callable[[str], object] | None) -> FloatArray:
    first, second = np.zeros(at.size), np.zeros(at.size)
    told = _every_hundred(progress, "Adam")
    for k in range(1, steps + 1):
        _, gradient = net.objective(at)
        first = _FIRST * first + (1.0 - _FIRST) * gradient
        second = _SECOND * second + (1.0 - _SECOND) * gradient**2
        at = at - _STEP * first / (1.0 - _FIRST**k) / (np.sqrt(second / (1.0 - _SECOND**k)) + _TINY)
        told()
    return at


def _every_hundred(progress: Callable[[str], object] | None, name: str) -> Callable[[], None]:
    count = 0

    def told() -> None:
        nonlocal count
        count += 1
        if progress is not None and count % 100 == 0:
            progress(f"{name}: step {count}")

    return told
