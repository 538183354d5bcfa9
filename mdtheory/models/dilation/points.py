"""The reduced problem as data: what the solvers know of each point, and what they say of a noisy feature."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.expectation import Selection, restrict, stiffness
from mdtheory.foundation.blocks import Index, take_block
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.models.dilation.problem import Configuration, MemorizationDilation
from mdtheory.spreads import Spread


@dataclass(frozen=True, slots=True)
class Points:
    """The reduced problem at a flat block of points; every field is an array over points.

    Attributes
    ----------
    loss : Loss
    spread : Spread
    classes : Configuration
        Class means and classifier.
    noise, rate, decay : array
        eta, ``c = D^q/C``, and lambda, the decay of noisy features.
    log_noise, log_rate : array
        Logarithms of the first two; the rate itself may overflow.
    extreme : array of bool
        Where products of these numbers may leave the range of a double.
    room : array or None
        Distance from the margin up to the kink of the loss.
    constrained : bool
        Whether u >= 0.
    """

    loss: Loss
    spread: Spread
    classes: Configuration
    noise: FloatArray
    rate: FloatArray
    decay: FloatArray
    log_noise: FloatArray
    log_rate: FloatArray
    extreme: NDArray[np.bool_]
    room: FloatArray | None
    constrained: bool

    def take(self, selection: Selection) -> "Points":
        """The points selected by a slice or mask."""
        chosen = {name: getattr(self, name)[selection] for name in _OVER_POINTS}
        classes = Configuration(
            **{field.name: getattr(self.classes, field.name)[selection] for field in fields(Configuration)}
        )
        room = None if self.room is None else self.room[selection]
        return replace(self, loss=restrict(self.loss, selection), classes=classes, room=room, **chosen)

    @property
    def log_gain(self) -> FloatArray:
        """``log(eta c^2)``."""
        return np.asarray(self.log_noise + 2.0 * self.log_rate)

    def initial_stiffness(self) -> FloatArray:
        """``F''(0)/4``, the limit of ``F'(r)/(4 r)``."""
        loss, room = self.loss, self.room
        bend = loss.profile_curvature(self.classes.margin) if room is None else loss.slopes_before_minimizer(room)[1]
        return np.asarray(0.5 * self.classes.weight_distance**2 * (bend / self.spread.dim) + self._floor)

    def stiffness(self, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``F'(r)/(4 r)`` and ``F''(r)/4`` at ``kap r = scale``."""
        first, second = stiffness(self.loss, self.spread, self.classes.margin, scale, self.room)
        half, floor = 0.5 * self.classes.weight_distance**2, self._floor
        return half * first + floor, half * second + floor

    def initial_curvature(self) -> FloatArray:
        """F2 = F''(0), so that F'(r) ~ F2 r."""
        return np.asarray(4.0 * self.initial_stiffness())

    def slope(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """F'(r) and F''(r)."""
        first, second = self.stiffness(self.classes.weight_distance * r)
        return 4.0 * first * r, 4.0 * second

    def dilation_of(self, rho: FloatArray, log_rho: FloatArray) -> FloatArray:
        """``r = eta c rho``: zero where it underflows."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return np.where(
                self.extreme, np.exp(self.log_noise + self.log_rate + log_rho), self.noise * self.rate * rho
            )

    @property
    def _floor(self) -> FloatArray:
        if self.loss.shift_invariant:
            return self.decay
        return np.asarray(self.decay + 0.25 * self.classes.weight_sum**2 / self.spread.dim)


_OVER_POINTS = ("noise", "rate", "decay", "log_noise", "log_rate", "extreme")


@dataclass(frozen=True, slots=True)
class Position:
    """A noisy feature: memorisation rho, noisy margin t, and coordinate along the mean."""

    rho: FloatArray
    margin: FloatArray
    level: FloatArray


@dataclass(frozen=True, slots=True)
class Response(Position):
    """A noisy feature with ``d log rho/d log nu`` (elasticity) and ``dt/d log nu`` (velocity).

    ``log_rho`` says what rho is where that underflows.
    """

    elasticity: FloatArray
    velocity: FloatArray
    log_rho: FloatArray | None = None


def points_of(problem: MemorizationDilation) -> Points:
    """The reduced problem at all points of a problem, on one axis."""
    return block_of_points(problem, problem.configuration, (), int(np.prod(problem.shape)))


def block_of_points(problem: MemorizationDilation, c: Configuration, index: Index, size: int) -> Points:
    """The reduced problem at one block of the broadcast shape."""
    problem.check_two_classes()

    def flat(value: ArrayLike) -> FloatArray:
        return np.broadcast_to(take_block(value, problem.shape, index), (size,))

    loss = problem.ufm.loss
    loss = loss.with_parameters(
        **{n: take_block(getattr(loss, n), problem.shape, index) for n in loss.parameter_names()}
    )
    room = problem.ufm.loss.room(c.margin, problem.margin_cost)
    with np.errstate(divide="ignore", over="ignore"):
        rate, log_noise = problem.rate_of(c), np.log(problem.noise)
    return Points(
        loss=loss,
        spread=problem.spread,
        classes=Configuration(**{field.name: flat(getattr(c, field.name)) for field in fields(Configuration)}),
        noise=flat(problem.noise),
        rate=flat(rate),
        decay=flat(problem.decay),
        log_noise=flat(log_noise),
        log_rate=flat(_log_rate(problem, c)),
        extreme=np.asarray(flat(_extreme(problem, c, rate)), dtype=bool),
        room=None if room is None else flat(room),
        constrained=problem.nonnegative_noisy_features,
    )


def _log_rate(problem: MemorizationDilation, c: Configuration) -> FloatArray:
    logarithm = -np.log(problem.slope)
    return np.asarray(logarithm + np.log(c.mean_distance) if problem.scaling == "absolute" else logarithm)


def _extreme(problem: MemorizationDilation, c: Configuration, rate: FloatArray) -> NDArray[np.bool_]:
    """Where a product of two of the numbers of the problem may overflow, or lose digits to underflow."""

    def outside(value: ArrayLike) -> NDArray[np.bool_]:
        return np.less(value, 1e-100) | np.greater(value, 1e100)

    noise = np.asarray(problem.noise)
    distant = outside(c.weight_distance) | outside(c.mean_distance) | np.greater(problem.decay, 1e100)
    return np.asarray(distant | outside(rate) | (outside(noise) & (noise > 0)))
