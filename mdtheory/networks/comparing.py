"""Measured quantities of a network beside what the features model says for its decays."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import fail, flag, instance
from mdtheory.models.features.problem import UFM
from mdtheory.models.solving import solve
from mdtheory.networks.arrays import distances
from mdtheory.networks.measurement import Measurement

# What is left of an identity, from which on a comparison is doubtful; shares of classes that are equal to this are balanced.
_CONVERGED, _BALANCED, _EQUAL_SHARES = 0.05, 0.05, 0.1


class Compared(NamedTuple):
    """One quantity, and how far off the prediction is: ``measured/predicted - 1``."""

    measured: float
    predicted: float

    @property
    def deviation(self) -> float:
        """NaN where zero is predicted."""
        return self.measured / self.predicted - 1.0 if self.predicted else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Frozen):
    """Measured beside predicted; see `compare`.

    Attributes
    ----------
    quantities : dict of str to Compared
        "margin", "mean_distance", "weight_distance", "class_mean_norm" and "weight_norm".
    doubts : tuple of str
        What says that the comparison may mean nothing, a sentence each; empty where nothing does.
    """

    quantities: dict[str, Compared]
    doubts: tuple[str, ...]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"{'':18}{'measured':>12}{'predicted':>12}{'deviation':>12}"]
        for name, entry in self.quantities.items():
            lines.append(f"{name:18}{entry.measured:12.5g}{entry.predicted:12.5g}{entry.deviation:+12.2%}")
        return "\n".join([*lines, *self.doubts])


def compare(measurement: Measurement, *, nonnegative: bool = True) -> Comparison:
    r"""A measured network beside the unconstrained features model.

    The model has the loss and weight decay of the network, clean labels, balanced classes, and the feature decay at which the measured layers
    are balanced, :math:`\lambda_W\|W\|^2/\overline{\|h\|^2}`: decays below the last layer act through it. For a network whose features are decayed
    themselves that is the feature decay.

    Parameters
    ----------
    measurement : Measurement
        With a ``weight_decay``.
    nonnegative : bool, default True
        Whether features are nonnegative, as after a ReLU.

    Returns
    -------
    Comparison

    Raises
    ------
    AssumptionError
        If the measurement has no weight decay, or the features model no solution for its loss.

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
    instance("measurement", measurement, Measurement, "a Measurement")
    nonnegative = flag("nonnegative", nonnegative)
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
