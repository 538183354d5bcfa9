r"""Isotropic distributions of the clean examples around their class mean.

A clean example is ``h_n + r xi`` with ``E||xi||^2 = 1`` in R^d. All the theory needs is the law of one coordinate
zeta of xi, symmetric with variance 1/d: its tail (the error of unseen examples) and expectations over it.
"""

import cmath
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.parameter import Parameter, field_names
from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    fail,
    one_integer,
    real,
    real_array,
    same_fields,
    scalar_or_array,
)
from mdtheory.foundation.wording import hyphenated, in_short
from mdtheory.numerics.means_in_balls import (
    GAUSSIAN_REACH,
    gaussian_panels,
    mean_over_gaussian,
    mean_over_sphere,
    mean_over_two_points,
    panel_count,
    sphere_panels,
)

if TYPE_CHECKING:
    from mdtheory.numerics.branch_and_bound import Panel, Piece

# Numbers of Gauss nodes, so that few rules are ever computed; even, so that no node is zero.
_LADDER: tuple[int, ...] = (*range(4, 34, 2), 40, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072)
# Split rules reach this many standard deviations, for laws that a factor e^-t tilts; their panels are a sixth of that.
_REACH = 18.0
_PANELS = 6


@dataclass(frozen=True)
class Spread(Frozen, ABC):
    """An isotropic law of xi in R^d with ``E||xi||^2 = 1``.

    Parameters
    ----------
    dim : int
        The dimension d, from 1 to 10**6. One number: to vary it, loop.

    A spread with further parameters has a field for each, and says in `parameters` how it is written: sweeps take it as
    ``spread.name``, records and, with a place in `SPREADS`, the command line as ``name``.
    """

    dim: int

    #: How each parameter is written on an axis and given in the shell; one without an entry goes by its name.
    #: Whether zeta and -zeta have one law; else zeta counts towards the other class.
    is_symmetric: ClassVar[bool] = True
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("dim", "d", "dimension of the spread", log=True, default=8, kind="count"),
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", one_integer("dim", self.dim, 1, 10**6))

    @classmethod
    def name(cls) -> str:
        """The name in words with hyphens, as on the command line."""
        return hyphenated(cls.__name__)

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Names of the parameters: the fields of the dataclass."""
        return field_names(cls)

    @property
    def label(self) -> str:
        """Name and parameters, for tables and legends.

        Examples
        --------
        >>> TwoPoint(4).label
        'two-point, dim 4'
        """
        return ", ".join([self.name(), *(f"{f.name} {in_short(getattr(self, f.name))}" for f in fields(self))])

    @property
    @abstractmethod
    def radius(self) -> float:
        """The largest value of zeta."""

    @property
    def reach(self) -> float:
        """A value of zeta beyond which there is no probability to speak of."""
        return self.radius

    @property
    @abstractmethod
    def mean_absolute(self) -> float:
        """``E|zeta|``."""

    @property
    @abstractmethod
    def wide_scale(self) -> float:
        """The scale of zeta beyond which `split_rule` is the better rule for a softmax loss."""

    @abstractmethod
    def tail(self, x: ArrayLike) -> Real:
        """``P(zeta > x)`` for x >= 0, infinity included (1/2 at x = 0 for a continuous law); others are refused."""

    @abstractmethod
    def smooth_rule(self, centre: FloatArray, scale: FloatArray, strip: float) -> tuple[FloatArray, FloatArray]:
        """Nodes zeta >= 0 and the weight of each pair +-zeta, one rule for all given points.

        It integrates ``phi(centre + scale zeta)`` and its derivatives to about 13 digits if phi is analytic for
        complex arguments with ``|Im| < strip``.
        """

    @abstractmethod
    def split_rule(self, kink: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights (..., m) for functions of ``scale zeta`` that are smooth on either side of ``kink``.

        Poles are taken to be at height pi (in units of ``scale zeta``) and no further than 40 from the kink.
        """

    def mean_in_balls(self, pieces: "Sequence[Piece]") -> Any:
        """A ball around the expectation of a function of zeta, given in pieces; None, the default, where none is known."""
        return None

    def panels(self, scale: float) -> "tuple[Sequence[Panel], float] | None":
        """The law in panels of moments, each narrow where zeta is multiplied by `scale`, and the share that they miss.

        None, the default, where there are none or too many would be needed.
        """
        return None

    def second_moment(self, reach: FloatArray) -> FloatArray:
        """``d E[zeta^2; |zeta| <= reach]``, which rises from 0 to 1."""
        raise fail("spread", self, "offers no second moment of its parts")

    def test_error(self, normalized_dilation: ArrayLike) -> Real:
        """Error rate ``P(zeta > 1/(2 ND))`` of unseen clean examples at normalised dilation ND, from 0 to infinity."""
        nd = np.abs(_not_negative("normalized_dilation", normalized_dilation))  # the sign of a zero
        with np.errstate(divide="ignore", over="ignore"):
            threshold = 0.5 / nd
        return scalar_or_array(np.where(nd > 0, self.tail(threshold), 0.0))


