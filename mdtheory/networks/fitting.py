r"""How much dilation memorising causes over many trainings: laws through the origin, fitted to measurements.

With eta the noise as a ratio and :math:`p = \eta/(1+\eta)` its share, memorization rho, distance D and dilation r of unseen examples, r_0 and so on at zero noise, each law says y = a x:

=================  ======================================  ==============================================
law                y                                       x
=================  ======================================  ==============================================
linear-relative    :math:`r - r_0`                         :math:`\eta\rho` (the constraint with q = 0; C = 1/a)
linear-absolute    :math:`r - r_0`                         :math:`\eta\rho D` (q = 1, as published; C = 1/a)
copy               :math:`(r/D)^2 - (r_0/D_0)^2`           :math:`p(\rho/D)^2`
transport          drift minus that at zero noise          :math:`p\rho/D`
=================  ======================================  ==============================================
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, choice, fail
from mdtheory.networks.run_table import FEWEST_SEEDS, Interval, Resamples, RunTable

Law = Literal["linear-relative", "linear-absolute", "copy", "transport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFit:
    """The fit to the runs of one loss.

    Attributes
    ----------
    coefficient : float
        a.
    interval : tuple of float or None
        Of a, at the confidence asked for; None below five seeds.
    r_squared : float
        ``1 - sum (y - a x)^2/sum (y - mean y)^2``: below zero where a constant would fit better.
    runs, seeds : int
        With noise.
    """

    coefficient: float
    interval: Interval | None
    r_squared: float
    runs: int
    seeds: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SlopeFit(Frozen):
    """A law fitted to runs; see `fit_slope`.

    Attributes
    ----------
    law : str
    pooled : GroupFit
        Of all runs.
    groups : dict of str to GroupFit
        Of each loss.
    exponent, exponent_interval : float, and tuple of float or None
        b of the best ``log y = b log x``, with an offset of its own for each loss: 1 if the law is right. NaN where fewer than two runs have x, y > 0.
    ratios : dict of str to tuple
        For each loss but the first its coefficient over that of the first, and the interval of the ratio or None.
    same_for_every_loss : {"supported", "contradicted", "undecided"}
        Contradicted if an interval of a ratio excludes 1, supported if all lie within 10 % of it.
    baseline : bool
        Whether every loss had runs without noise to subtract.
    """

    law: Law
    pooled: GroupFit
    groups: dict[str, GroupFit]
    exponent: float
    exponent_interval: Interval | None
    ratios: dict[str, tuple[float, Interval | None]]
    same_for_every_loss: str
    baseline: bool

    @property
    def slope(self) -> float:
        """C = 1/a of the linear laws; NaN of the others."""
        linear = self.law.startswith("linear") and self.pooled.coefficient != 0.0
        return 1.0 / self.pooled.coefficient if linear else float("nan")

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [
            f"{self.law}: exponent {self.exponent:.3g}, one coefficient for every loss: {self.same_for_every_loss}"
        ]
        for name, fit in {"all": self.pooled, **self.groups}.items():
            low, high = fit.interval or (np.nan, np.nan)
            said = f"[{low:.4g}, {high:.4g}]" if fit.interval else f"no interval below {FEWEST_SEEDS} seeds"
            lines.append(
                f"  {name}: {fit.coefficient:.4g} {said}, R^2 {fit.r_squared:.2f}, {fit.runs} runs, {fit.seeds} seeds"
            )
        return "\n".join(lines if self.baseline else [*lines, "  no runs without noise: nothing was subtracted"])


def fit_slope(
    runs: Any, law: Law = "linear-relative", *, confidence: float = 0.95, resamples: int = 2000, random_seed: int = 0
) -> SlopeFit:
    """Fit a law of memorization and dilation to the measurements of many trainings.

    Parameters
    ----------
    runs : pandas.DataFrame, xarray.Dataset or mapping of str to array
        A row for each training, such as those of `Measurement.to_dataframe` under one another, with the columns "noise", "memorization", "mean_distance",
        "dilation" and for "transport" "drift". Further "loss", names of groups, and "seed", what trainings have in common that may make them alike;
        without it every row counts as a seed of its own. Rows without noise are the baseline of their loss.
    law : {"linear-relative", "linear-absolute", "copy", "transport"}
        What is fitted, see the head of this module.
    confidence : float, default 0.95
        Of the intervals: bootstrap over seeds, all runs of a seed drawn together; Student's quantile for so many seeds times the standard
        deviation of the resamples.
    resamples, random_seed : int
        Of the bootstrap.

    Returns
    -------
    SlopeFit

    Raises
    ------
    AssumptionError
        If a column is missing or not finite where it is needed, or no run has noise.

    Examples
    --------
    Five trainings for each of two noise levels, in which r = .1 + 2 eta rho:

    >>> import numpy as np
    >>> seed, noise = np.tile(np.arange(5), 3), np.repeat([0.0, 0.1, 0.3], 5)
    >>> rho = np.where(noise > 0, 1.0 + 0.1 * seed, np.nan)
    >>> r = 0.1 + 2 * noise * np.nan_to_num(rho)
    >>> found = fit_slope({"noise": noise, "memorization": rho, "mean_distance": np.ones(15), "dilation": r, "seed": seed})
    >>> round(found.slope, 9), round(found.exponent, 9), round(found.pooled.r_squared, 9)
    (0.5, 1.0, 1.0)
    """
    choice("law", law, get_args(Law))
    table = RunTable.of(runs, "drift" if law == "transport" else "dilation")
    return fit_table(table, law, Resamples.checked(confidence, resamples, random_seed))


def fit_table(table: RunTable, law: Law, resampled: Resamples) -> SlopeFit:
    """A law fitted to a table whose response is what the law is about."""
    x, y, complete = _sides(table, law)
    noisy = table.noise > 0.0
    x, y, loss, seed = x[noisy], y[noisy], table.loss[noisy], table.seed[noisy]
    clusters = np.unique(seed)
    counts = resampled.counts(clusters.size)
    names = list(dict.fromkeys(loss.tolist()))
    sums = {name: _Sums.of(x, y, seed, clusters, loss == name) for name in names}
    for name, part in sums.items():
        if part.seeds == 0:
            raise fail("memorization", 0.0, f"must be positive in some run with noise of {name}")
    everything = _Sums.of(x, y, seed, clusters, np.ones(x.size, dtype=bool))
    ratios = {name: _ratio(sums[name], sums[names[0]], counts, resampled) for name in names[1:]}
    exponent, between = _exponent(x, y, loss, seed, clusters, resampled)
    return SlopeFit(
        law=law,
        pooled=_fit(x, y, everything, counts, resampled),
        groups={name: _fit(x[loss == name], y[loss == name], sums[name], counts, resampled) for name in names},
        exponent=exponent,
        exponent_interval=between,
        ratios=ratios,
        same_for_every_loss=_verdict(ratios),
        baseline=complete,
    )


def _sides(table: RunTable, law: Law) -> tuple[FloatArray, FloatArray, bool]:
    """x and y of all runs, and whether every loss has a baseline."""
    share = table.noise / (1.0 + table.noise)
    moved = table.memorization / table.distance
    x = {
        "linear-relative": table.noise * table.memorization,
        "linear-absolute": table.noise * table.memorization * table.distance,
        "copy": share * moved**2,
        "transport": share * moved,
    }[law]
    y = (table.response / table.distance) ** 2 if law == "copy" else table.response
    below, complete = np.zeros(y.size), True
    for name in np.unique(table.loss):
        own = table.loss == name
        quiet = own & (table.noise == 0.0)
        if np.any(quiet):
            below[own] = y[quiet].mean()
        else:
            complete = False
    return x, y - below, complete


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of x^2 and x y, for each seed."""

    squares: FloatArray
    products: FloatArray

    @classmethod
    def of(
        cls, x: FloatArray, y: FloatArray, seed: NDArray[Any], clusters: NDArray[Any], which: NDArray[np.bool_]
    ) -> "_Sums":
        place = np.searchsorted(clusters, seed)
        size = clusters.size

        def total(values: FloatArray) -> FloatArray:
            return np.asarray(np.bincount(place[which], values[which], minlength=size), dtype=np.float64)

        return cls(total(x**2), total(x * y))

    @property
    def seeds(self) -> int:
        return int(np.sum(self.squares > 0.0))

    def coefficients(self, counts: FloatArray) -> FloatArray:
        """One (R,) for each row of counts of the seeds."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((counts @ self.products) / (counts @ self.squares))


def _fit(x: FloatArray, y: FloatArray, sums: _Sums, counts: FloatArray, resampled: Resamples) -> GroupFit:
    found = float(sums.coefficients(np.ones((1, counts.shape[1])))[0])
    scatter = float(np.sum((y - y.mean()) ** 2))
    interval = None
    if sums.seeds >= FEWEST_SEEDS:
        reach = resampled.reach(sums.coefficients(counts), sums.seeds)
        interval = found - reach, found + reach
    return GroupFit(
        coefficient=found,
        interval=interval,
        r_squared=1.0 - float(np.sum((y - found * x) ** 2)) / scatter if scatter > 0.0 else float("nan"),
        runs=x.size,
        seeds=sums.seeds,
    )


def _ratio(own: _Sums, other: _Sums, counts: FloatArray, resampled: Resamples) -> tuple[float, Interval | None]:
    """Of two coefficients; seeds are drawn for both at once, so that what they share cancels."""
    once = np.ones((1, counts.shape[1]))
    a, b = float(own.coefficients(once)[0]), float(other.coefficients(once)[0])
    seeds = min(own.seeds, other.seeds)
    if seeds < FEWEST_SEEDS or not (a > 0.0 and b > 0.0):
        return a / b if b else float("nan"), None
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = resampled.reach(np.log(own.coefficients(counts) / other.coefficients(counts)), seeds)
    return a / b, (a / b * float(np.exp(-reach)), a / b * float(np.exp(reach)))


def _exponent(
    x: FloatArray, y: FloatArray, loss: NDArray[Any], seed: NDArray[Any], clusters: NDArray[Any], resampled: Resamples
) -> tuple[float, Interval | None]:
    """Of the best power law with an offset for each loss, and its interval."""
    once, many = np.ones((1, clusters.size)), resampled.counts(clusters.size)
    parts = [np.zeros((2, len(counts))) for counts in (once, many)]
    seeds: set[Any] = set()
    for name in np.unique(loss):
        some = (loss == name) & (x > 0.0) & (y > 0.0)
        if np.sum(some) < 2:
            continue
        seeds |= set(seed[some].tolist())
        a, b, place = np.log(x[some]), np.log(y[some]), np.searchsorted(clusters, seed[some])
        terms = np.stack([np.bincount(place, v, clusters.size) for v in (a**0, a, b, a**2, a * b)], axis=1)
        for part, counts in zip(parts, (once, many), strict=True):
            n, sum_a, sum_b, squares, products = (counts @ terms).T
            n = np.maximum(n, 1.0)
            part += np.stack([squares - sum_a**2 / n, products - sum_a * sum_b / n])
    with np.errstate(divide="ignore", invalid="ignore"):
        (found,), drawn = (part[1] / part[0] for part in parts)
    if len(seeds) < FEWEST_SEEDS or not np.isfinite(found):
        return float(found), None
    reach = resampled.reach(drawn, len(seeds))
    return float(found), (float(found) - reach, float(found) + reach)


def _verdict(ratios: dict[str, tuple[float, Interval | None]]) -> str:
    intervals = [interval for _, interval in ratios.values()]
    known = [interval for interval in intervals if interval is not None]
    if any(not low <= 1.0 <= high for low, high in known):
        return "contradicted"
    close = all(interval is not None and interval[0] >= 1.0 / 1.1 and interval[1] <= 1.1 for interval in intervals)
    return "supported" if ratios and close else "undecided"
