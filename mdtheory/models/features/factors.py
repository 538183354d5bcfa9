r"""Local minima of the unconstrained features model in its factors W, H and b, from many starts.

In *balanced* factors ``U = (lambda_W/lambda_H)^(1/4) W`` and ``B = (lambda_H/lambda_W)^(1/4) H diag(sqrt pi)`` the
objective is

.. math:: \sum_k \pi_k \ell(U B_k/\sqrt{\pi_k} + b, y_k) + \mu(\|U\|_F^2 + \|B\|_F^2) + \lambda_b \|b\|^2.

Free features in at least as many dimensions as the convex optimum has rank have no local minima but the global ones.
Nonnegative features and fewer dimensions do: the best of many starts is an upper bound.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, integer, one_point
from mdtheory.losses.base import TargetLoss
from mdtheory.losses.label_loss import LabelLoss
from mdtheory.models.features.duality import label_loss, objective
from mdtheory.models.features.problem import UFM
from mdtheory.optimisers.projected import minimise_projected

# Starts whose objective is this close to the best, relative to it, have reached it.
_SAME_OBJECTIVE = 1e-8
# Softened losses lie a multiple of the temperature above the true ones. Minima that differ by less than the first
# temperature may change order as it falls, or be missed by starts that are too warm: every other start begins cooler.
_WARM, _COOL, _SETTLED = 1e-1, 1e-2, 1e-3
_COLDEST = 1e-8
_COOLING = 0.2
# So many of the best distinct minima are cooled to the end.
_FOLLOWED = 4
_NEWTON_STEPS = 30
# Above so many free variables Newton's equation is solved by so many steps of a Krylov method.
_MAX_DENSE, _INNER_STEPS = 400, 400
_STEPS_PER_TEMPERATURE = 200
_GRADIENT_NORM = 1e-12
# Newton's method takes over from here.
_DESCENT_GRADIENT = 1e-8
# Logits of random starts, log-uniform in between.
_START_LOGITS = 0.1, 10.0


class Factors(NamedTuple):
    """W (N, M), H (M, K) and b (N,), the last zero without a bias."""

    weights: FloatArray
    class_means: FloatArray
    bias: FloatArray

    @property
    def logits(self) -> FloatArray:
        """``W H + b`` (N, K)."""
        return np.asarray(self.weights @ self.class_means + self.bias[:, None])


@dataclass(frozen=True, eq=False)
class LocalMinimum(Frozen):
    """What a local search ends in.

    Attributes
    ----------
    factors : Factors
    objective : float
        The true objective of the factors: an upper bound on the optimum.
    starts, reached : int
        How many starts were made, and how many of them came within 1e-8 (relative) of the best.
    gradient_norm : float
        Length of the projected gradient in balanced factors; of the softened loss where the loss has kinks.
    temperature : float
        Of the softened loss; 0 where the loss has no kinks.
    """

    factors: Factors
    objective: float
    starts: int
    reached: int
    gradient_norm: float
    temperature: float


def local_minimum(
    problem: UFM, dim: int, *, starts: int, seed: int = 0, given: Iterable[tuple[FloatArray, ...]] = ()
) -> LocalMinimum:
    """The best local minimum in the factors that the given and `starts` random starting points lead to.

    Every start is minimised by a projected quasi-Newton method, the best one polished by Newton's method on the free
    variables. A loss with kinks is softened, at falling temperatures; its objective is the true one.

    Parameters
    ----------
    problem : UFM
        One point.
    dim : int
        Dimension M of the features.
    starts : int
        Number of random starts, at least 1 unless starting points are given.
    seed : int
        Of the random starts.
    given : iterable of (W, H, b)
        Further starting points, with at most M features; negative entries of H are set to zero where they must be.

    Raises
    ------
    AssumptionError
        If the problem is not one point, or a number is out of range.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=3, weight_decay=0.01, feature_decay=0.01)
    >>> found = local_minimum(ufm, 3, starts=2)
    >>> abs(found.objective - mdt.solve(ufm).objective) < 1e-12
    True
    """
    one_point(problem.point_shape)
    given = tuple(given)
    integer("dim", dim, 1, 2**31)
    integer("starts", starts, 0 if given else 1, 2**31)
    landscape = _landscape(problem, dim)
    points = (*(landscape.pack(*start) for start in given), *_random_points(landscape, starts, seed))
    if landscape.loss.smooth:
        found = [_minimise(landscape, point) for point in points]
        values = np.array([landscape.value(point) for point in found])
        temperature, (best, gradient_norm) = 0.0, _polished(landscape, found[int(np.argmin(values))])
    else:
        first = [_SETTLED] * len(given) + [_WARM if i % 2 == 0 else _COOL for i in range(starts)]
        found = [_cooled(landscape, point, t, _SETTLED)[0] for point, t in zip(points, first, strict=True)]
        values = np.array([landscape.value(point) for point in found])
        cooled = [_cooled(landscape, found[i], _SETTLED, _COLDEST) for i in _distinct(values)]
        best, temperature, gradient_norm = min(cooled, key=lambda outcome: landscape.value(outcome[0]))
    factors = _compared_without_features(problem, Factors(*landscape.unpack(best)))
    reached = int(np.sum(values <= np.min(values) + _SAME_OBJECTIVE * abs(np.min(values))))
    return LocalMinimum(factors, objective(problem, *factors), len(points), reached, gradient_norm, temperature)


def _compared_without_features(problem: UFM, found: Factors) -> Factors:
    """What was found, or a bias alone where that is better: no search may return worse than the trivial points.

    Of biases the one found, zero, and the mean target, shrunk: the best one for the squared error, to all digits.
    """
    weights, means, bias = found
    biases = [np.zeros(bias.shape)]
    if problem.bias:
        biases.append(bias)
        if isinstance(problem.loss, TargetLoss):
            targets = problem.loss.target(problem.labels.T).T
            biases.append(targets @ problem.proportions / (1.0 + 2.0 * problem.bias_decay))
    points = [found, *(Factors(0.0 * weights, 0.0 * means, alone) for alone in biases)]
    return min(points, key=lambda point: objective(problem, *point))


@dataclass(frozen=True, eq=False)
class _Landscape:
    """The objective of the balanced factors, flattened to one vector: U (N, M), then B (M, K), then b (N,) if any."""

    problem: UFM
    loss: LabelLoss
    roots: FloatArray
    dim: int

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (int(self.problem.num_classes), self.dim), (self.dim, self.roots.size)

    @property
    def size(self) -> int:
        (n, dim), (_, count) = self.shapes
        return n * dim + dim * count + (n if self.problem.bias else 0)

    def bounded(self) -> NDArray[np.bool_]:
        """Which variables must be nonnegative."""
        (n, dim), (_, count) = self.shapes
        index = np.arange(self.size)
        inside: NDArray[np.bool_] = (index >= n * dim) & (index < n * dim + dim * count)
        return inside & self.problem.nonnegative

    def split(self, point: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        (n, dim), (_, count) = self.shapes
        u, b, bias = np.split(point, [n * dim, n * dim + dim * count])
        return u.reshape(n, dim), b.reshape(dim, count), bias if self.problem.bias else np.zeros(n)

    def join(self, u: FloatArray, b: FloatArray, bias: FloatArray) -> FloatArray:
        return np.concatenate([u.ravel(), b.ravel(), *([bias] if self.problem.bias else [])])

    def unpack(self, point: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """W, H and b."""
        u, b, bias = self.split(point)
        return u / self._balance, b * self._balance / self.roots, np.array(bias)

    def pack(self, weights: FloatArray, class_means: FloatArray, bias: FloatArray) -> FloatArray:
        """A starting point, padded to M features and rescaled so that every feature costs as much in W as in H."""
        (n, dim), (_, count) = self.shapes
        u, b = np.zeros((n, dim)), np.zeros((dim, count))
        u[:, : weights.shape[1]] = weights * self._balance
        b[: class_means.shape[0]] = class_means * self.roots / self._balance
        if self.problem.nonnegative:
            b = np.maximum(b, 0.0)
        lengths = np.linalg.norm(u, axis=0), np.linalg.norm(b, axis=1)
        both = (lengths[0] > 0) & (lengths[1] > 0)
        scale = np.sqrt(np.where(both, lengths[1], 1.0) / np.where(both, lengths[0], 1.0))
        return self.join(u * scale, b / scale[:, None], bias)

    def value(self, point: FloatArray) -> float:
        """The objective with the true loss."""
        return objective(self.problem, *self.unpack(point))

    def softened(self, temperature: float) -> "_Landscape":
        return replace(self, loss=replace(self.loss, temperature=temperature))

    def value_and_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        u, b, bias = self.split(point)
        mu, decay = float(self.problem.mu), self.problem.bias_decay
        logits = u @ b / self.roots + bias[:, None]
        columns = self.loss.gradient(logits)
        pull = columns * self.roots
        value = self.loss.value(logits) + mu * float(np.sum(u**2) + np.sum(b**2)) + decay * float(bias @ bias)
        bias_gradient = columns @ self.loss.weights + 2.0 * decay * bias
        return value, self.join(pull @ b.T + 2.0 * mu * u, u.T @ pull + 2.0 * mu * b, bias_gradient)

    def hessian(self, point: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The map of directions to the Hessian times them."""
        u, b, bias = self.split(point)
        mu, decay = float(self.problem.mu), self.problem.bias_decay
        logits = u @ b / self.roots + bias[:, None]
        pull = self.loss.gradient(logits) * self.roots
        curvature = self.loss.curvature(logits)

        def apply(direction: FloatArray) -> FloatArray:
            du, db, dbias = self.split(direction)
            columns = curvature((du @ b + u @ db) / self.roots + dbias[:, None])
            change = columns * self.roots
            return self.join(
                change @ b.T + pull @ db.T + 2.0 * mu * du,
                du.T @ pull + u.T @ change + 2.0 * mu * db,
                columns @ self.loss.weights + 2.0 * decay * dbias,
            )

        return apply

    @property
    def _balance(self) -> float:
        return float((self.problem.weight_decay / self.problem.feature_decay) ** 0.25)


