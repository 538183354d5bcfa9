"""Many small trainings with flipped labels, measured: a protocol that can be run again.

``python -m mdtheory.networks.protocol runs.csv`` trains networks on scikit-learn's digits (extra ``networks``); rows that the file holds already are kept.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import (
    FloatArray,
    fail,
    finite,
    integer,
    one_integer,
    one_number,
    unit_interval,
)
from mdtheory.losses import CrossEntropy
from mdtheory.networks.measuring import measure
from mdtheory.networks.training import TrainedNetwork, train_network

_KEY = ("setting", "smoothing", "level", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A kind of network and its decays."""

    widths: tuple[int, ...]
    weight_decay: float
    feature_decay: float
    hidden_decay: float


SETTINGS = {
    "free": Setting(widths=(32, 8), weight_decay=5e-3, feature_decay=5e-3, hidden_decay=0.0),
    "mild": Setting(widths=(32, 8), weight_decay=5e-3, feature_decay=5e-3, hidden_decay=1e-4),
    "strong": Setting(widths=(32, 8), weight_decay=5e-3, feature_decay=5e-3, hidden_decay=1e-3),
    "narrow": Setting(widths=(6, 8), weight_decay=5e-3, feature_decay=5e-3, hidden_decay=1e-5),
    "plain": Setting(widths=(32, 32, 8), weight_decay=1e-3, feature_decay=0.0, hidden_decay=1e-3),
}
"""Free: no decay below the features. Plain: weight decay alone, in all layers."""
NOISES, SMOOTHINGS, SEEDS = (0.0, 0.05, 0.1, 0.2, 0.3), (0.0, 0.1), 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Training examples of two classes of one size, and all others, in units of the training data."""

    inputs: FloatArray
    labels: NDArray[np.intp]
    test_inputs: FloatArray
    test_labels: NDArray[np.intp]

    @classmethod
    def of(cls, inputs: ArrayLike, labels: ArrayLike, unseen: float, rng: np.random.Generator) -> "Split":
        """With a share of the smaller class unseen; entries are standardised, clipped at 8 and divided by 8."""
        x, y = np.asarray(finite("inputs", inputs), dtype=np.float64), np.asarray(integer("labels", labels, 0, 1))
        if x.ndim != 2 or y.shape != x.shape[:1]:
            raise fail("labels", y.shape, f"must be a 0 or 1 for each row of inputs, which have shape {x.shape}")
        y = y.astype(np.intp)
        order = rng.permutation(y.size)
        x, y = x[order], y[order]
        count = int((1.0 - unseen) * np.bincount(y, minlength=2).min())
        if count < 2:
            raise fail("unseen", unseen, "must leave two training examples of each class at least")
        seen = np.concatenate([np.flatnonzero(y == c)[:count] for c in (0, 1)])
        others = np.setdiff1d(np.arange(y.size), seen)
        middle, scale = x[seen].mean(axis=0), x[seen].std(axis=0)
        x = np.clip((x - middle) / np.where(scale > 0.0, scale, 1.0), -8.0, 8.0) / 8.0
        return cls(inputs=x[seen], labels=y[seen], test_inputs=x[others], test_labels=y[others])

    def flipped(self, noise: float, rng: np.random.Generator) -> NDArray[np.intp]:
        """The labels with as many of each class wrong as a ratio of wrong to right ones says."""
        one_number("noise", noise, unit_interval)
        observed = self.labels.copy()
        for c in (0, 1):
            own = np.flatnonzero(self.labels == c)
            wrong = round(own.size * noise / (1.0 + noise))
            observed[rng.permutation(own)[:wrong]] = 1 - c
        return observed


def digits(first: Sequence[int] = (3,), second: Sequence[int] = (8,)) -> tuple[FloatArray, NDArray[np.intp]]:
    """scikit-learn's digits of two groups: inputs (n, 64), and labels 0 and 1."""
    # An extra, which need not be there, and has no stubs.
    from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]

    data, target = load_digits(return_X_y=True)
    kept = np.isin(target, [*first, *second])
    return np.asarray(data[kept]), np.isin(target[kept], second).astype(np.intp)


def one_run(split: Split, setting: Setting, smoothing: float, noise: float, seed: int) -> dict[str, float]:
    """Train one network, and measure it: numbers of `Measurement`, with the objective and the largest entry of its gradient."""
    loss = CrossEntropy(smoothing)
    net, observed = _trained(split, setting, smoothing, noise, seed)
    found = measure(
        net.features(split.inputs),
        observed,
        split.labels,
        net.weights,
        test_features=net.features(split.test_inputs),
        test_labels=split.test_labels,
        loss=loss,
        weight_decay=setting.weight_decay,
        feature_decay=setting.feature_decay or None,
    )
    return {**found.numbers(), "objective": net.objective, "gradient_norm": net.gradient_norm}


def _trained(
    split: Split, setting: Setting, smoothing: float, noise: float, seed: int
) -> tuple[TrainedNetwork, NDArray[np.intp]]:
    """A network, and the labels that it has seen."""
    observed = split.flipped(noise, np.random.default_rng([seed, 1]))
    net = train_network(
        split.inputs,
        observed,
        CrossEntropy(smoothing),
        widths=setting.widths,
        weight_decay=setting.weight_decay,
        feature_decay=setting.feature_decay,
        hidden_decay=setting.hidden_decay,
        seed=seed,
    )
    return net, observed


def trained_arrays(
    split: Split, setting: Setting, smoothing: float, noise: float, seed: int
) -> dict[str, NDArray[Any]]:
    """Train one network of the protocol, and return the arrays that `measure` takes."""
    net, observed = _trained(split, setting, smoothing, noise, seed)
    return {
        "features": net.features(split.inputs),
        "labels": observed,
        "true_labels": split.labels,
        "weights": net.weights,
        "test_features": net.features(split.test_inputs),
        "test_labels": split.test_labels,
    }


