"""Measurements of many trainings as columns, and resamples of their seeds."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mdtheory.foundation.validation import (
    FloatArray,
    fail,
    instance,
    one_integer,
    one_number,
    real_array,
    unit_interval,
)

Interval = tuple[float, float]

# Fewer clusters say too little of how they scatter.
FEWEST_SEEDS = 5
# Products of a few are doubles.
_LARGEST = 1e50


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """The columns that are needed, as arrays (K,); the response is what the law or the comparison is about."""

    noise: FloatArray
    memorization: FloatArray
    distance: FloatArray
    response: FloatArray
    test_error: FloatArray
    loss: NDArray[Any]
    seed: NDArray[Any]
    setting: NDArray[Any]
    noise_asked_for: FloatArray

    @classmethod
    def of(cls, runs: Any, response: str, *, compared: bool = False) -> "RunTable":
        """From a DataFrame, a Dataset or a mapping; to be compared runs need a loss, a seed and an error too."""
        if not hasattr(runs, "keys"):
            raise fail("runs", runs, "must be a DataFrame, a Dataset or a mapping of columns")
        if hasattr(runs, "to_dataframe"):
            runs = runs.to_dataframe().reset_index()
        names = {str(name) for name in runs}
        needed = (
            "noise",
            "memorization",
            "mean_distance",
            response,
            *(("test_error", "loss", "seed") if compared else ()),
        )
        for name in needed:
            if name not in names:
                raise fail("runs", sorted(names), f"must have a column {name!r}")
        columns = {
            name: np.atleast_1d(real_array(name, np.asarray(runs[name])))
            for name in needed
            if name not in ("loss", "seed")
        }
        count = columns["noise"].size
        labels = {
            name: _named(name, runs[name]) if name in names else np.full(count, "all runs")
            for name in ("loss", "setting")
        }
        labels["seed"] = _named("seed", runs["seed"]) if "seed" in names else np.arange(count).astype(str)
        level = real_array("level", np.asarray(runs["level"])) if "level" in names else columns["noise"]
        for name, column in {**columns, **labels, "level": level}.items():
            if column.shape != (count,):
                raise fail(name, column.shape, f"must have one entry for each of the {count} runs")
        _check(columns)
        if not np.all(np.isfinite(level)):
            raise fail("level", "not finite", "must be known in every run")
        return cls(
            noise=columns["noise"],
            memorization=columns["memorization"],
            distance=columns["mean_distance"],
            response=columns[response],
            test_error=columns.get("test_error", np.full(count, np.nan)),
            loss=labels["loss"],
            seed=labels["seed"],
            setting=labels["setting"],
            noise_asked_for=level,
        )

    def other_loss(self, first: str, second: str | None, *, called: str) -> str:
        """The second of two losses that are compared: the only other one if it is not named; the first is `called` so in the call."""
        losses = list(dict.fromkeys(self.loss.tolist()))
        for name, value in ((called, first), ("target", second)):
            if value is not None:
                instance(name, value, str, "the name of a loss")
        if first not in losses:
            raise fail(called, first, f"must be among the losses of the runs: {', '.join(losses)}")
        others = [name for name in losses if name != first]
        if second is None and len(others) != 1:
            raise fail(
                "target", second, f"must be named among {', '.join(others) or 'other losses, and there are none'}"
            )
        if second is not None and second not in others:
            raise fail("target", second, f"must be among {', '.join(others) or 'other losses, and there are none'}")
        return others[0] if second is None else second

    def pairs(self, first: str, second: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Runs of one loss with noise, and those of another that agree with them."""
        noisy = np.flatnonzero(self.noise > 0.0)
        keys = {int(i): self.key(int(i)) for i in noisy}
        for name in (first, second):
            own = [key for i, key in keys.items() if self.loss[i] == name]
            if len(set(own)) < len(own):
                raise fail(
                    "runs",
                    name,
                    "must have one run for each setting, noise and seed; give a column that tells them apart as setting",
                )
        goals = {key: i for i, key in keys.items() if self.loss[i] == second}
        matched = [(i, goals[key]) for i, key in keys.items() if self.loss[i] == first and key in goals]
        if not matched:
            raise fail(
                "runs", "no pairs", f"must have runs of {first} and {second} that agree in setting, noise and seed"
            )
        own, other = np.array(matched, dtype=np.intp).T
        return own, other

    def of_losses(self, first: str, second: str) -> "RunTable":
        """The runs of two losses, those of the first before the others."""
        return self.at(np.concatenate([np.flatnonzero(self.loss == name) for name in (first, second)]))

    def at(self, which: NDArray[Any]) -> "RunTable":
        """Some of the runs."""
        return RunTable(**{part.name: getattr(self, part.name)[which] for part in fields(self)})

    def key(self, run: int) -> tuple[str, float, str]:
        """What runs that are compared have in common."""
        return str(self.setting[run]), float(self.noise_asked_for[run]), str(self.seed[run])


