r"""Smooth convex functions plus nuclear norms, minimised to second order.

The objective is ``f(x) + sum_i c_i ||x_i||_*`` for a tuple of matrices. One iteration, at a point ``X = U S V'``:

1. On the matrices of the rank of X the objective is smooth, with the explicit Hessian of
   :class:`~mdtheory.optimisers.nuclear_basis.SpectralBasis`. Newton's equation is solved on the tangent space by
   conjugate gradients, preconditioned by the diagonal of ``f''`` in the singular basis, its largest entries cut off, plus
   the exact curvature of the norm, which only couples entries (i, j) and (j, i).
2. The step becomes one of the balanced factors ``W = U S^{1/2}``, ``H = S^{1/2} V'``. As ``||W H||_*`` is at most
   ``(||W||^2 + ||H||^2)/2``, with equality at X, a backtracking along ``f(WH) + c (||W||^2 + ||H||^2)/2`` needs values of
   f only, and whatever it accepts lowers the objective. The damping of the Newton equation acts on the factors:
   it holds back small singular values, for which the model fails first, and leaves large ones alone.
3. A proximal gradient step, the one singular value decomposition of the iteration, finds the new rank and restores the
   form ``U S V'``. It is shortened until the objective stays below the bound of step 2, so the method descends
   monotonically from any start.

Alternatives were measured on 49 random cross-entropy instances with N = 20 and 100, decays 1e-2 to 1e-5, a gap of 1e-9
and a limit of 100 iterations. The same Newton step without the factors, accepted by comparing objectives after the
decomposition, lost decompositions to small singular values that had to vanish, and missed the gap on 7 instances; with
the factors but undamped it missed 2; as it stands it misses none. Preconditioning by the Hessian's diagonal in the
entries, conjugated by the square root of the norm's curvature, doubles the price of a conjugate gradient step; it needs 2.6
times fewer for one-hot labels, but up to 5 times more for sparse labels and low rank. Cutting off the largest entries,
which is free, needs about 3 times fewer for one-hot and smoothed labels, and no more elsewhere.

A block without weight that only shifts what another block can shift as well, like an undecayed bias, converges faster if
the term projects that direction out of the penalised block. Where the infimum is not attained (such a bias, and a class
that no label mentions) the iterates diverge slowly and the gap stays at the level of rounding in the certificate.

References
----------
A. S. Lewis and H. S. Sendov, Nonsmooth analysis of singular values, Set-Valued Anal. 13 (2005): derivatives of functions
of singular values. N. Srebro, J. Rennie and T. Jaakkola, Maximum-margin matrix factorization, NIPS 2004, Lemma 1: the
factored form of the nuclear norm. J.-F. Cai, E. Candes and Z. Shen, SIAM J. Optim. 20 (2010), Theorem 2.1: its proximal
operator.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.linalg

from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.optimisers.nuclear_basis import Basis, Decomposed, PlainBasis, decompose
from mdtheory.optimisers.nuclear_newton import (
    Blocks,
    Curvature,
    Tangents,
    conjugate_gradients,
    operator,
    preconditioner,
)

__all__ = ["Blocks", "Curvature", "SmoothTerm", "minimise_nuclear"]

_EPS = 2.0**-52


class SmoothTerm(Protocol):
    """A smooth convex function of a tuple of matrices."""

    def value(self, x: Blocks) -> float:
        """The function."""

    def gradient(self, x: Blocks) -> Blocks:
        """Its gradient, one matrix per block."""

    def curvature(self, x: Blocks) -> Curvature:
        """Its Hessian at a point; any generalised one where the gradient has kinks."""


def minimise_nuclear(
    term: SmoothTerm,
    weights: tuple[float, ...],
    start: Blocks,
    *,
    certify: Callable[[Blocks], tuple[float, float]],
    target: float,
    max_iterations: int = 200,
    progress: Callable[[str], object] | None = None,
) -> Blocks:
    r"""Minimise ``term(x) + sum_i weights[i] ||x[i]||_*`` until a certificate shows a small relative gap.

    Parameters
    ----------
    term : SmoothTerm
        A convex function with a continuous gradient. Its curvature may jump, and may vanish.
    weights : tuple of float
        One nonnegative weight per block; a block of weight zero is unpenalised.
    start : tuple of array
        Matrices of any shapes. Zero is a good start, and exploits that its decomposition is known.
    certify : callable
        Maps a point to an upper and a lower bound of the optimum. It is called only when the Newton decrement and the
        length of the last proximal step suggest a gap below the target.
    target : float
        Relative gap ``(upper - lower)/|upper|`` at which to stop.
    max_iterations : int
        Limit for the Newton steps. Each costs one or two singular value decompositions.
    progress : callable, optional
        Called with one line per iteration.

    Returns
    -------
    tuple of array
        The best point found. It may miss the target, where `certify` does not confirm it, rounding stops the descent
        or the limit is reached; no error is raised for that, so callers certify the answer themselves.

    Raises
    ------
    AssumptionError
        For weights, starts, targets or limits outside their domain.

    Examples
    --------
    The squared distance to a matrix, whose singular values 3 and 1 the minimiser shrinks by the weight 2:

    >>> from types import SimpleNamespace
    >>> goal = np.diag([3.0, 1.0])
    >>> hessian = SimpleNamespace(apply=lambda direction: direction, diagonal=(np.ones((2, 2)),))
    >>> distance = SimpleNamespace(
    ...     value=lambda x: 0.5 * np.sum((x[0] - goal) ** 2),
    ...     gradient=lambda x: (x[0] - goal,),
    ...     curvature=lambda x: hessian,
    ... )
    >>> def certify(x):
    ...     upper = distance.value(x) + 2.0 * np.linalg.norm(x[0], "nuc")
    ...     return upper, upper - 2.0 * np.linalg.norm(x[0] - np.diag([1.0, 0.0]))
    >>> (x,) = minimise_nuclear(distance, (2.0,), (np.zeros((2, 2)),), certify=certify, target=1e-12)
    >>> (x + 0.0).round(12).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    _check(weights, start, target, max_iterations)
    point = _first_point(term, weights, tuple(np.array(block, dtype=np.float64) for block in start))
    trust = _Trust(step=point.step, damping=0.1)
    threshold, stalls = 0.5 * target, 0
    for iteration in range(max_iterations):
        model = _linearise(term, point, trust)
        if progress is not None:
            progress(f"iteration {iteration}: value {point.value:.12g}, residual {model.decrement:.2e}")
        uncertainty = max(model.decrement, point.movement)
        if uncertainty <= threshold * abs(point.value) + _EPS * abs(point.value):
            upper, lower = certify(point.blocks)
            if upper - lower <= target * max(abs(upper), np.finfo(np.float64).tiny):
                return point.blocks
            threshold = 0.1 * min(threshold, uncertainty / max(abs(point.value), np.finfo(np.float64).tiny))
            if threshold < 1e-3 * _EPS or uncertainty == 0.0:
                return point.blocks
        step = _newton_step(model, trust, target)
        trial, trust = _search(term, point, model, step, trust)
        following, trust = _descend(term, weights, trial, point, trust)
        stalls = stalls + 1 if following.value >= point.value - 2.0 * _EPS * abs(point.value) else 0
        if following.value <= point.value + 16.0 * _EPS * abs(point.value):
            point = following
        if stalls == 4:
            break
    return point.blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A point of known singular value decomposition, with the length of the proximal step that led to it."""

    blocks: Blocks
    bases: tuple[Basis, ...]
    smooth: float
    value: float
    step: float
    movement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trust:
    """How far the models are trusted: length of the proximal step, rest before it may grow, damping of the factors."""

    step: float
    damping: float
    rest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The second-order model at a point, on its tangent space."""

    tangents: Tangents
    gradient: Blocks
    curvature: Curvature
    right_side: FloatArray
    diagonal: FloatArray
    shift: float
    decrement: float
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A point on the curve of factors, and an upper bound of the objective there."""

    blocks: Blocks
    bound: float


def _check(weights: tuple[float, ...], start: Blocks, target: float, max_iterations: int) -> None:
    if len(weights) != len(start):
        raise fail("weights", weights, f"must hold one weight for each of the {len(start)} blocks")
    for weight in weights:
        if not (weight >= 0.0 and np.isfinite(weight)):
            raise fail("weights", weights, "must be nonnegative and finite")
    for block in start:
        if np.ndim(block) != 2 or np.size(block) == 0 or not np.all(np.isfinite(block)):
            raise fail("start", np.shape(block), "must hold finite matrices")
    if not target >= 0.0:
        raise fail("target", target, "must be nonnegative")
    if max_iterations < 1:
        raise fail("max_iterations", max_iterations, "must be at least 1")


def _first_point(term: SmoothTerm, weights: tuple[float, ...], start: Blocks) -> _Point:
    """The proximal gradient step from the start; from zero, the best of its multiples."""
    smooth, gradient = term.value(start), term.gradient(start)
    step = _step_length(term.curvature(start))
    if any(np.any(block) for block in start):
        penalty = sum(
            weight * float(scipy.linalg.svdvals(block, check_finite=False).sum())
            for weight, block in zip(weights, start, strict=True)
            if weight > 0.0
        )
        trial = _Trial(blocks=start, bound=smooth + penalty)
        point, _ = _proximal(term, weights, trial, gradient, _Trust(step=step, damping=0.0), _EPS)
        return point
    sources = _sources(weights, tuple(-g for g in gradient))
    bases = _shrunk(weights, sources, 1.0, 1.0)
    ray, slope = tuple(basis.matrix() for basis in bases), sum(basis.penalty for basis in bases)

    def along(length: float) -> float:
        return term.value(tuple(length * block for block in ray)) + length * slope

    value = along(step)
    for _ in range(60):
        if value <= smooth:
            break
        step *= 0.5
        value = along(step)
    for _ in range(60):
        longer = along(2.0 * step)
        if not longer < value:
            break
        step, value = 2.0 * step, longer
    bases = _shrunk(weights, sources, step, step)
    return _point_at(term, bases, step, start)


def _step_length(curvature: Curvature) -> float:
    top = max(float(h.max()) for h in curvature.diagonal)
    return 1.0 / top if top > 0.0 else 1.0


def _sources(weights: tuple[float, ...], blocks: Blocks) -> tuple[Decomposed | FloatArray, ...]:
    return tuple(decompose(block) if weight > 0.0 else block for weight, block in zip(weights, blocks, strict=True))


def _shrunk(
    weights: tuple[float, ...], sources: tuple[Decomposed | FloatArray, ...], scale: float, step: float
) -> tuple[Basis, ...]:
    return tuple(
        source.shrunk(scale, step, weight) if isinstance(source, Decomposed) else PlainBasis(entries=scale * source)
        for weight, source in zip(weights, sources, strict=True)
    )


def _point_at(term: SmoothTerm, bases: tuple[Basis, ...], step: float, origin: Blocks) -> _Point:
    blocks = tuple(basis.matrix() for basis in bases)
    smooth = term.value(blocks)
    moved = sum(float(np.vdot(d, d)) for d in (x - y for x, y in zip(blocks, origin, strict=True)))
    value = smooth + sum(basis.penalty for basis in bases)
    return _Point(blocks=blocks, bases=bases, smooth=smooth, value=value, step=step, movement=moved / step)


def _proximal(
    term: SmoothTerm, weights: tuple[float, ...], trial: _Trial, gradient: Blocks, trust: _Trust, slack: float
) -> tuple[_Point, _Trust]:
    """A proximal gradient step that does not exceed the bound of the trial; shorter steps until one does not."""
    step, rest = trust.step, max(trust.rest - 1, 0)
    for attempt in range(30):
        forward = tuple(x - step * g for x, g in zip(trial.blocks, gradient, strict=True))
        point = _point_at(term, _shrunk(weights, _sources(weights, forward), 1.0, step), step, trial.blocks)
        if point.value <= trial.bound + slack:
            break
        step, rest = step / (4.0 if attempt < 2 else 16.0), 6
    return point, replace(trust, step=step, rest=rest)


def _descend(
    term: SmoothTerm, weights: tuple[float, ...], trial: _Trial, point: _Point, trust: _Trust
) -> tuple[_Point, _Trust]:
    """The next point; its value may exceed that of the last by rounding."""
    grown = trust if trust.rest else replace(trust, step=2.0 * trust.step)
    slack = 16.0 * _EPS * abs(point.value)
    return _proximal(term, weights, trial, term.gradient(trial.blocks), grown, slack)


def _linearise(term: SmoothTerm, point: _Point, trust: _Trust) -> _Model:
    tangents = Tangents(point.bases)
    gradient, curvature = term.gradient(point.blocks), term.curvature(point.blocks)
    right_side, diagonal = tangents.steepest(gradient), tangents.diagonal(curvature)
    # A flat loss leaves directions without any curvature; there the shift stands for the proximal term.
    shift = (1e-3 * min(1.0, trust.damping) + 1e-10) / point.step
    diagonal = diagonal + shift
    scaled = preconditioner(tangents, diagonal, trust.damping)(right_side)
    return _Model(
        tangents=tangents,
        gradient=gradient,
        curvature=curvature,
        right_side=right_side,
        diagonal=diagonal,
        shift=shift,
        decrement=float(right_side @ scaled),
        scale=abs(point.value),
    )


def _newton_step(model: _Model, trust: _Trust, target: float) -> FloatArray:
    """The damped Newton direction, as accurately as the decrement warrants."""
    if model.decrement == 0.0:
        return np.zeros_like(model.right_side)
    relative = model.decrement / max(model.scale, np.finfo(np.float64).tiny)
    # What the truncated solve leaves of the decrement need not be smaller than the gap that is asked for.
    enough = np.sqrt(0.05 * target / relative)
    tolerance = float(max(min(0.3, relative**0.25), min(enough, 0.5), 1e-3))
    dtype = model.tangents.working
    solution, _ = conjugate_gradients(
        operator(model.tangents, model.curvature, trust.damping, model.shift),
        preconditioner(model.tangents, model.diagonal, trust.damping, dtype=dtype),
        model.right_side.astype(dtype),
        tolerance=tolerance,
        max_iterations=600 if dtype is np.float64 else 100,
    )
    return solution.astype(np.float64)


def _search(term: SmoothTerm, point: _Point, model: _Model, step: FloatArray, trust: _Trust) -> tuple[_Trial, _Trust]:
    """Backtrack along the curve of factors, and adapt the damping to how well the model foresaw the descent."""
    step = _without_overshoot(point, model, step)
    parts = zip(point.bases, model.tangents.slices, strict=True)
    seconds, linear, square = zip(
        *(basis.factor_step(step[part], model.tangents.working) for basis, part in parts), strict=True
    )
    first = model.tangents.expand(step)
    slope = -float(model.right_side @ step)
    length = 1.0
    while slope < 0.0 and length > 1e-6:
        blocks = tuple(x + length * d + length**2 * e for x, d, e in zip(point.blocks, first, seconds, strict=True))
        change = term.value(blocks) - point.smooth + length * sum(linear) + length**2 * sum(square)
        if change <= 0.1 * length * slope + 4.0 * _EPS * abs(point.value):
            trial = _Trial(blocks=blocks, bound=point.value + change)
            return trial, replace(trust, damping=_damping(trust.damping, length, 2.0 * change / slope))
        length *= 0.5
    return _Trial(blocks=point.blocks, bound=point.value), replace(
        trust, damping=min(max(16.0 * trust.damping, 1.0), 1e4)
    )


def _without_overshoot(point: _Point, model: _Model, step: FloatArray) -> FloatArray:
    """The step with every singular value that it drives below zero stopped at zero, if that leaves a good direction."""
    stopped = step.copy()
    for basis, part in zip(point.bases, model.tangents.slices, strict=True):
        basis.stop_at_zero(stopped[part])
    return stopped if float(model.right_side @ stopped) > 0.3 * float(model.right_side @ step) else step


def _damping(damping: float, length: float, ratio: float) -> float:
    """The next damping, given the accepted length and the ratio of the descent to the model's."""
    if length < 1.0:
        return min(max(4.0 * damping, 0.1), 1e4)
    if ratio < 0.5:
        damping *= 2.0
    elif ratio > 0.75:
        damping *= 0.125
    if damping < 1e-3:
        return 0.0 if ratio > 0.9 else 1e-3
    return damping
