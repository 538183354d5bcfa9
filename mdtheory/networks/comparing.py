"""Measured quantities of a network beside what the features model says for its decays."""

import html
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import fail, flag, instance, one_integer, real_array, scalar_or_array
from mdtheory.losses import CrossEntropy
from mdtheory.models.dilation.problem import Configuration
from mdtheory.models.features.problem import UFM
from mdtheory.models.solution import Number
from mdtheory.models.solving import solve
from mdtheory.networks.arrays import distances
from mdtheory.networks.measurement import Measurement

# What is left of an identity, from which on a comparison is doubtful; shares of classes that are equal to this are balanced.
_CONVERGED, _BALANCED, _EQUAL_SHARES = 0.05, 0.05, 0.1

_COMPARED = ("margin", "mean_distance", "weight_distance")


class Compared(NamedTuple):
    """One quantity, and how far off the prediction is: ``measured/predicted - 1``. Of many runs, arrays (K,)."""

    measured: Number
    predicted: Number

    @property
    def deviation(self) -> Number:
        """NaN where zero is predicted."""
        predicted = np.asarray(self.predicted)
        return scalar_or_array(self.measured / np.where(predicted == 0.0, np.nan, predicted) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Frozen):
    """Measured beside predicted; see `compare`.

    Attributes
    ----------
    quantities : dict of str to Compared
        "margin", "mean_distance", "weight_distance", and of a measurement "class_mean_norm" and "weight_norm".
    doubts : tuple of str
        What says that the comparison may mean nothing, a sentence each; empty where nothing does. Of many runs, how many of them.
    """

    quantities: dict[str, Compared]
    doubts: tuple[str, ...]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = ["".join(f"{cell:>12}" if i else f"{cell:18}" for i, cell in enumerate(row)) for row in self._rows()]
        return "\n".join([*lines, *self.doubts])

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        cells = "".join(f"<th>{cell}</th>" for cell in head)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        doubts = "".join(f"<li>{html.escape(doubt)}</li>" for doubt in self.doubts)
        return f"<table><tr>{cells}</tr>{body}</table><ul>{doubts}</ul>"

    def _rows(self) -> list[tuple[str, ...]]:
        """Head and body of the table: of one run its numbers, of many the medians and that of the size of the deviation."""
        many = any(np.ndim(entry.measured) for entry in self.quantities.values())
        rows: list[tuple[str, ...]] = [("", "measured", "predicted", "|deviation|" if many else "deviation")]
        for name, entry in self.quantities.items():
            off = f"{np.nanmedian(np.abs(entry.deviation)):.2%}" if many else f"{entry.deviation:+.2%}"
            rows.append((name, f"{np.median(entry.measured):.5g}", f"{np.median(entry.predicted):.5g}", off))
        return rows


def compare(measurement: Any, *, nonnegative: bool = True) -> Comparison:
    r"""A measured network, or many runs, beside the unconstrained features model.

    The model has the loss and weight decay of the network, clean labels, balanced classes, and the feature decay at which the measured layers
    are balanced, :math:`\lambda_W\|W\|^2/\overline{\|h\|^2}`: decays below the last layer act through it. For a network whose features are decayed
    themselves that is the feature decay.

    Parameters
    ----------
    measurement : Measurement, or pandas.DataFrame, xarray.Dataset or mapping of str to array
        With a ``weight_decay``. A table has a row for each training, such as those of `Measurement.to_dataframe`, with the columns "margin", "mean_distance", "weight_distance", "weight_decay" and
        "effective_feature_decay"; further "num_classes" (2 without it), "smoothing" of the cross-entropy (0 without it), and "noise" and "virial_residual" for the doubts.
    nonnegative : bool, default True
        Whether features are nonnegative, as after a ReLU.

    Returns
    -------
    Comparison

    Raises
    ------
    AssumptionError
        If the measurement has no weight decay, the features model no solution for its loss, or a table lacks a column.

    Examples
    --------
    Features of two classes where the model has them, for decays of .005, are what it says:

    >>> import numpy as np
    >>> import mdtheory as mdt
    >>> sol = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True))
    >>> h = sol.class_means.T[[0, 0, 1, 1]]
    >>> found = compare(mdt.measure(h, [0, 0, 1, 1], [0, 0, 1, 1], sol.weights, weight_decay=5e-3))
    >>> round(found.quantities["margin"].predicted, 3), abs(found.quantities["margin"].deviation) < 1e-9, found.doubts
    (4.595, True, ())
    """
    nonnegative = flag("nonnegative", nonnegative)
    if hasattr(measurement, "keys"):
        return _compare_runs(measurement, nonnegative)
    instance("measurement", measurement, Measurement, "a Measurement, or a table of runs")
    if np.isnan(measurement.weight_decay) or not measurement.effective_feature_decay > 0.0:
        raise fail(
            "measurement", "without weight_decay", "must be measured with weight_decay=, and weights that are not zero"
        )
    model = UFM(
        measurement.loss,
        num_classes=measurement.num_classes,
        weight_decay=measurement.weight_decay,
        feature_decay=measurement.effective_feature_decay,
        nonnegative=nonnegative,
    )
    sol = solve(model)
    means, weights = np.asarray(sol.class_means), np.asarray(sol.weights)
    pairs = ~np.eye(measurement.num_classes, dtype=bool)
    predicted = {
        "margin": float(np.mean(sol.margin)),
        "mean_distance": float(distances(means.T)[pairs].mean()),
        "weight_distance": float(distances(weights)[pairs].mean()),
        "class_mean_norm": float(np.sqrt(np.mean(np.sum(means**2, axis=0)))),
        "weight_norm": float(np.linalg.norm(weights)),
    }
    norms, rows = np.linalg.norm(measurement.class_means, axis=0), measurement.collapse.weight_norms
    measured = {
        "margin": measurement.margin,
        "mean_distance": measurement.mean_distance,
        "weight_distance": measurement.weight_distance,
        "class_mean_norm": float(np.sqrt(np.mean(norms**2))),
        "weight_norm": float(np.sqrt(np.sum(rows**2))),
    }
    return Comparison(
        quantities={name: Compared(measured[name], predicted[name]) for name in predicted},
        doubts=tuple(_doubts(measurement, nonnegative)),
    )