def _named(name: str, column: Any) -> NDArray[Any]:
    """As text; nothing in the place of a name is no name."""
    values = np.asarray(column)
    if any(value is None or value != value for value in values.ravel().tolist()):
        raise fail(name, "missing in some runs", "must be known in every run")
    return values.astype(str)


def _check(columns: dict[str, FloatArray]) -> None:
    noise = columns["noise"]
    if not np.all(noise >= 0.0):
        raise fail("noise", float(np.min(noise)), "must not be negative, nor NaN")
    if not np.any(noise > 0.0):
        raise fail("noise", 0.0, "must be positive in some runs")
    for name, column in columns.items():
        # Without noise nothing is memorised.
        some = column[noise > 0.0] if name == "memorization" else column
        if np.any(np.abs(some) > _LARGEST):
            raise fail(name, float(np.max(np.abs(some))), f"must not exceed {_LARGEST:g} in size")
        if not np.all(np.isfinite(some)):
            where = " with noise" if name == "memorization" else ""
            raise fail(name, "not finite", f"must be known in every run{where}")
    if not np.all(columns["mean_distance"] >= 1.0 / _LARGEST):
        raise fail("mean_distance", float(np.min(columns["mean_distance"])), f"must be {1.0 / _LARGEST:g} at least")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resamples:
    """A bootstrap over seeds, all runs of a seed drawn together."""

    level: float
    count: int
    random_seed: int

    @classmethod
    def checked(cls, confidence: float, resamples: int, random_seed: int) -> "Resamples":
        """If the options are within their domains."""
        level = one_number("confidence", confidence, unit_interval)
        if not 0.0 < level < 1.0:
            raise fail("confidence", confidence, "must be above 0 and below 1")
        return cls(
            level=level,
            count=one_integer("resamples", resamples, 100, 10**6),
            random_seed=one_integer("random_seed", random_seed, 0, 2**31),
        )

    def counts(self, seeds: int) -> FloatArray:
        """How often each of so many seeds is drawn (R, S)."""
        rng = np.random.default_rng(self.random_seed)
        return rng.multinomial(seeds, np.full(seeds, 1 / seeds), self.count).astype(np.float64)

    def reach(self, drawn: FloatArray, seeds: int) -> float:
        """Half an interval: Student's quantile times the standard deviation of the resamples, as of a sample of so many seeds."""
        error = float(np.std(drawn[np.isfinite(drawn)])) * float(np.sqrt(seeds / (seeds - 1.0)))
        return float(stdtrit(seeds - 1.0, 0.5 * (1.0 + self.level))) * error

    def of_mean(self, values: FloatArray, seed: NDArray[Any]) -> Interval | None:
        """Of the mean over runs; None where seeds are too few."""
        clusters, place = np.unique(seed, return_inverse=True)
        if clusters.size < FEWEST_SEEDS:
            return None
        counts = self.counts(clusters.size)
        drawn = (counts @ np.bincount(place, values)) / (counts @ np.bincount(place))
        reach, mean = self.reach(drawn, clusters.size), float(values.mean())
        return mean - reach, mean + reach
