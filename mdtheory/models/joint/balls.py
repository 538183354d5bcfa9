"""The joint problem of two classes in balls, for cross-entropy with label smoothing: proved values, and proved minimisers.

Nothing here trusts the solver: a value lies between the objective at a point and the bound from the gradient there; a minimiser is
the one zero of the gradient of a convex function that Krawczyk's test finds in a box. Means over the spread are Arb's rigorous integrals.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from flint import acb, arb, arb_mat, ctx

from mdtheory.foundation.errors import AssumptionError, SolverError
from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.losses import CrossEntropy
from mdtheory.models.features.certificate import Enclosure
from mdtheory.models.joint.absolute import capped
from mdtheory.models.joint.absolute_bound import bound_at
from mdtheory.models.joint.points import Points
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.programme import minimise, programme_of
from mdtheory.models.joint.solution import JointSolution
from mdtheory.numerics.ball_precision import precision
from mdtheory.spreads import Sphere, Spread, TwoPoint

_BITS = 80
# How far from the doubles the minimiser is looked for, relative to them: twice that at each trial.
_RADIUS, _TRIALS = 1e-12, 12
# Of the branch and bound over distances.
_FIRST_CELLS, _MOST_CELLS, _FINEST = 12, 20_000, 1e-8

Function = Callable[[acb, bool], acb]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointBalls:
    """A minimiser in balls.

    Attributes
    ----------
    margin, noisy_margin, normalized_dilation, value : arb
        s, t, ND and the optimal value.
    """

    margin: arb
    noisy_margin: arb
    normalized_dilation: arb
    value: arb


def proved_bounds(solution: JointSolution, *, target: float = 1e-3) -> Enclosure:
    """The optimum of a problem of two classes between doubles, proved in ball arithmetic from the answer's exact binary values.

    With the absolute scaling by branch and bound over the distance of the class means: in each cell of distances the programme of the rate of its
    lower end and the cap of its upper end is bounded from below, from its numerical minimiser.

    Parameters
    ----------
    solution : JointSolution
        Of one point.
    target : float, default 1e-3
        How far apart the ends may be, relative to the upper one, with the absolute scaling; cells are about inverse to it, a tenth of a second each.

    Raises
    ------
    AssumptionError
        If the problem is not one point of two classes, the loss is not CrossEntropy, the spread is neither on a sphere nor two points, or the target is
        not above 1e-8.
    SolverError
        If cells of distances get too many for the target.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=0.1, slope=0.2, weight_decay=5e-3, feature_decay=5e-3)
    >>> proof = proved_bounds(mdt.solve(joint))
    >>> 0 < proof.upper - proof.lower < 1e-12
    True
    """
    problem = _covered(solution.problem, absolute=True)
    if not target > _FINEST:
        raise fail("target", target, f"must be above {_FINEST:g}")
    answer = np.asarray(solution.answer)
    if np.any(np.isnan(answer)):
        raise fail("solution", solution, "must have an answer")
    with precision(_BITS):
        if problem.scaling == "absolute":
            return _absolute_enclosure(problem, answer, target)
        value = _value(_Point.of(problem), arb(float(answer[0])), arb(float(answer[1])))
        return Enclosure(_below(value), -_below(-value))


def _below(value: arb) -> float:
    """A double at most the lower end of a ball."""
    low = float(value.lower())
    while not arb(low) <= value.lower():
        low = float(np.nextafter(low, -np.inf))
    return low


def solve_joint(
    *,
    weight_decay: float,
    feature_decay: float,
    smoothing: float,
    noise: float,
    slope: float,
    spread: Spread,
) -> JointBalls:
    """The optimum for cross-entropy with smoothing, in balls around exact binary parameters.

    Raises
    ------
    AssumptionError
        If everything has collapsed: margins are then zero and nothing is enclosed.
    SolverError
        If no box around the numerical minimiser passes the test.

    Examples
    --------
    >>> found = solve_joint(weight_decay=5e-3, feature_decay=5e-3, smoothing=0.0, noise=0.1, slope=0.2, spread=Sphere(8))
    >>> found.normalized_dilation.rad() < 1e-10
    True
    """
    return _solve_joint(weight_decay, feature_decay, smoothing, noise, slope, spread, ctx.prec)


@lru_cache(maxsize=10_000)
def _solve_joint(
    weight_decay: float, feature_decay: float, smoothing: float, noise: float, slope: float, spread: Spread, bits: int
) -> JointBalls:
    problem = _covered(
        LimitedExpressivity(
            CrossEntropy(smoothing),
            noise=noise,
            slope=slope,
            weight_decay=weight_decay,
            feature_decay=feature_decay,
            spread=spread,
        )
    )
    s, w = (float(x) for x in minimise(problem))
    if s == 0.0:
        raise AssumptionError("margin: must be positive; everything has collapsed to zero")
    with precision(max(bits, _BITS)):
        point = _Point.of(problem)
        box = _krawczyk(point, s, w)
        value = _value(point, arb(s), arb(w))
        return JointBalls(
            margin=box[0],
            noisy_margin=box[1] - box[0],
            normalized_dilation=point.rate * box[1] / (2 * box[0]),
            value=value,
        )


def _covered(problem: LimitedExpressivity, *, absolute: bool = False) -> LimitedExpressivity:
    if problem.shape != () or problem.num_classes != 2:
        raise fail("problem", problem, "must be one point of two classes for a proof in balls")
    if problem.class_axis or problem.nonnegative:
        raise fail("problem", problem, "must have free features and classes alike for a proof in balls")
    if problem.scaling == "absolute" and not absolute:
        raise fail("scaling", problem.scaling, "must be 'relative' for a minimiser in balls")
    if type(problem.loss) is not CrossEntropy:
        raise fail("loss", problem.loss, "must be CrossEntropy for a proof in balls")
    if type(problem.spread) not in (Sphere, TwoPoint):
        raise fail("spread", problem.spread, "must be a Sphere or TwoPoint for a proof in balls")
    return problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """One problem in balls; with the absolute scaling, at class means a unit apart."""

    spread: Spread
    clean: arb
    flip: arb
    rate: arb
    weight: arb
    smoothing: arb
    decays: tuple[arb, arb]

    @classmethod
    def of(cls, problem: LimitedExpressivity) -> "_Point":
        noise, slope = arb(float(problem.noise_per_class)), arb(float(problem.slope))
        decays = arb(float(problem.weight_decay)), arb(float(problem.feature_decay))
        assert isinstance(problem.loss, CrossEntropy)
        return cls(
            spread=problem.spread,
            clean=1 / (1 + noise),
            flip=noise / (1 + noise),
            rate=noise / slope,
            weight=2 * (decays[0] * decays[1]).sqrt(),
            smoothing=arb(float(np.asarray(problem.loss.smoothing))),
            decays=decays,
        )

    def metric(self) -> arb_mat:
        """M, as in `two_classes.metric`."""
        c, p, e = self.rate, self.clean, self.flip
        return arb_mat([[(p + e) / 2, -e / 2], [-e / 2, (p * c**2 + e) / 2]])

    def mean(self, function: Function, power: int, s: arb, k: arb) -> arb:
        """``E zeta^power f(s + k zeta)`` of an analytic f."""

        def term(zeta: acb, analytic: bool) -> acb:
            return zeta**power * function(acb(s) + acb(k) * zeta, analytic)

        if isinstance(self.spread, TwoPoint) or self.spread.dim == 1:
            zeta = acb(1 / arb(self.spread.dim).sqrt())
            return ((term(zeta, False) + term(-zeta, False)) / 2).real
        dim = self.spread.dim

        def integrand(angle: acb, analytic: bool) -> acb:
            return term(angle.sin(), analytic) * angle.cos() ** (dim - 2)

        half = arb(dim) / 2
        norm = half.gamma() / (arb.pi().sqrt() * (half - arb(1) / 2).gamma())
        ends = acb.pi() / 2
        return norm * acb.integral(integrand, -ends, ends, rel_tol=arb(2) ** -70, abs_tol=arb(2) ** -76).real

    # ------------------------------------------------------------------ the margin loss

    def phi(self, t: acb, analytic: bool) -> acb:
        inside = 1 + (-t).exp()
        if analytic and not inside.real > 0:
            return acb("nan")
        return inside.log() + acb(self.smoothing) / 2 * t

    def slope(self, t: acb, analytic: bool) -> acb:
        return acb(self.smoothing) / 2 - 1 / (1 + t.exp())

    def curvature(self, t: acb, analytic: bool) -> acb:
        return 1 / (2 + t.exp() + (-t).exp())


def _at(function: Function, t: arb) -> arb:
    return function(acb(t), False).real


def _gradient(point: _Point, s: arb, w: arb) -> tuple[arb, arb]:
    """Of the loss L, in s and w."""
    k, noisy = point.rate * w, point.flip * _at(point.slope, w - s)
    by_s = point.mean(point.slope, 0, s, k)
    by_k = point.mean(point.slope, 1, s, k)
    return point.clean * by_s - noisy, point.clean * point.rate * by_k + noisy


def _value(point: _Point, s: arb, w: arb) -> arb:
    """A ball from the bound of the gradient at (s, w) up to the objective there."""
    g = _gradient(point, s, w)
    loss = _loss(point, s, w)
    metric = point.metric()
    size = _form(metric, s, w).sqrt()
    dual = _form(metric.inv(), *g).sqrt()
    objective = loss + point.weight * size
    excess = (dual / point.weight - 1).max(arb(0))
    return (loss - g[0] * s - g[1] * w - excess * objective).union(objective)


def _absolute_enclosure(problem: LimitedExpressivity, answer: FloatArray, target: float) -> Enclosure:
    """By branch and bound over the distance; all of it is checked in balls, what is looked at is chosen in doubles."""
    point, x, distance = _Point.of(problem), answer[:-1], float(answer[-1])
    reached = _reached(point, x, distance)
    goal = reached.upper() * (1 - arb(target))
    points, programme = Points.of(replace(problem, slope=np.atleast_1d(problem.slope))), programme_of(problem)
    nothing = _at(point.phi, arb(0))
    furthest = -_below(-2 * (nothing / (point.clean * point.decays[1])).sqrt())
    ends = [0.0, *np.geomspace(0.01 * (distance or furthest), furthest, _FIRST_CELLS)]
    open_cells = list(pairwise(ends))
    # Features that are zero are among the answers, and beyond the furthest distance nothing is better.
    least = goal.min(nothing)
    for _ in range(_MOST_CELLS):
        if not open_cells:
            return Enclosure(_below(least), -_below(-reached))
        low, high = open_cells.pop()
        one = np.ones(1)
        begun = np.array([x * [high / distance, 1.0]]) if distance > 0 else programme.first(points, one)
        found = capped(programme, points, low * one, high * one, begun).point
        guess = bound_at(programme, points.at_distance(low * one), found, high * one, float(reached.mid()) * one)[0]
        if not (guess > float(goal.mid()) and _cell_bound(point, found[0], low, high, reached) >= goal):
            middle = float(np.sqrt(low * high)) if low > 0 else 0.1 * high
            open_cells += [(low, middle), (middle, high)]
    raise SolverError(f"more than {_MOST_CELLS} cells of distances: ask for a larger target")


def _reached(point: _Point, x: FloatArray, distance: float) -> arb:
    """The objective at an answer of the absolute scaling."""
    if distance == 0.0:
        return _at(point.phi, arb(0))
    s, w, there = arb(float(x[0])), arb(float(x[1])), replace(point, rate=point.rate * arb(distance))
    square, v = _form(there.metric(), s, w), 2 * s**2 / arb(distance) ** 2
    return _loss(there, s, w) + point.decays[1] * square / v + point.decays[0] * v


def _cell_bound(point: _Point, x: FloatArray, low: float, high: float, reached: arb) -> arb:
    """A lower bound on the optimum with distances from `low` to `high`, as `absolute_bound` has it, from any x."""
    there, cap = replace(point, rate=point.rate * arb(low)), arb(high)
    s, w = arb(float(x[0])), arb(float(x[1]))
    a, lam, inverse = point.decays[0], point.decays[1], there.metric().inv()
    g = _gradient(there, s, w)
    g1, g2 = inverse[0, 0] * g[0] + inverse[0, 1] * g[1], inverse[1, 0] * g[0] + inverse[1, 1] * g[1]
    root = arb(2).sqrt()
    p, q, r = (g[0] * g1 + g[1] * g2) / lam, root * g1 / lam, 2 * inverse[0, 0] / lam
    # Any multiplier between zero and a/cap^2 will do: the one of the doubles.
    scale = 2 * float(x[0]) ** 2 / high**2
    held = float(a.mid()) - float(lam.mid()) * float(_form(there.metric(), s, w).mid()) / scale**2 if scale > 0 else 0.0
    m = arb(min(max(held, 0.0), float(a.lower()))) / cap**2
    slope, largest = a - m * cap**2 - p / 4, reached / a

    def value(v: arb) -> arb:
        return slope * v + m * q**2 * v**2 / (4 * (1 + m * r * v))

    def tangent(v: arb) -> arb:
        return slope + q**2 / (4 * r) * (1 - 1 / (1 + m * r * v) ** 2)

    # Convex in v: a tangent, at about the best place, is least at an end.
    best = arb(min(max(scale, 0.0), float(largest.lower())))
    rise = tangent(best)
    least = value(best) + (-rise * best).min(rise * (largest - best))
    return _loss(there, s, w) - g[0] * s - g[1] * w + least.min(arb(0))


def _loss(point: _Point, s: arb, w: arb) -> arb:
    return point.clean * point.mean(point.phi, 0, s, point.rate * w) + point.flip * _at(point.phi, w - s)


def _form(matrix: arb_mat, a: arb, b: arb) -> arb:
    """``x' M x``, which is not negative."""
    value = matrix[0, 0] * a * a + 2 * matrix[0, 1] * a * b + matrix[1, 1] * b * b
    return value.max(arb(0))