def _landscape(problem: UFM, dim: int) -> _Landscape:
    return _Landscape(problem, label_loss(problem), np.sqrt(problem.proportions), dim)


def _random_points(landscape: _Landscape, starts: int, seed: int) -> Iterator[FloatArray]:
    rng = np.random.default_rng(seed)
    low, high = np.log(_START_LOGITS)
    (n, dim), (_, count) = landscape.shapes
    for _ in range(starts):
        # Entries a of both factors give logits of size a^2 sqrt(M K).
        entry = np.sqrt(np.exp(rng.uniform(low, high)) / np.sqrt(dim * count))
        u, b = entry * rng.standard_normal((n, dim)), entry * rng.standard_normal((dim, count))
        yield landscape.join(u, np.abs(b) if landscape.problem.nonnegative else b, np.zeros(n))


def _minimise(landscape: _Landscape, point: FloatArray, steps: int = 3000) -> FloatArray:
    return minimise_projected(
        landscape.value_and_gradient, point, landscape.bounded(), steps=steps, gradient_norm=_DESCENT_GRADIENT
    )


def _distinct(values: FloatArray) -> list[int]:
    """The starts with the lowest different objectives."""
    order = [int(i) for i in np.argsort(values, kind="stable")]
    close = _SAME_OBJECTIVE * abs(float(np.min(values)))
    return [i for j, i in enumerate(order) if j == 0 or values[i] - values[order[j - 1]] > close][:_FOLLOWED]


