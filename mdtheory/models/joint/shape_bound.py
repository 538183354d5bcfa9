r"""Three classes: a lower bound on the optimum over all configurations, by branch and bound over the shape of W.

With a trace of one, ``K = W W'`` is :math:`\tfrac12(I + q R(\varphi))` in the plane of logits, with R a reflection: a point of the unit disc. Classes that are alike
leave a sector of 60 degrees of it. Cells are pieces of rings, bounded in turn by diagonal matrices in the frame of their middle angle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray, fail, one_integer, one_number, positive
from mdtheory.models.joint.general import Setting
from mdtheory.models.joint.general_solution import ClassJointSolution
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.shape_programme import ShapeProgramme
from mdtheory.models.joint.solution import JointSolution
from mdtheory.models.model import Options
from mdtheory.optimisers.damped_newton import minimise_smooth
from mdtheory.optimisers.norm_newton import Derivatives

# Cells that are bounded together, and the angles and radii to begin with in 60 degrees.
_BATCH, _ANGLES, _RADII = 48, 2, 4
# What norms are rounded by, relative to the size of features: less and less.
_ROUNDING = (0.1, 1e-2, 1e-3, 1e-4)
# Of the rules: to find minimisers, and for the bounds that are stated, less what a coarser one differs by.
_SEARCH_ORDER, _FINAL_ORDER, _COARSER_ORDER = 12, 36, 27
# A step between two classes leads somewhere if it makes this much, of at most 1.4, along the direction that W sees.
_CLEAR = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeBound:
    """What is proved of the optimum of a problem of three classes, up to what rules of integration miss.

    Attributes
    ----------
    lower : float
        A lower bound on the optimum over all configurations.
    upper : float
        The value that was given.
    cells : int
        The number of shapes that were bounded.
    """

    lower: float
    upper: float
    cells: int

    @property
    def relative_gap(self) -> float:
        """``(upper - lower)/upper``."""
        return (self.upper - self.lower) / self.upper


@dataclass(slots=True)
class _Cells:
    """Pieces of rings: q and phi between two ends (K, 2) each, the best bound (K,), and a start (K, n) for the programme."""

    radius: FloatArray
    angle: FloatArray
    bound: FloatArray
    start: FloatArray

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "_Cells":
        return _Cells(self.radius[which], self.angle[which], self.bound[which], self.start[which])

    def joined(self, other: "_Cells") -> "_Cells":
        return _Cells(
            np.concatenate([self.radius, other.radius]),
            np.concatenate([self.angle, other.angle]),
            np.concatenate([self.bound, other.bound]),
            np.concatenate([self.start, other.start]),
        )


def bound_over_shapes(
    solution: JointSolution | ClassJointSolution,
    *,
    target: float = 0.02,
    most_cells: int = 20_000,
    progress: Callable[[str], object] | None = None,
) -> ShapeBound:
    r"""How far an answer for three classes is from the best of all configurations, by branch and bound over the shape of W.

    For a given shape of W the problem is convex; the shape has two parameters. In a cell of shapes a convex programme bounds the
    problem from below, and its own minimiser proves its value. Cells whose bound is too low are halved, the lowest first. Interrupted
    (by `KeyboardInterrupt`), it returns what is proved until then.

    Parameters
    ----------
    solution : JointSolution or ClassJointSolution
        Of one point of three classes with free features and the relative scaling, for CrossEntropy or MeanSquaredError.
    target : float, default 0.02
        The gap to stop at, relative to the answer's objective. Cells are about inverse to its square, 2 to 8 ms each: a hundred
        where the answer is symmetric, thousands where the objective hardly depends on the shape.
    most_cells : int, default 20000
        Where to stop short of the target.
    progress : callable, optional
        Called with a line of text after every batch of cells.

    Returns
    -------
    ShapeBound
        The bounds reached; its ``relative_gap`` is above the target where cells were not enough.

    Raises
    ------
    AssumptionError
        If the solution is of another kind, or an option is outside its domain.

    Notes
    -----
    In floating point: means over the spread are taken by a rule, less what a coarser one differs by. The bounds are derived in
    `derivations/joint_shapes.py`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), num_classes=3, noise=0.1, slope=0.4, weight_decay=3e-3, feature_decay=3e-3, spread=mdt.Gaussian(8))
    >>> proof = mdt.bound_over_shapes(mdt.solve(joint))
    >>> proof.relative_gap <= 0.02 + 1e-12
    True
    """
    problem, upper = _checked(solution)
    target = one_number("target", target, positive)
    if not target < 1.0:
        raise fail("target", target, "must be below 1")
    most_cells = one_integer("most_cells", most_cells, 1, 2**31)
    progress = Options(progress=progress).checked(frozenset({"progress"}), problem, "branch and bound").progress
    setting = Setting.of(problem)
    goal, count = (1.0 - target) * upper, 0
    waiting = _first(setting, problem.classes_alike)
    while waiting.bound.size and count < most_cells:
        try:
            order = np.argsort(waiting.bound, kind="stable")
            batch, later = waiting.take(order[:_BATCH]), waiting.take(order[_BATCH:])
            bound, logits = _bounds(setting, batch, upper, goal)
            below = np.maximum(batch.bound, bound)
            still = _Cells(batch.radius, batch.angle, below, logits).take(below < goal)
            waiting, count = later.joined(_halves(still)), count + below.size
            if progress is not None:
                least = min([goal, *waiting.bound])
                progress(f"{count} shapes, {waiting.bound.size} open: optimum between {least:.6g} and {upper:.6g}")
        except KeyboardInterrupt:
            break
    least = max(min([goal, *waiting.bound]), float(solution.lower_bound))
    return ShapeBound(lower=float(min(least, upper)), upper=upper, cells=count)


def _checked(solution: JointSolution | ClassJointSolution) -> tuple[LimitedExpressivity, float]:
    """The problem and its value, if it is covered."""
    if not isinstance(solution, (JointSolution, ClassJointSolution)):
        raise fail("solution", solution, "must be the answer to a LimitedExpressivity")
    problem = solution.problem
    if problem.num_classes != 3:
        raise fail("num_classes", problem.num_classes, "must be 3 for a bound over the shapes of W")
    problem.check_searchable()
    upper = float(solution.objective)
    if not np.isfinite(upper):
        raise fail("solution", solution, "must have an answer")
    return problem, upper


def _first(setting: Setting, alike: bool) -> _Cells:
    """Rings of the whole disc, or of the sector between the axis of a class and that of a pair."""
    axis = setting.basis[0]
    begin = 2.0 * np.arctan2(axis[1], axis[0])
    span = np.pi / 3.0 if alike else 2.0 * np.pi
    angles = np.linspace(begin, begin + span, (_ANGLES if alike else 6 * _ANGLES) + 1)
    # Ever thinner rings towards W that sees one direction only.
    radii = np.concatenate([1.0 - 0.5 ** np.arange(_RADII), [1.0]])
    cells = list(product(pairwise(radii), pairwise(angles)))
    radius, angle = np.array([ring for ring, _ in cells]), np.array([part for _, part in cells])
    n = 2 * (3 + setting.labels.size + setting.problem.bias)
    return _Cells(radius, angle, np.full(len(radius), -np.inf), np.full((len(radius), n), np.nan))


def _halves(cells: _Cells) -> _Cells:
    """Each cell in two, across what loosens its bound more."""
    low, high = cells.radius.T
    half = 0.5 * (cells.angle[:, 1] - cells.angle[:, 0])
    small = 0.5 * (1.0 - low * np.cos(half))
    across = 0.5 * high * np.sin(half) / np.sqrt(small * 0.5 * (1.0 + high))
    by_radius = 0.5 * 0.5 * (high - low) / small > across
    parts: list[_Cells] = []
    for side in (0, 1):
        radius, angle = cells.radius.copy(), cells.angle.copy()
        radius[by_radius, 1 - side] = cells.radius[by_radius].mean(axis=-1)
        angle[~by_radius, 1 - side] = cells.angle[~by_radius].mean(axis=-1)
        parts.append(_Cells(radius, angle, cells.bound, cells.start))
    return parts[0].joined(parts[1])


def _bounds(setting: Setting, cells: _Cells, upper: float, goal: float) -> tuple[FloatArray, FloatArray]:
    """A lower bound (K,) on the optimum in each cell, and the logits of the minimisers, to start with in its parts."""
    bound, start = np.full(len(cells.bound), -np.inf), cells.start.copy()
    # No feature is longer, for a W of length one.
    size = upper / (2.0 * np.sqrt(setting.weight_decay * setting.feature_decay))
    for which, programme in _programmes(setting, cells):
        x = _features(programme, start[which])
        for share in _ROUNDING:
            x = _minimised(programme, x, share * size, _SEARCH_ORDER)
        finest = _ROUNDING[-1] * size
        # Not worth a finer rule where the value is too low itself.
        high = np.flatnonzero(programme.derivatives(x, finest, _SEARCH_ORDER).value >= goal)
        x[high] = _minimised(programme.take(high), x[high], finest, _FINAL_ORDER)
        bound[which] = _certified(programme, x, finest, upper)
        start[which] = _logits(programme, x)
    return bound, start


def _programmes(setting: Setting, cells: _Cells) -> list[tuple[NDArray[np.intp], ShapeProgramme]]:
    """Those with a spread in the plane, and those next to a W that sees one direction, with that of one coordinate."""
    (low, high), half = cells.radius.T, 0.5 * (cells.angle[:, 1] - cells.angle[:, 0])
    middle = 0.5 * cells.angle.mean(axis=-1)
    turn = np.stack(
        [np.stack([np.cos(middle), -np.sin(middle)], -1), np.stack([np.sin(middle), np.cos(middle)], -1)], -2
    )
    # In the frame of the middle angle K has these entries, and off the diagonal at most `off`.
    most, least = 0.5 * (1.0 + high), 0.5 * (1.0 + low * np.cos(half))
    most_small, least_small = 0.5 * (1.0 - low * np.cos(half)), 0.5 * (1.0 - high)
    off = 0.5 * high * np.sin(half)
    above = np.sqrt(most_small / most)
    frame = np.sqrt(np.stack([most + off / above, most_small + off * above], axis=-1))
    below = np.sqrt(least_small / least)
    with np.errstate(divide="ignore"):
        lower = np.stack([least - off / below, least_small - off * below], axis=-1)
    flat = np.any(lower <= 0.0, axis=-1)
    mixing = _mixing(setting, turn[:, :, 0])
    found = []
    for kind in (flat, ~flat):
        which = np.flatnonzero(kind)
        if which.size:
            spread = None if kind is flat else turn[which] * np.sqrt(lower[which])[:, None, :]
            programme = ShapeProgramme(
                setting=setting, frame=turn[which] * frame[which, None, :], spread=spread, mixing=mixing[which]
            )
            found.append((which, programme))
    return found


def _mixing(setting: Setting, direction: FloatArray) -> FloatArray:
    """For a W that sees one direction (K, 2): steps of a class that lead the same way add up, opposite ones too, and one that is no step has a coordinate of its own."""
    ahead = direction @ (setting.basis[setting.labels] - setting.basis[setting.classes]).T
    clear = np.abs(ahead) > _CLEAR
    return np.stack([np.where(clear, np.sign(ahead), 0.0), np.where(clear, 0.0, 1.0)], axis=-1)


def _minimised(programme: ShapeProgramme, x: FloatArray, rounding: float, order: int) -> FloatArray:
    def whole(at: FloatArray, which: NDArray[np.intp]) -> Derivatives:
        return programme.take(which).derivatives(at, rounding, order)

    return minimise_smooth(whole, x).point


def _certified(programme: ShapeProgramme, x: FloatArray, rounding: float, upper: float) -> FloatArray:
    """A lower bound (K,) on each programme from any x: the objective lies above its tangent, and an optimum no further away than its decays allow."""
    there = programme.derivatives(x, rounding, _FINAL_ORDER)
    coarser = programme.derivatives(x, rounding, _COARSER_ORDER).value
    metric = programme.metric
    by_features, by_bias = np.split(there.gradient, [metric.size], axis=-1)
    furthest = upper / programme.weight
    slack = furthest * np.sqrt(np.sum(by_features**2 / metric, axis=-1))
    slack += np.linalg.norm(by_bias, axis=-1) * programme.furthest_bias(upper)
    bound = there.value - np.sum(there.gradient * x, axis=-1) - slack - np.abs(there.value - coarser)
    return np.where(np.isnan(bound), -np.inf, bound)


def _features(programme: ShapeProgramme, logits: FloatArray) -> FloatArray:
    """x (K, n) from logits of the features and a bias; plain ones where there are none."""
    s = programme.setting
    means = 3.0 * s.basis
    plain = np.concatenate([means, 0.6 * means[s.classes] + 0.4 * means[s.labels]]).ravel()
    plain = np.append(plain, np.zeros(logits.shape[1] - plain.size))
    known = np.where(np.isnan(logits), plain, logits)
    return programme.with_features(known, np.asarray(np.linalg.inv(programme.frame), dtype=np.float64))


def _logits(programme: ShapeProgramme, x: FloatArray) -> FloatArray:
    return programme.with_features(x, programme.frame)
