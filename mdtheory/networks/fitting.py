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

from dataclasses import dataclass, replace
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
        b of the best ``log y = b log x``, with an offset of its own for each loss and setting: 1 if the law is right. NaN where fewer than two runs have x, y > 0.
    ratios : dict of str to tuple
        For each loss but the first its coefficient over that of the first, and the interval of the ratio or None; the intervals hold together (Bonferroni).
    same_for_every_loss : {"supported", "contradicted", "undecided"}
        Contradicted if an interval of a ratio excludes 1, supported if all lie within 10 % of it; undecided without a baseline, too.
    baseline : bool
        Whether every loss had runs without noise to subtract, in every setting.
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
        return "\n".join(
            lines
            if self.baseline
            else [*lines, "  no runs without noise of some loss or setting: nothing was subtracted there"]
        )


def fit_slope(
    runs: Any, law: Law = "linear-relative", *, confidence: float = 0.95, resamples: int = 2000, random_seed: int = 0
) -> SlopeFit:
    """Fit a law of memorization and dilation to the measurements of many trainings.

    Parameters
    ----------
    runs : pandas.DataFrame, xarray.Dataset or mapping of str to array
        A row for each training, such as those of `Measurement.to_dataframe` under one another, with the columns "noise", "memorization", "mean_distance",
        "dilation" and for "transport" "drift". Further "loss", names of groups, and "seed", what trainings have in common that may make them alike;
        without it every row counts as a seed of its own. Rows without noise are the baseline of their loss, in their "setting" if there is such a column.
    law : {"linear-relative", "linear-absolute", "copy", "transport"}
        What is fitted, see the head of this module.
    confidence : float, default 0.95
        Of the intervals: bootstrap over seeds, all runs of a seed drawn together, those of the baseline too; Student's quantile for so many seeds times the standard
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
    x, y = _sides(table, law)
    clusters, place = np.unique(table.seed, return_inverse=True)
    baseline = _Baseline.of(y, place, table, clusters.size)
    noisy = table.noise > 0.0
    counts = resampled.counts(clusters.size)
    names = list(dict.fromkeys(table.loss[noisy].tolist()))
    sums = {name: _Sums.of(x, y, place, baseline, noisy & (table.loss == name)) for name in names}
    for name, part in sums.items():
        if part.seeds == 0:
            raise fail("memorization", 0.0, f"must be positive in some run with noise of {name}")
    everything = _Sums.of(x, y, place, baseline, noisy)
    # Several ratios are judged at once: each interval is as wide as their number asks for.
    together = replace(resampled, level=1.0 - (1.0 - resampled.level) / max(len(names) - 1, 1))
    ratios = {name: _ratio(sums[name], sums[names[0]], counts, together) for name in names[1:]}
    exponent, between = _exponent(x, y, place, baseline, noisy, counts, resampled)
    above = y - baseline.of_runs(np.ones((1, clusters.size)))[0]
    groups = {name: _fit(x, above, noisy & (table.loss == name), sums[name], counts, resampled) for name in names}
    return SlopeFit(
        law=law,
        pooled=_fit(x, above, noisy, everything, counts, resampled),
        groups=groups,
        exponent=exponent,
        exponent_interval=between,
        ratios=ratios,
        same_for_every_loss=_verdict(ratios) if baseline.complete else "undecided",
        baseline=baseline.complete,
    )


def _sides(table: RunTable, law: Law) -> tuple[FloatArray, FloatArray]:
    """x and y of all runs, before a baseline is subtracted; x is zero without noise."""
    share = table.noise / (1.0 + table.noise)
    rho = np.where(table.noise > 0.0, table.memorization, 0.0)
    if law == "linear-relative":
        return table.noise * rho, table.response
    if law == "linear-absolute":
        return table.noise * rho * table.distance, table.response
    if law == "copy":
        return share * (rho / table.distance) ** 2, (table.response / table.distance) ** 2
    return share * (rho / table.distance), table.response


@dataclass(frozen=True, slots=True)
class _Baseline:
    """The mean of y without noise in each group, a loss in a setting: sums (S, G) over the runs of each seed, and the group (K,) of each run."""

    group: NDArray[np.intp]
    total: FloatArray
    count: FloatArray

    @classmethod
    def of(cls, y: FloatArray, place: NDArray[np.intp], table: RunTable, seeds: int) -> "_Baseline":
        _, loss = np.unique(table.loss, return_inverse=True)
        _, setting = np.unique(table.setting, return_inverse=True)
        _, group = np.unique(np.stack([loss, setting]), axis=1, return_inverse=True)
        group = group.ravel()
        quiet = table.noise == 0.0
        shape = seeds, int(group.max()) + 1
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, (place[quiet], group[quiet]), y[quiet])
        np.add.at(count, (place[quiet], group[quiet]), 1.0)
        return cls(group, total, count)

    @property
    def complete(self) -> bool:
        """Whether every group had runs without noise."""
        return bool(np.all(self.count.sum(axis=0) > 0.0))

    def levels(self, counts: FloatArray) -> FloatArray:
        """The means (R, G) where seeds are drawn so often (R, S); those of all seeds where none with a baseline was drawn, zero where there is none."""
        known = self.count.sum(axis=0)
        own = np.where(known > 0.0, self.total.sum(axis=0) / np.where(known > 0.0, known, 1.0), 0.0)
        drawn = counts @ self.count
        return np.asarray(np.where(drawn > 0.0, (counts @ self.total) / np.where(drawn > 0.0, drawn, 1.0), own))

    def of_runs(self, counts: FloatArray) -> FloatArray:
        """The same for each run (R, K)."""
        return self.levels(counts)[:, self.group]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of x^2 and x y (S,) for each seed, of x (S, G) also for each group, and the baseline of the groups."""

    squares: FloatArray
    products: FloatArray
    sizes: FloatArray
    baseline: _Baseline

    @classmethod
    def of(
        cls, x: FloatArray, y: FloatArray, place: NDArray[np.intp], baseline: _Baseline, which: NDArray[np.bool_]
    ) -> "_Sums":
        seeds = len(baseline.total)

        def total(values: FloatArray) -> FloatArray:
            return np.asarray(np.bincount(place[which], values[which], minlength=seeds), dtype=np.float64)

        sizes = np.zeros(baseline.total.shape)
        np.add.at(sizes, (place[which], baseline.group[which]), x[which])
        return cls(total(x**2), total(x * y), sizes, baseline)

    @property
    def seeds(self) -> int:
        return int(np.sum(self.squares > 0.0))

    def coefficients(self, counts: FloatArray) -> FloatArray:
        """One (R,) for each row of counts of the seeds; runs without noise are drawn with their seed."""
        below = np.sum((counts @ self.sizes) * self.baseline.levels(counts), axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((counts @ self.products - below) / (counts @ self.squares))


def _fit(
    x: FloatArray,
    y: FloatArray,
    which: NDArray[np.bool_],
    sums: _Sums,
    counts: FloatArray,
    resampled: Resamples,
) -> GroupFit:
    x, y = x[which], y[which]
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
    x: FloatArray,
    y: FloatArray,
    place: NDArray[np.intp],
    baseline: _Baseline,
    noisy: NDArray[np.bool_],
    counts: FloatArray,
    resampled: Resamples,
) -> tuple[float, Interval | None]:
    """Of the best power law with an offset for each group, and its interval."""
    once = np.ones((1, counts.shape[1]))
    parts, seeds = [np.zeros((2, 1)), np.zeros((2, len(counts)))], set[int]()
    for group in np.unique(baseline.group):
        some = np.flatnonzero((baseline.group == group) & noisy & (x > 0.0))
        above = y[some] - baseline.of_runs(once)[0, some] > 0.0
        if np.sum(above) < 2:
            continue
        seeds |= set(place[some[above]].tolist())
        a = np.log(x[some])
        for part, drawn in zip(parts, (once, counts), strict=True):
            rest = y[some] - baseline.of_runs(drawn)[:, some]
            weight = np.where(rest > 0.0, drawn[:, place[some]], 0.0)
            b = np.log(np.where(rest > 0.0, rest, 1.0))
            n = np.maximum(weight.sum(axis=1), 1.0)
            sum_a, sum_b = weight @ a, np.sum(weight * b, axis=1)
            part += np.stack([weight @ a**2 - sum_a**2 / n, np.sum(weight * b * a, axis=1) - sum_a * sum_b / n])
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