def _compare_runs(runs: Any, nonnegative: bool) -> Comparison:
    runs = runs.to_dataframe().reset_index() if hasattr(runs, "to_dataframe") else runs
    names = {str(name) for name in runs}
    for name in (*_COMPARED, "weight_decay", "effective_feature_decay"):
        if name not in names:
            raise fail("measurement", sorted(names), f"must have a column {name!r}")
    if "smoothing" not in names and "loss" in names and np.unique(np.asarray(runs["loss"]).astype(str)).size > 1:
        raise fail("measurement", sorted(names), "must have a column 'smoothing' where losses differ")
    defaults = {"num_classes": 2.0, "smoothing": 0.0, "noise": 0.0, "virial_residual": np.nan}
    known = names & {*_COMPARED, "weight_decay", "effective_feature_decay", *defaults}
    columns = {name: np.atleast_1d(real_array(name, np.asarray(runs[name]))) for name in known}
    shape = columns["margin"].shape
    columns = {**{name: np.full(shape, value) for name, value in defaults.items()}, **columns}
    for name, column in columns.items():
        if column.shape != shape:
            raise fail(name, column.shape, f"must have one entry for each of the {shape[0]} runs")
    predicted = np.full((3, *shape), np.nan)
    for count, smoothing in sorted(set(zip(columns["num_classes"], columns["smoothing"], strict=True))):
        here = (columns["num_classes"] == count) & (columns["smoothing"] == smoothing)
        model = UFM(
            CrossEntropy(smoothing=float(smoothing)),
            num_classes=one_integer("num_classes", count, 2, 10**4),
            weight_decay=columns["weight_decay"][here],
            feature_decay=columns["effective_feature_decay"][here],
            nonnegative=nonnegative,
        )
        margin = np.asarray(solve(model).margin)
        c = Configuration.of(model)
        predicted[:, here] = margin, c.mean_distance, c.weight_distance
    total = shape[0]
    noisy = int(np.sum(columns["noise"] > 0.0))
    off = int(np.sum(~(np.abs(columns["virial_residual"]) <= _CONVERGED)))
    doubts = []
    if off:
        doubts.append(
            f"{off} of {total} runs not known to have converged: their virial identity is off by more than {_CONVERGED:.0%}, or unknown"
        )
    if noisy:
        doubts.append(f"{noisy} of {total} runs have noisy labels: the prediction is for clean ones")
    return Comparison(
        quantities={name: Compared(columns[name], value) for name, value in zip(_COMPARED, predicted, strict=True)},
        doubts=tuple(doubts),
    )


def _doubts(m: Measurement, nonnegative: bool) -> list[str]:
    doubts = []
    if not abs(m.virial_residual) <= _CONVERGED:
        doubts.append(f"not converged: the virial identity is off by {m.virial_residual:.1%} of 2 lambda_W ||W||^2")
    if abs(m.balance_residual) > _BALANCED:
        doubts.append(
            f"layers are not balanced with the feature decay given: {m.balance_residual:+.1%}; a decay below acts as well"
        )
    if m.noise > 0.0:
        doubts.append(f"labels are noisy ({m.noise:.3g} wrong for each right one): the prediction is for clean ones")
    if m.has_bias:
        doubts.append("the classifier has a bias: the prediction is for none")
    if np.ptp(m.class_shares) > _EQUAL_SHARES * m.class_shares.mean():
        doubts.append("classes are not balanced: the prediction is for balanced ones")
    if nonnegative and np.min(m.class_means) < 0.0:
        doubts.append(
            "class means have negative entries: compare with nonnegative=False, unless an offset came after the nonlinearity"
        )
    return doubts