@dataclass(frozen=True)
class Sphere(Spread):
    """Uniform on the unit sphere of R^d.

    Examples
    --------
    >>> Sphere(dim=3).test_error(1.0)     # zeta is uniform on [-1, 1]
    0.25
    """

    @property
    def radius(self) -> float:
        return 1.0

    @property
    def reach(self) -> float:
        return _sphere_reach(self.dim)

    @property
    def mean_absolute(self) -> float:
        return _sphere_mean_absolute(self.dim)

    @property
    def wide_scale(self) -> float:
        return 64.0 if self.dim > 1 else np.inf

    def tail(self, x: ArrayLike) -> Real:
        return _scaled_tail(x, 1.0, self.dim)

    def mean_in_balls(self, pieces: "Sequence[Piece]") -> Any:
        return mean_over_sphere(pieces, self.dim)

    def panels(self, scale: float) -> "tuple[Sequence[Panel], float] | None":
        count = panel_count(scale, self.dim)
        return (sphere_panels(count, 9, self.dim), 0.0) if count and self.dim > 1 else None

    def second_moment(self, reach: FloatArray) -> FloatArray:
        if self.dim == 1:
            return np.where(reach < 1.0, 0.0, 1.0)
        return np.asarray(special.betainc(1.5, 0.5 * (self.dim - 1), np.minimum(reach, 1.0) ** 2))

    def smooth_rule(self, centre: FloatArray, scale: FloatArray, strip: float) -> tuple[FloatArray, FloatArray]:
        return _gauss_rule(self.dim, _gauss_order(centre, scale, strip, self.dim))

    def split_rule(self, kink: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _split_sphere_rule(kink, scale, self.dim)


@dataclass(frozen=True)
class UniformBall(Spread):
    """Uniform in the ball of radius ``sqrt((d+2)/d)`` of R^d: a coordinate is that of a sphere in R^(d+2), scaled."""

    @property
    def radius(self) -> float:
        return float(np.sqrt((self.dim + 2) / self.dim))

    @property
    def reach(self) -> float:
        return self.radius * _sphere_reach(self.dim + 2)

    @property
    def mean_absolute(self) -> float:
        return self.radius * _sphere_mean_absolute(self.dim + 2)

    @property
    def wide_scale(self) -> float:
        return 64.0 / self.radius

    def tail(self, x: ArrayLike) -> Real:
        return _scaled_tail(x, self.radius, self.dim + 2)

    def mean_in_balls(self, pieces: "Sequence[Piece]") -> Any:
        return mean_over_sphere(pieces, self.dim + 2, self.dim)

    def panels(self, scale: float) -> "tuple[Sequence[Panel], float] | None":
        count = panel_count(scale * self.radius, self.dim)
        return (sphere_panels(count, 9, self.dim + 2, self.dim), 0.0) if count else None

    def second_moment(self, reach: FloatArray) -> FloatArray:
        inside = np.minimum(reach / self.radius, 1.0)
        return np.asarray(special.betainc(1.5, 0.5 * (self.dim + 1), inside**2))

    def smooth_rule(self, centre: FloatArray, scale: FloatArray, strip: float) -> tuple[FloatArray, FloatArray]:
        order = _gauss_order(centre, scale * self.radius, strip, self.dim + 2)
        nodes, weights = _gauss_rule(self.dim + 2, order)
        return nodes * self.radius, weights

    def split_rule(self, kink: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        nodes, weights = _split_sphere_rule(kink / self.radius, scale * self.radius, self.dim + 2)
        return nodes * self.radius, weights


@dataclass(frozen=True)
class Gaussian(Spread):
    """Normal with covariance I/d."""

    @property
    def radius(self) -> float:
        return np.inf

    @property
    def reach(self) -> float:
        return float(_REACH / np.sqrt(self.dim))

    @property
    def mean_absolute(self) -> float:
        return float(np.sqrt(2.0 / (np.pi * self.dim)))

    @property
    def wide_scale(self) -> float:
        return float(8.0 * np.sqrt(self.dim))

    def mean_in_balls(self, pieces: "Sequence[Piece]") -> Any:
        return mean_over_gaussian(pieces, self.dim)

    def panels(self, scale: float) -> "tuple[Sequence[Panel], float] | None":
        count = panel_count(scale * GAUSSIAN_REACH / np.sqrt(self.dim))
        return (gaussian_panels(count, 9, self.dim), 1e-30) if count else None

    def second_moment(self, reach: FloatArray) -> FloatArray:
        return np.asarray(special.gammainc(1.5, 0.5 * self.dim * np.square(reach)))

    def tail(self, x: ArrayLike) -> Real:
        with np.errstate(over="ignore"):
            return scalar_or_array(0.5 * special.erfc(_not_negative("x", x) * np.sqrt(self.dim / 2.0)))

    def smooth_rule(self, centre: FloatArray, scale: FloatArray, strip: float) -> tuple[FloatArray, FloatArray]:
        # Trapezoidal rule with step h on the real line: for a strip of half-width a (in standard deviations) the error
        # is e^(a^2/2 - 2 pi a/h), at best e^(-2 pi^2/h^2).
        root = np.sqrt(self.dim)
        spread = np.asarray(scale) / root
        half_width = min(0.95 * strip / max(float(np.max(spread)), 1e-300), 8.0)
        step = min(2.0 * np.pi * half_width / (34.0 + 0.5 * half_width**2), 0.75)
        # phi' ~ e^-t tilts the law by `spread` standard deviations, at most as far as the boundary at t = 0.
        tilt = np.max(np.minimum(spread, np.abs(centre) / np.maximum(spread, 1e-3)))
        nodes = np.arange(0.0, 8.7 + tilt + step, step)
        weights = 2.0 * step * np.exp(-0.5 * nodes**2) / np.sqrt(2.0 * np.pi)
        weights[0] *= 0.5
        return nodes / root, weights

    def split_rule(self, kink: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        sigma = np.sqrt(self.dim)
        nodes, weights = _panels(np.clip(kink * sigma, -_REACH, _REACH), -_REACH, _REACH, scale / sigma)
        return nodes / sigma, weights * np.exp(-0.5 * nodes**2) / np.sqrt(2.0 * np.pi)


@dataclass(frozen=True)
class TwoPoint(Spread):
    """Every coordinate is +-1/sqrt(d) with equal probability (d = 1 is the sphere of dimension 1)."""

    @property
    def radius(self) -> float:
        return float(1.0 / np.sqrt(self.dim))

    @property
    def mean_absolute(self) -> float:
        return self.radius

    @property
    def wide_scale(self) -> float:
        return np.inf

    def mean_in_balls(self, pieces: "Sequence[Piece]") -> Any:
        return mean_over_two_points(pieces, self.dim)

    def second_moment(self, reach: FloatArray) -> FloatArray:
        return np.where(reach < self.radius, 0.0, 1.0)

    def tail(self, x: ArrayLike) -> Real:
        return scalar_or_array(np.where(_not_negative("x", x) < self.radius, 0.5, 0.0))

    def smooth_rule(self, centre: FloatArray, scale: FloatArray, strip: float) -> tuple[FloatArray, FloatArray]:
        return np.array([self.radius]), np.array([1.0])

    def split_rule(self, kink: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        shape = (*np.shape(kink), 2)
        return np.broadcast_to(np.array([-self.radius, self.radius]), shape), np.full(shape, 0.5)


@dataclass(frozen=True, eq=False)
class EmpiricalSpread(Spread):
    r"""A law of zeta as it was measured: so many coordinates towards the other class mean, each as likely as the others.

    It need not be symmetric: with the mean b of the coordinates above zero unseen examples drift towards the other class. The mean square of the
    coordinates is one over the effective dimension. All expectations are finite sums.

    Parameters
    ----------
    dim : int
        The dimension of the features; no answer depends on it.
    coordinates : array (K,)
        Of clean examples, from their class mean towards the other one, over the root mean square distance r to the class mean:
        `Measurement.spread_law`. At least two that are not all zero, with mean square 1 at most.

    Raises
    ------
    AssumptionError
        If the coordinates are not such numbers.

    Examples
    --------
    >>> one_sided = EmpiricalSpread(8, [-0.2, -0.1, 0.0, 0.3, 0.8])
    >>> round(one_sided.drift, 3), round(one_sided.effective_dim, 3), one_sided.test_error(1.0)
    (0.16, 6.41, 0.2)
    """

    coordinates: FloatArray

    is_symmetric: ClassVar[bool] = False

    if TYPE_CHECKING:

        def __init__(self, dim: int, coordinates: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        super().__post_init__()
        values = np.sort(real_array("coordinates", self.coordinates).ravel())
        if np.ndim(self.coordinates) != 1 or values.size < 2 or not np.all(np.isfinite(values)):
            raise fail("coordinates", np.shape(self.coordinates), "must be at least two finite numbers in one row")
        square = float(np.mean(values**2))
        if not 0.0 < square <= 1.0 + 1e-9:
            raise fail(
                "coordinates", square, "must have a mean square above 0, and at most 1: divide by the distance r"
            )
        object.__setattr__(self, "coordinates", values)

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other, ("dim", "coordinates"))

    def __hash__(self) -> int:
        return hash((type(self), self.dim, self.coordinates.tobytes()))

    @property
    def label(self) -> str:
        return f"empirical, {self.coordinates.size} coordinates"

    @property
    def drift(self) -> float:
        """The mean coordinate, over r: positive towards the other class."""
        return float(self.coordinates.mean())

    @property
    def effective_dim(self) -> float:
        """One over the mean square."""
        return float(1.0 / np.mean(self.coordinates**2))

    @property
    def radius(self) -> float:
        return float(np.max(np.abs(self.coordinates)))

    @property
    def mean_absolute(self) -> float:
        return float(np.mean(np.abs(self.coordinates)))

    @property
    def wide_scale(self) -> float:
        return np.inf

    def tail(self, x: ArrayLike) -> Real:
        above = self.coordinates.size - np.searchsorted(self.coordinates, _not_negative("x", x), side="right")
        return scalar_or_array(above / self.coordinates.size)

    def second_moment(self, reach: FloatArray) -> FloatArray:
        size = np.sort(np.abs(self.coordinates))
        below = np.concatenate([[0.0], np.cumsum(size**2)])
        return np.asarray(below[np.searchsorted(size, reach, side="right")] / below[-1])

    def smooth_rule(self, centre: FloatArray, scale: FloatArray, strip: float) -> tuple[FloatArray, FloatArray]:
        raise fail("spread", self.label, "must be symmetric here: an empirical law is for `MemorizationDilation`")

    def split_rule(self, kink: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.smooth_rule(kink, scale, 0.0)


#: The spreads by name.
SPREADS: dict[str, type[Spread]] = {kind.name(): kind for kind in (Sphere, Gaussian, UniformBall, TwoPoint)}


def _not_negative(name: str, value: ArrayLike) -> FloatArray:
    return np.asarray(real(name, value, lambda x: x >= 0, "be nonnegative"))


def _sphere_mean_absolute(dim: int) -> float:
    x = 0.5 * dim
    if x >= 200.0:
        # Gamma(x)/Gamma(x + 1/2), whose logarithms would cancel; the next term is below 5e-15.
        ratio = 1.0 + 1.0 / (8.0 * x) + 1.0 / (128.0 * x**2) - 5.0 / (1024.0 * x**3) - 21.0 / (32768.0 * x**4)
        return float(ratio / np.sqrt(np.pi * x))
    return float(np.exp(special.gammaln(x) - special.gammaln(x + 0.5)) / np.sqrt(np.pi))


def _sphere_reach(dim: int) -> float:
    angle = _REACH / np.sqrt(max(dim - 2.0, 1e-9))
    return float(np.sin(angle)) if angle < 0.5 * np.pi else 1.0


def _scaled_tail(x: ArrayLike, radius: float, sphere_dim: int) -> Real:
    y = _not_negative("x", x) / radius
    if sphere_dim == 1:
        return scalar_or_array(np.where(y < 1, 0.5, 0.0))
    inside = np.clip(1.0 - y, 0.0, 1.0) * (1.0 + np.minimum(y, 1.0))
    return scalar_or_array(0.5 * special.betainc((sphere_dim - 1) / 2, 0.5, inside))


def _gauss_order(centre: FloatArray, scale: FloatArray, strip: float, dim: int) -> int:
    """Nodes for 13 digits: Gauss quadrature converges like M rho^(-2n), M the maximum on an ellipse that avoids the pole.

    On the ellipse of size rho a softmax loss is up to ``e^(widest rho/2)`` times what it is at the centre, and at most
    ``e^farthest``: the best ellipse may be smaller than the one through the pole.
    """
    if dim == 1:
        return 2
    if not np.isfinite(strip):
        return _LADDER[0]
    # The nearest pole of the widest point bounds all others.
    widest, distances = max(float(np.max(scale)), 1e-12), np.abs(centre)
    nearest, farthest = float(np.min(distances)), float(np.max(distances))
    pole = complex(nearest, strip) / widest
    rho = abs(pole + cmath.sqrt(pole - 1.0) * cmath.sqrt(pole + 1.0))
    # The expectation itself may be as small as e^-centre, or 1/d.
    digits = 30.0 + math.log(dim)
    for order in _LADDER:
        best = min(rho, max(4.0 * order / widest, 2.0))
        if 2.0 * order * math.log(best) - min(0.5 * widest * (best + 1.0 / best), farthest) >= digits:
            return order
    raise fail("dilation", widest, "is too large for the quadrature (more than 3072 nodes)")


@lru_cache(maxsize=256)
def _gauss_rule(dim: int, order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Gegenbauer rule for one coordinate of the sphere in R^dim, by the Golub-Welsch eigenvalue problem."""
    if dim == 1:
        return np.ones(1), np.ones(1)
    from scipy import linalg  # half the import time of the package, needed only here

    k = np.arange(1, order)
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = k * (k + dim - 3.0) / ((2.0 * k + dim - 2.0) * (2.0 * k + dim - 4.0))
    squared[0] = 1.0 / dim  # the variance; the general formula is 0/0 for dim = 2
    nodes, vectors = linalg.eigh_tridiagonal(np.zeros(order), np.sqrt(squared))
    half = order // 2
    return np.asarray(nodes[order - half :]), np.asarray(2.0 * vectors[0, order - half :] ** 2)


def _split_sphere_rule(kink: FloatArray, scale: FloatArray, dim: int) -> tuple[FloatArray, FloatArray]:
    if dim == 1:
        shape = (*np.shape(kink), 2)
        return np.broadcast_to(np.array([-1.0, 1.0]), shape), np.full(shape, 0.5)
    # zeta = sin(angle) has density ~ cos^(d-2)(angle), which is analytic; far beyond its bulk it is nothing.
    end = min(np.pi / 2, _REACH / np.sqrt(max(dim - 2.0, 1e-9)))
    angle = np.clip(np.arcsin(np.clip(kink, -1.0, 1.0)), -end, end)
    nodes, weights = _panels(angle, -end, end, scale)
    log_norm = special.gammaln(dim / 2) - special.gammaln((dim - 1) / 2) - 0.5 * np.log(np.pi)
    density = np.exp(log_norm + (dim - 2.0) * np.log(np.cos(nodes))) if dim > 2 else np.exp(log_norm)
    return np.sin(nodes), weights * density


def _panels(kink: FloatArray, low: float, high: float, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre panels on [low, kink] and [kink, high], for integrands with poles at height ``pi/scale``.

    Panels are at most ``6/scale`` wide up to ``48/scale`` from the kink, and then grow with their distance from it:
    there must be no other transition further out.
    """
    width = min(1.0 / _PANELS, 6.0 / max(float(np.max(scale)) * (high - low), 1.0))
    ends = [0.0]
    while ends[-1] < 1.0:
        ends.append(ends[-1] + min(max(width, ends[-1] - 7.0 * width), 1.0 / _PANELS))
    edges = np.array(ends) / ends[-1]
    unit, weight = np.polynomial.legendre.leggauss(24)
    sizes = np.diff(edges)
    grid = (edges[:-1, None] + sizes[:, None] * (0.5 * (unit + 1.0))).ravel()
    share = (sizes[:, None] * (0.5 * weight)).ravel()
    left, right = (kink - low)[..., None], (high - kink)[..., None]
    nodes = np.concatenate([kink[..., None] - left * grid, kink[..., None] + right * grid], axis=-1)
    return nodes, np.concatenate([left * share, right * share], axis=-1)