def _cooled(landscape: _Landscape, point: FloatArray, first: float, last: float) -> tuple[FloatArray, float, float]:
    """Follow a loss with kinks from one temperature to another: the best point, its temperature and gradient norm."""
    outcomes = []
    temperature = first
    while True:
        soft = landscape.softened(temperature)
        point, norm = _polished(soft, _minimise(soft, point, _STEPS_PER_TEMPERATURE))
        outcomes.append((landscape.value(point), point, temperature, norm))
        if temperature <= last:
            return min(outcomes, key=lambda outcome: outcome[0])[1:]
        temperature = max(_COOLING * temperature, last)


def _polished(landscape: _Landscape, point: FloatArray) -> tuple[FloatArray, float]:
    """Newton's method on the free variables, as long as the projected gradient shrinks; the gradient norm with it."""
    bounded = landscape.bounded()
    gradient = landscape.value_and_gradient(point)[1]
    norm = _projected_norm(point, gradient, bounded)
    for _ in range(_NEWTON_STEPS):
        if norm <= _GRADIENT_NORM:
            break
        free = np.flatnonzero(~(bounded & (point <= np.maximum(gradient, 0.0) * 1e-3)))
        step = np.zeros(point.shape)
        step[free] = _newton_step(landscape.hessian(point), gradient, free)
        for size in (1.0, 0.5, 0.25, 0.0625, 0.0):
            moved = point + size * step
            held = np.ones(point.shape, dtype=np.bool_)
            held[free] = False
            moved[held & bounded] = 0.0
            moved = np.where(bounded, np.maximum(moved, 0.0), moved)
            new_gradient = landscape.value_and_gradient(moved)[1]
            new_norm = _projected_norm(moved, new_gradient, bounded)
            if new_norm < norm:
                break
        if not new_norm < norm:
            break
        point, gradient, norm = moved, new_gradient, new_norm
    return point, norm


def _newton_step(
    hessian: Callable[[FloatArray], FloatArray], gradient: FloatArray, free: NDArray[np.int64]
) -> FloatArray:
    """The least-squares Newton step: rotations of the features leave the Hessian singular."""
    full = np.zeros(gradient.shape)

    def apply(direction: FloatArray) -> FloatArray:
        full[free] = np.ravel(direction)
        return hessian(full)[free]

    if free.size <= _MAX_DENSE:
        matrix = np.column_stack([apply(column) for column in np.eye(free.size)])
        return np.asarray(np.linalg.lstsq(matrix, -gradient[free], rcond=1e-11)[0])
    from scipy.sparse.linalg import LinearOperator, minres  # slow to import, and needed here only

    operator = LinearOperator((free.size, free.size), matvec=apply, dtype=np.float64)
    return np.asarray(minres(operator, -gradient[free], rtol=1e-8, maxiter=_INNER_STEPS)[0])


def _projected_norm(point: FloatArray, gradient: FloatArray, bounded: NDArray[np.bool_]) -> float:
    """Length of the gradient without what pushes against bounds: ``min(x, g)`` where x must be nonnegative."""
    return float(np.linalg.norm(np.where(bounded, np.minimum(point, gradient), gradient)))