def run_protocol(
    path: str | os.PathLike[str],
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    settings: Sequence[str] = tuple(SETTINGS),
    noises: Sequence[float] = NOISES,
    smoothings: Sequence[float] = SMOOTHINGS,
    seeds: int = SEEDS,
    unseen: float = 0.35,
    progress: Callable[[str], object] | None = None,
) -> Any:
    """Train and measure networks for every combination, a row of a CSV file each.

    The file is written anew, as a whole, after every run: an interruption loses the run it interrupts, and the next call goes on. A seed fixes the
    split, the flips and the first weights.

    Parameters
    ----------
    path : path
        Of the CSV file, with the columns "setting", "loss", "smoothing", "level" (the noise asked for), "seed", and those of `one_run`.
    inputs, labels : arrays (n, P) and (n,)
        Of two classes, 0 and 1.
    settings : sequence of str
        Names in `SETTINGS`.
    noises, smoothings : sequences of float
    seeds : int
        How many.
    unseen : float
        The share of the smaller class that is not trained on.
    progress : callable, optional

    Returns
    -------
    pandas.DataFrame
        All rows of the file.

    Raises
    ------
    AssumptionError
        If a setting is unknown, a number or a label outside its domain, or the file is none of this protocol or cannot be written where it is.

    Notes
    -----
    Rows are told apart by setting, smoothing, noise and seed: a file belongs to one data set and one share of unseen examples.
    """
    # It has no stubs of its own.
    import pandas  # type: ignore[import-untyped]

    for name in settings:
        if name not in SETTINGS:
            raise fail("settings", name, f"must be among {', '.join(SETTINGS)}")
    share = one_number("unseen", unseen)
    if not 0.0 < share < 1.0:
        raise fail("unseen", unseen, "must be above 0 and below 1")
    one_integer("seeds", seeds, 1, 10**6)
    for noise in noises:
        one_number("noises", noise, unit_interval)
    for smoothing in smoothings:
        CrossEntropy(one_number("smoothings", smoothing))
    target = Path(path)
    if not target.parent.is_dir():
        raise fail("path", str(path), "must lie in a directory that exists")
    try:
        table = pandas.read_csv(target) if target.exists() else pandas.DataFrame()
    except ValueError:
        raise fail("path", str(path), "must be a CSV file of this protocol, or not exist") from None
    if len(table.columns) and not {*_KEY} <= set(table.columns):
        raise fail("path", str(path), f"must have the columns {', '.join(_KEY)}, or not exist")
    known = set(zip(*(table[name] for name in _KEY), strict=True)) if len(table) else set()
    wanted = list(product(range(seeds), settings, smoothings, noises))
    for count, (seed, name, smoothing, noise) in enumerate(wanted):
        if (name, smoothing, noise, seed) in known:
            continue
        split = Split.of(inputs, labels, share, np.random.default_rng([seed, 0]))
        loss = f"label-smoothing-{smoothing:g}" if smoothing else "cross-entropy"
        row = {"setting": name, "loss": loss, "smoothing": smoothing, "level": noise, "seed": seed}
        row |= {
            key: float(f"{value:.8g}") for key, value in one_run(split, SETTINGS[name], smoothing, noise, seed).items()
        }
        table = pandas.concat([table, pandas.DataFrame([row])], ignore_index=True)
        part = target.with_suffix(".part")
        table.to_csv(part, index=False)
        part.replace(target)
        if progress is not None:
            progress(f"{count + 1} of {len(wanted)}: {name}, {loss}, noise {noise:g}, seed {seed}")
    return table


def measured_runs() -> Any:
    """What this protocol measured on the digits 3 and 8, as a pandas.DataFrame: 250 trainings, five seeds of each.

    Examples
    --------
    >>> runs = measured_runs()
    >>> quiet = runs[(runs.setting == "free") & (runs.smoothing == 0) & (runs.level == 0)]
    >>> round(float(quiet.margin.median()), 2), round(float(quiet.mean_distance.median()), 2)
    (4.6, 3.03)
    """
    import pandas

    return pandas.read_csv(Path(__file__).parent / "data" / "digits_3_8.csv")


def example_path(name: str) -> Path:
    """A file of arrays for `mdtheory measure`: "clean" (setting free) or "noisy" (setting strong, noise .2), cross-entropy, digits 3 and 8, seed 0.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> with np.load(example_path("noisy")) as arrays:
    ...     found = mdt.measure(**arrays, weight_decay=5e-3, feature_decay=5e-3)
    >>> round(found.noise, 2), round(found.memorized_share, 2)
    (0.2, 1.0)
    """
    if name not in ("clean", "noisy"):
        raise fail("name", name, "must be 'clean' or 'noisy'")
    return Path(__file__).parent / "data" / f"digits_{name}.npz"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mdtheory.networks.protocol", description=__doc__)
    parser.add_argument("file", type=Path, help="CSV file to write, or to go on with")
    parser.add_argument("--settings", nargs="+", choices=tuple(SETTINGS), default=tuple(SETTINGS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args(arguments)
    try:
        inputs, labels = digits()
    except ImportError:
        print("scikit-learn is needed for its digits: pip install 'mdtheory[networks]'", file=sys.stderr)
        return 2
    try:
        run_protocol(
            given.file,
            inputs,
            labels,
            settings=given.settings,
            seeds=given.seeds,
            progress=lambda line: print(line, file=sys.stderr),
        )
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
