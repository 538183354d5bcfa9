"""What problems of N classes that are all alike ask of a loss: the mean over clean examples, and the value at noisy ones."""

from functools import singledispatch
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import log_ndtr

from mdtheory.class_expectation import accuracy, has_mean, means
from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.losses import CrossEntropy, Loss, MeanSquaredError
from mdtheory.spreads import Spread


class Clean(NamedTuple):
    """The mean over a clean cluster at margin s, and its derivatives in s and in v = R^2, to second order; arrays (K,)."""

    value: FloatArray
    d_margin: FloatArray
    d_square: FloatArray
    d_margin2: FloatArray
    d_margin_square: FloatArray
    d_square2: FloatArray


class Noisy(NamedTuple):
    """The loss at the logits ``x e_m + y e_n`` of label n, its gradient (K, 2) and Hessian (K, 2, 2) in x and y."""

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray


class ClassLoss(Protocol):
    """A loss of N classes, on a block of points; ``inexact`` is what its mean may be off, relative to one plus its size."""

    inexact: float

    def clean(self, margin: FloatArray, square: FloatArray) -> Clean: ...

    def noisy(self, x: FloatArray, y: FloatArray) -> Noisy: ...


@singledispatch
def class_loss(loss: Loss, num_classes: int, spread: Spread) -> ClassLoss:
    """The faces of a loss for a block of points; the default refuses.

    Raises
    ------
    AssumptionError
        If no formula for the mean over N classes is known for the loss, or not over this spread.
    """
    raise fail("loss", loss, "must be CrossEntropy or MeanSquaredError for more than two classes")


@class_loss.register
def _(loss: CrossEntropy, num_classes: int, spread: Spread) -> ClassLoss:
    if type(loss) is not CrossEntropy:
        raise fail("loss", loss, "must be CrossEntropy itself for more than two classes, not a subclass")
    if not has_mean(spread):
        raise fail("spread", spread, "must be Gaussian or Sphere for cross-entropy of more than two classes")
    return _CrossEntropy(np.asarray(loss.smoothing), num_classes, spread)


@class_loss.register
def _(loss: MeanSquaredError, num_classes: int, spread: Spread) -> ClassLoss:
    if type(loss) is not MeanSquaredError:
        raise fail("loss", loss, "must be MeanSquaredError itself for more than two classes, not a subclass")
    return _SquaredError(np.asarray(loss.smoothing), num_classes, spread)


class _CrossEntropy:
    def __init__(self, smoothing: FloatArray, num_classes: int, spread: Spread) -> None:
        self.count, self.spread = num_classes, spread
        self.inexact = accuracy(spread)
        self.other = smoothing / num_classes
        self.own = 1.0 - smoothing + self.other

    def clean(self, margin: FloatArray, square: FloatArray) -> Clean:
        mean = means(margin, square, self.count, self.spread)
        # The target's logits: own s, the others' zero, less what all of them share.
        return Clean(mean.value - self.own * margin, mean.d_margin - self.own, *mean[2:])

    def noisy(self, x: FloatArray, y: FloatArray) -> Noisy:
        rest = np.full(x.shape, np.log(self.count - 2.0)) if self.count > 2 else np.full(x.shape, -np.inf)
        lse = np.logaddexp(np.logaddexp(x, y), rest)
        p, q = np.exp(x - lse), np.exp(y - lse)
        gradient = np.stack([p - self.other, q - self.own], axis=-1)
        hessian = np.empty((*x.shape, 2, 2))
        hessian[:, 0, 0], hessian[:, 1, 1] = p * (1.0 - p), q * (1.0 - q)
        hessian[:, 0, 1] = hessian[:, 1, 0] = -p * q
        return Noisy(lse - self.own * y - self.other * x, gradient, hessian)


class _SquaredError:
    """With an unregularised bias, which supplies the mean logit."""

    inexact = 0.0

    def __init__(self, smoothing: FloatArray, num_classes: int, spread: Spread) -> None:
        self.count, self.dim = num_classes, spread.dim
        self.target = 1.0 - smoothing

    def clean(self, margin: FloatArray, square: FloatArray) -> Clean:
        n, residual = self.count, margin - self.target
        share, spread = (n - 1.0) / n, (n - 1.0) / (2.0 * self.dim)
        zero = np.zeros(margin.shape)
        return Clean(
            0.5 * share * residual**2 + spread * square,
            share * residual,
            np.full(margin.shape, spread),
            np.full(margin.shape, share),
            zero,
            zero,
        )

    def noisy(self, x: FloatArray, y: FloatArray) -> Noisy:
        form = centred_form(self.count)
        residual = np.stack([x, y - self.target], axis=-1)
        pulled = residual @ form
        hessian = np.broadcast_to(form, (*x.shape, 2, 2))
        return Noisy(0.5 * np.sum(residual * pulled, axis=-1), pulled, hessian)


def centred_form(num_classes: int) -> FloatArray:
    """B (2, 2) with ``(a, b) B (a, b)'`` the square of ``a e_1 + b e_2`` less its mean, in N dimensions."""
    return np.eye(2) - 1.0 / num_classes


def gaussian_class_error(dilation: FloatArray, n: int, dim: int) -> FloatArray:
    """The error rate of N classes whose means lie on a simplex: ``1 - E Phi(g + s/sigma)^(N-1)`` with s/sigma = sqrt(d/2)/ND, by the trapezoidal rule."""
    step = 0.1
    g = np.arange(-9.0, 9.0 + step, step)
    weights = step * np.exp(-0.5 * g**2) / np.sqrt(2.0 * np.pi)
    with np.errstate(divide="ignore"):
        gain = np.sqrt(dim / 2.0) / dilation
    right = (n - 1.0) * log_ndtr(g + np.minimum(gain, 1e3)[..., None])
    return np.asarray(np.sum(-np.expm1(right) * weights, axis=-1))
