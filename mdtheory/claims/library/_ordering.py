"""Cross-entropy against label smoothing on whole boxes: which of the two dilates more, by signs of residuals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flint import arb

from mdtheory.claims.quantities import logistic_pull
from mdtheory.losses import CrossEntropy
from mdtheory.problems import UFM, MemorizationDilation
from mdtheory.solve import solve
from mdtheory.spreads import Sphere


def cross_entropy_dilates_more(
    *, nonnegative: bool, scaling: str, noisy_decay: Callable[[arb], arb]
) -> Callable[..., bool | None]:
    """A ``decide`` for boxes in decay (of weights and features), noise, slope, smoothing and dim.

    At the middle of the box a memorization between those of the two losses is chosen. Where the residual of cross-entropy
    is negative there and that of label smoothing positive, for all parameters of the box, the solutions lie on either
    side of it: the residual increases in the memorization.

    ``noisy_decay`` gives the decay of noisy features from the common decay.
    """
    exponent = 1 if scaling == "absolute" else 0

    def decide(*, decay: arb, noise: arb, slope: arb, smoothing: arb, dim: arb) -> bool | None:
        middle = [float(x.mid()) for x in (decay, noise, slope, smoothing)]
        spread = Sphere(int(dim.unique_fmpz()))
        lam = noisy_decay(decay)
        guesses = [
            _travelled(middle, alpha, float(lam.mid()), spread, nonnegative, scaling) for alpha in (0.0, middle[3])
        ]
        if guesses[0][1] <= guesses[1][1]:
            return None
        target = (guesses[0][1] * guesses[1][1]) ** 0.5 * middle[2] / middle[1]
        cost = decay * (2 if nonnegative else arb(2).sqrt())
        pull = logistic_pull(spread)

        def side(alpha: arb, guess: float) -> tuple[arb, arb]:
            margin = (1 / (alpha / 2 + cost) - 1).log()
            s, a, decay_of_noisy = margin.mid(), alpha.mid(), lam.mid()
            travelled = _distance_to_reach(
                target, guess, lambda x: _path(s, a, x, decay_of_noisy, exponent, nonnegative).scaled
            )
            return _residual(margin, alpha, travelled, lam, noise, slope, exponent, nonnegative, pull)

        below, least = side(arb(0), guesses[0][0])
        if not below < 0:
            return None
        above, most = side(smoothing, guesses[1][0])
        return True if above > 0 and least >= most else None

    return decide


@dataclass(frozen=True, slots=True)
class _Path:
    """A noisy feature at a distance x: its margin t, phi'(t), rho/x, and ``rho D^(q-1)``."""

    margin: arb
    loss_slope: arb
    stretch: arb
    scaled: arb


def _path(s: arb, alpha: arb, travelled: arb, lam: arb, exponent: int, nonnegative: bool) -> _Path:
    """With equal decays D^2 = 2Rs and kap^2 = 2s/R, R = 1 (nonnegative) or sqrt 2 (free); t = kap x - s."""
    scale = arb(1) if nonnegative else arb(2).sqrt()
    t = _monotone(lambda x: (2 * x / scale).sqrt() * travelled - x, travelled / (2 * scale * s).sqrt() - 1, s)
    loss_slope = alpha / 2 - 1 / (1 + t.exp())
    distance = (2 * s * scale).sqrt()
    stretch = arb(1)
    if not lam.is_zero() and nonnegative:
        multiplier = -(lam * t + s / scale * loss_slope) / ((2 * s / scale).sqrt() * travelled)
        share = lam / (lam + multiplier)
        stretch = (1 + (share * distance / (2 * travelled)) ** 2).sqrt()
    rho = stretch * travelled
    return _Path(t, loss_slope, stretch, rho if exponent == 1 else rho / distance)


def _distance_to_reach(target: float, guess: float, scaled: Callable[[arb], arb]) -> arb:
    """The distance at which a memorization is reached, to four digits: any number would do."""
    low, high = 0.5 * guess, 2.0 * guess
    for _ in range(14):
        middle = 0.5 * (low + high)
        if float(scaled(arb(middle)).mid()) < target:
            low = middle
        else:
            high = middle
    return arb(0.5 * (low + high))


def _residual(
    s: arb,
    alpha: arb,
    travelled: arb,
    lam: arb,
    noise: arb,
    slope: arb,
    exponent: int,
    nonnegative: bool,
    pull: Callable[[arb, arb], arb],
) -> tuple[arb, arb]:
    r"""The residual of stationarity over ``2 kap``, and ``rho D^(q-1)``, at a distance x towards the own class mean.

    ``E zeta phi'(s + kap r zeta) D^q/C + 2 lam r D^q/(kap C) + (rho/x) (phi'(t) + 2 lam t/kap^2)``.
    """
    path = _path(s, alpha, travelled, lam, exponent, nonnegative)
    scale = arb(1) if nonnegative else arb(2).sqrt()
    weights, distance = (2 * s / scale).sqrt(), (2 * s * scale).sqrt()
    r = noise * path.stretch * travelled * distance**exponent / slope
    rate = distance**exponent / slope
    value = pull(s, weights * r) * rate + path.stretch * (path.loss_slope + lam * path.margin * scale / s)
    if not lam.is_zero():
        value += 2 * lam * r * rate / weights
    return value, path.scaled


def _monotone(function: Callable[[arb], arb], derivative: arb, ball: arb) -> arb:
    """The range over a ball: from its ends if the derivative has a sign, else by the mean value theorem."""
    if derivative > 0 or derivative < 0:
        return function(ball.lower()).union(function(ball.upper()))
    middle = ball.mid()
    return function(middle) + derivative * (ball - middle)


def _travelled(
    middle: list[float], smoothing: float, noisy_decay: float, spread: Sphere, nonnegative: bool, scaling: str
) -> tuple[float, float]:
    """``(t + s)/kap`` and the normalised dilation at the middle, in double precision: a guess."""
    decay, noise, slope = middle[:3]
    ufm = UFM(CrossEntropy(smoothing), num_classes=2, weight_decay=decay, feature_decay=decay, nonnegative=nonnegative)
    problem = MemorizationDilation(
        ufm, noise=noise, slope=slope, spread=spread, scaling=scaling, noisy_feature_decay=noisy_decay
    )
    found: Any = solve(problem)
    configuration = problem.configuration
    return (
        float((found.noisy_margin + configuration.margin) / configuration.weight_distance),
        float(found.normalized_dilation),
    )