def _whole_gradient(point: _Point, s: arb, w: arb) -> arb_mat:
    g, metric = _gradient(point, s, w), point.metric()
    pull = point.weight / _form(metric, s, w).sqrt()
    return arb_mat(
        [
            [g[0] + pull * (metric[0, 0] * s + metric[0, 1] * w)],
            [g[1] + pull * (metric[1, 0] * s + metric[1, 1] * w)],
        ]
    )


def _whole_hessian(point: _Point, s: arb, w: arb) -> arb_mat:
    c, k, p, e = point.rate, point.rate * w, point.clean, point.flip
    noisy = e * _at(point.curvature, w - s)
    moments = [point.mean(point.curvature, power, s, k) for power in range(3)]
    metric = point.metric()
    square = _form(metric, s, w)
    size, x = square.sqrt(), (s, w)
    pulls = [metric[i, 0] * x[0] + metric[i, 1] * x[1] for i in range(2)]
    smooth = [
        [p * moments[0] + noisy, p * c * moments[1] - noisy],
        [p * c * moments[1] - noisy, p * c**2 * moments[2] + noisy],
    ]
    return arb_mat(
        [
            [smooth[i][j] + point.weight * (metric[i, j] - pulls[i] * pulls[j] / square) / size for j in range(2)]
            for i in range(2)
        ]
    )


def _krawczyk(point: _Point, s: float, w: float) -> tuple[arb, arb]:
    """A box that holds the one zero of the gradient."""
    middle = arb_mat([[arb(s)], [arb(w)]])
    inverse = _whole_hessian(point, arb(s), arb(w)).inv().mid()
    moved = inverse * _whole_gradient(point, arb(s), arb(w))
    for trial in range(_TRIALS):
        reach = _RADIUS * 2.0 ** (2 * trial)
        box = [arb(s, reach * abs(s)), arb(w, reach * abs(w))]
        away = arb_mat([[box[0] - s], [box[1] - w]])
        identity = arb_mat([[1, 0], [0, 1]])
        image = middle - moved + (identity - inverse * _whole_hessian(point, *box)) * away
        if all(box[i].contains_interior(image[i, 0]) for i in range(2)):
            return image[0, 0], image[1, 0]
    raise SolverError("joint minimiser: no box around the numbers passes the test")
