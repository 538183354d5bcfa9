r"""Three classes and more that need not be alike: all of W, H and U by local searches, from symmetric and broken starts.

For a given shape of W the problem is convex in class means, noisy features and dilations; the shape is what makes it hard. Everything is minimised together,

.. math::
    \sum_m \pi_m \Big\{ T_{mm}\,[E\ell(z_m + r_m A\xi, m) + \lambda_H(\|h_m\|^2 + r_m^2)]
    + \sum_{n \ne m} T_{nm} [\ell(A u_{nm}, n) + \lambda_H\|u_{nm}\|^2]\Big\} + \lambda_W\|A\|^2, \quad
    r_m = \sum_{n \ne m} c_{nm} \|u_{nm} - h_m\|,

z = A h, in an orthonormal basis of what sums to zero, with each norm rounded off, less and less. Pairs that end at ``u = h`` are then held there: the rest is smooth, and
quasi-Newton steps settle it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import CrossEntropy, MeanSquaredError
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.rules import rule

# Rounding-off of the norms, relative to the scale of features.
_ROUNDING = (0.3, 0.03, 3e-3, 3e-4)
# A noisy feature this close to its class mean, relative to the scale of features, is held there.
_HELD = 3e-3
# Of the rule: while searching, and for the objective that is stated.
SEARCH_ORDER, FINAL_ORDER = {2: 24, 3: 14, 4: 9, 5: 7}, {2: 160, 3: 40, 4: 18, 5: 12}
# Up to so many variables their curvature is kept whole.
_DENSE = 60
# How unequal the axes of W are in broken starts.
_BROKEN = 4.0


@dataclass(frozen=True, slots=True)
class Features:
    """A (N-1, N-1), class means (N-1, N), noisy features (N-1, P) of the pairs, bias (N-1,), in coordinates of what sums to zero."""

    classifier: FloatArray
    means: FloatArray
    noisy: FloatArray
    bias: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One problem of N classes as arrays.

    Attributes
    ----------
    basis : array (N, N-1)
        Orthonormal, of the vectors that sum to zero.
    targets : array (N, N)
        Row n is the target of the label n.
    clean : array (N,)
        pi_m T_mm.
    labels, classes : arrays (P,)
        The label n and the class m of each pair that occurs.
    flips, rates : arrays (P,)
        pi_m T_nm, and c_nm.
    """

    basis: FloatArray
    targets: FloatArray
    clean: FloatArray
    labels: NDArray[np.intp]
    classes: NDArray[np.intp]
    flips: FloatArray
    rates: FloatArray
    weight_decay: float
    feature_decay: float
    squared: bool
    problem: LimitedExpressivity

    @classmethod
    def of(cls, problem: LimitedExpressivity) -> "Setting":
        n = problem.num_classes
        share, matrix = problem.proportions, problem.transition
        labels, classes = (index.astype(np.intp) for index in np.nonzero((matrix > 0) & ~np.eye(n, dtype=bool)))
        loss = problem.loss
        assert isinstance(loss, (CrossEntropy, MeanSquaredError))
        smoothing = float(np.asarray(loss.smoothing))
        return cls(
            basis=np.linalg.svd(np.eye(n) - 1.0 / n)[0][:, : n - 1],
            targets=(1.0 - smoothing) * np.eye(n) + smoothing / n,
            clean=share * np.diag(matrix),
            labels=labels,
            classes=classes,
            flips=share[classes] * matrix[labels, classes],
            rates=matrix[labels, classes] / matrix[classes, classes] / float(np.asarray(problem.slope)),
            weight_decay=float(np.asarray(problem.weight_decay)),
            feature_decay=float(np.asarray(problem.feature_decay)),
            squared=isinstance(loss, MeanSquaredError),
            problem=problem,
        )

    def losses(self, logits: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of logits (..., N-1) in the basis, with targets (..., N): values (...) and gradients (..., N-1)."""
        full = logits @ self.basis.T
        if self.squared:
            off = full - (targets - targets.mean(axis=-1, keepdims=True))
            return 0.5 * np.sum(off**2, axis=-1), off @ self.basis
        top = full.max(axis=-1, keepdims=True)
        raised = np.exp(full - top)
        total = raised.sum(axis=-1, keepdims=True)
        value = np.log(total[..., 0]) + top[..., 0] - np.sum(targets * full, axis=-1)
        return value, (raised / total - targets) @ self.basis

    def clean_mean(
        self, centre: FloatArray, spread: FloatArray, m: int, order: int
    ) -> tuple[float, FloatArray, FloatArray]:
        """E loss at ``centre + spread xi`` of class m, its gradients in centre (N-1,) and in spread (N-1, N-1)."""
        dim = self.basis.shape[1]
        if self.squared:
            value, gradient = self.losses(centre, self.targets[m])
            share = 1.0 / self.problem.spread.dim
            return float(value + 0.5 * share * np.sum(spread**2)), gradient, share * spread
        nodes, weights = rule(self.problem.spread, dim, order)
        values, gradients = self.losses(centre + nodes @ spread.T, self.targets[m])
        return float(weights @ values), weights @ gradients, (gradients * weights[:, None]).T @ nodes

    def objective(
        self, at: Features, *, order: int, rounding: float = 0.0, held: NDArray[np.bool_] | None = None
    ) -> tuple[float, Features, FloatArray]:
        """The objective, its gradient, and the dilations (N,)."""
        a, h = at.classifier, at.means
        u = at.noisy if held is None else np.where(held, h[:, self.classes], at.noisy)
        lam = self.feature_decay
        apart = u - h[:, self.classes]
        length = np.sqrt(np.sum(apart**2, axis=0) + rounding**2)
        r = np.bincount(self.classes, self.rates * length, minlength=h.shape[1])
        noisy, by_noisy = self.losses((a @ u).T + at.bias, self.targets[self.labels])
        value = self.weight_decay * np.sum(a**2) + self.flips @ (noisy + lam * np.sum(u**2, axis=0))
        pulled = (self.flips[:, None] * by_noisy).T
        by_a = 2.0 * self.weight_decay * a + pulled @ u.T
        by_u = a.T @ pulled + 2.0 * lam * self.flips * u
        by_h, by_r, by_bias = np.zeros(h.shape), np.zeros(h.shape[1]), pulled.sum(axis=1)
        for m, share in enumerate(self.clean):
            mean, by_centre, by_spread = self.clean_mean(a @ h[:, m] + at.bias, r[m] * a, m, order)
            value += share * (mean + lam * (h[:, m] @ h[:, m] + r[m] ** 2))
            by_bias += share * by_centre
            by_a += share * (np.outer(by_centre, h[:, m]) + r[m] * by_spread)
            by_h[:, m] = share * (a.T @ by_centre + 2.0 * lam * h[:, m])
            by_r[m] = share * (np.sum(by_spread * a) + 2.0 * lam * r[m])
        step = self.rates * by_r[self.classes] / np.where(length > 0, length, 1.0) * apart
        by_u = by_u + step
        moved = -step
        if held is not None:
            moved = moved + np.where(held, by_u, 0.0)
            by_u = np.where(held, 0.0, by_u)
        np.add.at(by_h.T, self.classes, moved.T)
        if not self.problem.bias:
            by_bias = np.zeros(by_bias.shape)
        return float(value), Features(by_a, by_h, by_u, by_bias), np.asarray(r, dtype=np.float64)


def search(
    problem: LimitedExpressivity,
    symmetric: Features | None,
    *,
    starts: int,
    seed: int,
    progress: Callable[[str], object] | None = None,
) -> Features:
    """The best of local searches: from a symmetric answer, from broken ones, and from random ones."""
    setting = Setting.of(problem)
    dim = setting.basis.shape[1]
    rng = np.random.default_rng(seed)
    best, least, held = None, np.inf, np.zeros(0, dtype=bool)
    for count, (start, fixed) in enumerate(_starts(setting, symmetric, rng, starts)):
        found, value, at_mean = _descend(setting, start, SEARCH_ORDER.get(dim, 0), fixed)
        if progress is not None:
            progress(f"search {count + 1} of {starts}: {value:.9g}")
        if value < least:
            best, least, held = found, value, at_mean
    assert best is not None
    return _settled(setting, best, held)


def follow(problem: LimitedExpressivity, start: Features) -> Features:
    """The local minimum that a start leads to, such as the answer of a problem next to this one."""
    setting = Setting.of(problem)
    still = np.all(start.noisy == start.means[:, setting.classes], axis=0)
    found, _, held = _descend(setting, start, SEARCH_ORDER.get(setting.basis.shape[1], 0), still)
    return _settled(setting, found, held)


def _settled(setting: Setting, at: Features, held: NDArray[np.bool_]) -> Features:
    """By the finer rule, and with the pairs that are held at their class means."""
    found, _ = _minimised(setting, at, FINAL_ORDER.get(setting.basis.shape[1], 0), held=held)
    noisy = np.where(held, found.means[:, setting.classes], found.noisy)
    return Features(found.classifier, found.means, noisy, found.bias)


def _starts(
    setting: Setting, symmetric: Features | None, rng: np.random.Generator, count: int
) -> list[tuple[Features, NDArray[np.bool_] | None]]:
    """One class apart, each of them, the pairs of the others held; a symmetric answer bent a little; axes of any lengths."""
    n, dim = setting.basis.shape
    plain = symmetric or _simple(setting, np.eye(dim))
    scale = np.sqrt(np.mean(plain.classifier**2) * dim)

    def bent(matrix: FloatArray) -> Features:
        return _simple(setting, scale * matrix / np.sqrt(np.mean(matrix**2) * dim))

    broken: list[tuple[Features, NDArray[np.bool_] | None]] = []
    for m in range(n):
        axis = setting.basis[m] / np.linalg.norm(setting.basis[m])
        start = bent(np.eye(dim) + (_BROKEN - 1.0) * np.outer(axis, axis))
        broken.append((start, (setting.labels != m) & (setting.classes != m)))
    near: FloatArray = plain.classifier + 0.01 * plain.classifier * rng.normal(size=(dim, dim))
    starts = [broken[0], (Features(near, plain.means, plain.noisy, plain.bias), None)]
    # Classes with the same flips and shares are alike: one of them apart stands for all.
    starts += [] if setting.problem.classes_alike else broken[1:]
    starts += [(bent(np.eye(dim) + rng.normal(size=(dim, dim))), None) for _ in range(count)]
    return starts[:count]


def _simple(setting: Setting, a: FloatArray) -> Features:
    """Class means where their logits are alike, noisy features between those of class and label."""
    h = np.asarray(np.linalg.lstsq(a, 3.0 * setting.basis.T, rcond=1e-3)[0], dtype=np.float64)
    return Features(a, h, 0.6 * h[:, setting.classes] + 0.4 * h[:, setting.labels], np.zeros(len(a)))


def _descend(
    setting: Setting, start: Features, order: int, held: NDArray[np.bool_] | None
) -> tuple[Features, float, NDArray[np.bool_]]:
    """With the pairs held that are to be; else with norms less and less rounded off, and then with those held that have come together."""
    at = start
    if held is None:
        for rounding in _ROUNDING:
            at, _ = _minimised(setting, at, order, rounding=rounding * _size(at))
        held = np.linalg.norm(at.noisy - at.means[:, setting.classes], axis=0) < _HELD * _size(at)
    here, value = _minimised(setting, at, order, held=held)
    for _ in range(setting.rates.size):
        # Let go of the pairs that pull at their class mean more than their dilation costs.
        eager = held & _pulls(setting, here, order, held)
        if not np.any(eager):
            break
        towards = 0.95 * here.means[:, setting.classes] + 0.05 * here.means[:, setting.labels]
        begun = Features(here.classifier, here.means, np.where(eager, towards, here.noisy), here.bias)
        again, lower = _minimised(setting, begun, order, held=held & ~eager)
        if lower >= value:
            break
        here, value, held = again, lower, held & ~eager
    return here, value, held


def _pulls(setting: Setting, at: Features, order: int, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the force on a held noisy feature is more than what a step costs."""
    a, h = at.classifier, at.means
    u = np.where(held, h[:, setting.classes], at.noisy)
    _, _, r = setting.objective(at, order=order, held=held)
    _, by_noisy = setting.losses((a @ u).T + at.bias, setting.targets[setting.labels])
    force = a.T @ (setting.flips[:, None] * by_noisy).T + 2.0 * setting.feature_decay * setting.flips * u
    by_r = np.empty(setting.clean.size)
    for m, share in enumerate(setting.clean):
        _, _, by_spread = setting.clean_mean(a @ h[:, m] + at.bias, r[m] * a, m, order)
        by_r[m] = share * (np.sum(by_spread * a) + 2.0 * setting.feature_decay * r[m])
    cost = setting.rates * by_r[setting.classes]
    return np.asarray(np.linalg.norm(force, axis=0) > cost * (1.0 + 1e-6) + 1e-12)


def _size(at: Features) -> float:
    return float(np.sqrt(np.mean(np.sum(at.means**2, axis=0))))


def _minimised(
    setting: Setting,
    start: Features,
    order: int,
    *,
    rounding: float = 0.0,
    held: NDArray[np.bool_] | None = None,
) -> tuple[Features, float]:
    from scipy.optimize import minimize  # slow to import, and needed here only

    shapes = [part.shape for part in (start.classifier, start.means, start.noisy, start.bias)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def unpacked(x: FloatArray) -> Features:
        return Features(*(part.reshape(shape) for part, shape in zip(np.split(x, ends[:-1]), shapes, strict=True)))

    def value(x: FloatArray) -> tuple[float, FloatArray]:
        found, gradient, _ = setting.objective(unpacked(x), order=order, rounding=rounding, held=held)
        return found, _packed(gradient)

    final = rounding == 0.0
    begun = _packed(start)
    if begun.size <= _DENSE:
        found = minimize(
            value,
            begun,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-10 if final else 1e-6, "maxiter": 3000 if final else 300},
        )
    else:
        found = minimize(
            value,
            begun,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 5000 if final else 300, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 30},
        )
    return unpacked(found.x), float(found.fun)


def _packed(at: Features) -> FloatArray:
    return np.concatenate([at.classifier.ravel(), at.means.ravel(), at.noisy.ravel(), at.bias])
