"""The hypotheses of the theory of noisy labels, each as a statement on measured runs: supported, undecided or contradicted, never more than they carry."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import fail
from mdtheory.networks.fitting import Law, fit_table
from mdtheory.networks.run_table import Interval, Resamples, RunTable

# A power law with an exponent this close to one is called proportional.
_PROPORTIONAL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A statement and what the runs say of it.

    Attributes
    ----------
    statement : str
    effect : float
        An exponent; or a mean over pairs of runs: of the logarithm of a ratio, or the difference of error rates.
    interval : tuple of float or None
        Of the effect, by a bootstrap over seeds; None below five of them.
    share : float
        Of pairs that agree with the statement; NaN for a statement on laws.
    pairs : int
    verdict : {"supported", "undecided", "contradicted"}
    """

    statement: str
    effect: float
    interval: Interval | None
    share: float
    pairs: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunsReport(Frozen):
    """All hypotheses; see `check_runs`."""

    hypotheses: dict[str, Hypothesis]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = []
        for entry in self.hypotheses.values():
            said = "no interval" if entry.interval is None else f"[{entry.interval[0]:.3g}, {entry.interval[1]:.3g}]"
            pairs = "" if np.isnan(entry.share) else f", {entry.share:.0%} of {entry.pairs} pairs"
            lines.append(f"{entry.verdict:12} {entry.statement}: effect {entry.effect:.3g} {said}{pairs}")
        return "\n".join(lines)


def check_runs(
    runs: Any,
    baseline: str = "cross-entropy",
    target: str | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    random_seed: int = 0,
) -> RunsReport:
    """What measured trainings say of each hypothesis of the theory.

    Two say that memorising and dilation are proportional, with either scaling of the constraint: the exponent of the best power law, with an offset for each loss. Two say
    that the slope is one for all losses. The others compare pairs of runs with a target loss and with the baseline, that agree in the columns "setting", "level" (or "noise") and
    "seed": the target memorises, dilates and errs less, and does so relative to the distance of the class means.

    Parameters
    ----------
    runs : pandas.DataFrame, xarray.Dataset or mapping of str to array
        As for `fit_slope`, with the columns "loss", "seed" and "test_error" too. Runs of one setting, or of several that are to be judged together.
    baseline, target : str
        Entries of "loss"; if the target is omitted, the only other one. Runs of other losses are left out.
    confidence, resamples, random_seed
        Of the bootstrap over seeds.

    Returns
    -------
    RunsReport
        A statement is supported where the whole interval of its effect agrees with it, contradicted where none of it does, undecided otherwise and below five
        seeds. Proportional means an exponent within 10 % of one.

    Raises
    ------
    AssumptionError
        If a column is missing, a loss does not occur, or no runs pair up.

    Examples
    --------
    >>> from mdtheory.networks.protocol import measured_runs
    >>> report = check_runs(measured_runs())
    >>> for name in ("memorizes less", "memorizes less, relative", "dilates less, relative"):
    ...     print(name, report.hypotheses[name].verdict)
    memorizes less supported
    memorizes less, relative contradicted
    dilates less, relative undecided
    """
    table = RunTable.of(runs, "dilation", compared=True)
    goal = table.other_loss(baseline, target, called="baseline")
    table, resampled = table.of_losses(baseline, goal), Resamples.checked(confidence, resamples, random_seed)
    found: dict[str, Hypothesis] = {}
    bare = "; undecided, as runs without noise are missing and nothing was subtracted"
    laws: tuple[Law, ...] = ("linear-absolute", "linear-relative")
    for law in laws:
        fit = fit_table(table, law, resampled)
        ratio, interval = fit.ratios[goal]
        found[f"proportional, {law}"] = Hypothesis(
            statement=f"memorization and dilation are proportional ({law}{'' if fit.baseline else bare})",
            effect=fit.exponent,
            interval=fit.exponent_interval,
            share=float("nan"),
            pairs=0,
            verdict=_near(fit.exponent_interval, 1.0 - _PROPORTIONAL, 1.0 + _PROPORTIONAL)
            if fit.baseline
            else "undecided",
        )
        found[f"one slope, {law}"] = Hypothesis(
            statement=f"the slope does not depend on the loss ({law}; ratio of coefficients{'' if fit.baseline else bare})",
            effect=ratio,
            interval=interval,
            share=float("nan"),
            pairs=0,
            verdict=fit.same_for_every_loss,
        )
    return RunsReport(hypotheses=found | _comparisons(table, baseline, goal, resampled))


def _near(interval: Interval | None, low: float, high: float) -> str:
    if interval is None:
        return "undecided"
    if low <= interval[0] and interval[1] <= high:
        return "supported"
    return "contradicted" if interval[1] < low or interval[0] > high else "undecided"


def _comparisons(table: RunTable, baseline: str, target: str, resamples: Resamples) -> dict[str, Hypothesis]:
    own, other = table.pairs(baseline, target)
    seed = table.seed[own]
    quantities = {
        "memorizes less": (table.memorization, True),
        "memorizes less, relative": (table.memorization / table.distance, True),
        "dilates less": (table.response, True),
        "dilates less, relative": (table.response / table.distance, True),
        "errs less": (table.test_error, False),
    }
    found = {}
    for name, (values, logarithm) in quantities.items():
        verb, _, relative = name.partition(", ")
        pair = values[other], values[own]
        if logarithm and not (np.all(pair[0] > 0.0) and np.all(pair[1] > 0.0)):
            raise fail(name.split()[0], 0.0, "must compare numbers above zero in every pair of runs with noise")
        change = np.log(pair[0] / pair[1]) if logarithm else pair[0] - pair[1]
        effect = float(change.mean())
        interval = resamples.of_mean(change, seed)
        found[name] = Hypothesis(
            statement=f"{target} {verb} than {baseline}{', relative to the distance of the class means' if relative else ''}",
            effect=effect,
            interval=interval,
            share=float(np.mean(change < 0.0)),
            pairs=change.size,
            verdict=_below_zero(interval),
        )
    return found


def _below_zero(interval: Interval | None) -> str:
    if interval is None or interval[0] <= 0.0 <= interval[1]:
        return "undecided"
    return "supported" if interval[1] < 0.0 else "contradicted"
