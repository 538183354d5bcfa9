"""A loss with proofs: cross-entropy of logits at a temperature, ``T CE(z / T)``."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flint import arb

import mdtheory as mdt
from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import one_number, positive
from mdtheory.losses import Loss
from mdtheory.losses.base import Curvature
from mdtheory.numerics import ball_arithmetic as balls


@dataclass(frozen=True, eq=False)
class TemperedCrossEntropy(Loss):
    r"""``T log sum_j exp((z_j - z_n)/T)``; as T falls, the multiclass perceptron loss ``max_j z_j - z_n``.

    Its profile is ``T f(s/T)`` and its conjugate ``T`` times that of cross-entropy, on the same domain.
    """

    temperature: float

    symbols: ClassVar[dict[str, str]] = {"temperature": "tau"}
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("temperature", r"\tau", "temperature", log=True, default=1.0, help="temperature, positive"),
    )
    steepest_dual: ClassVar[float] = 1.0

    def __post_init__(self):
        object.__setattr__(self, "temperature", one_number("temperature", self.temperature, positive))

    @property
    def analytic_strip(self):
        return self.temperature * _PLAIN.analytic_strip

    # ------------------------------------------------------------------ in the logits

    def value(self, logits, label):
        return self.temperature * _PLAIN.value(np.asarray(logits) / self.temperature, label)

    def gradient(self, logits, label):
        return _PLAIN.gradient(np.asarray(logits) / self.temperature, label)

    def curvature(self, logits, label):
        plain = _PLAIN.curvature(np.asarray(logits) / self.temperature, label)
        factors = tuple((scale / self.temperature, vector) for scale, vector in plain.factors)
        return Curvature(plain.diagonal / self.temperature, factors)

    def conjugate(self, dual, label):
        return self.temperature * _PLAIN.conjugate(dual, label)

    def cvxpy_atom(self, logits, label):
        value, constraints = _PLAIN.cvxpy_atom(logits / self.temperature, label)
        return self.temperature * value, constraints

    # ------------------------------------------------------------------ proofs: the default of each refuses

    def dual_floor(self, label, num_classes):
        return _PLAIN.dual_floor(label, num_classes)

    def ball_value(self, logits, label):
        return self.temperature * balls.soft_excess([z / self.temperature for z in logits], label)

    def ball_conjugate(self, dual, label):
        rest = [v.max(arb(0)) for j, v in enumerate(dual) if j != label]
        entropy = balls.total([balls.x_log_x(p) for p in rest])
        return self.temperature * (entropy + balls.complement_log(balls.total(rest).min(arb(1))))

    def ball_floor(self, label, num_classes):
        return [arb(-1) if j == label else arb(0) for j in range(num_classes)]

    # ------------------------------------------------------------------ in the margin

    def profile(self, margin, num_classes=2):
        return self.temperature * _PLAIN.profile(np.asarray(margin) / self.temperature, num_classes)

    def profile_derivative(self, margin, num_classes=2):
        return _PLAIN.profile_derivative(np.asarray(margin) / self.temperature, num_classes)

    def profile_curvature(self, margin, num_classes=2):
        return _PLAIN.profile_curvature(np.asarray(margin) / self.temperature, num_classes) / self.temperature

    def profile_conjugate(self, slope, num_classes=2):
        return self.temperature * _PLAIN.profile_conjugate(slope, num_classes)

    def profile_minimizer(self, num_classes=2):
        return self.temperature * _PLAIN.profile_minimizer(num_classes)

    def margin(self, cost, num_classes):
        return self.temperature * _PLAIN.margin(cost, num_classes)

    def critical_cost(self, num_classes):
        return _PLAIN.critical_cost(num_classes)

    @classmethod
    def symbolic_profile(cls, margin, num_classes, *parameters):
        (tau,) = parameters
        return tau * mdt.CrossEntropy.symbolic_profile(margin / tau, num_classes, 0)


_PLAIN = mdt.CrossEntropy()
