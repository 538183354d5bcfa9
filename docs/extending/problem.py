"""A problem type: one singular value of the squared error, ``min over x >= 0 of (x - target)^2/2 + 2 mu x``."""

from dataclasses import dataclass

import numpy as np

from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import nonnegative, one_number, positive
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Problem
from mdtheory.models.registry import register
from mdtheory.models.solution import Solution


@dataclass(frozen=True, eq=False)
class SingularValue(Problem["ShrunkenValue", str]):
    """The target's singular value, and mu, the root of the product of the decays."""

    target: float
    mu: float = 0.1

    def __post_init__(self):
        object.__setattr__(self, "target", one_number("target", self.target, nonnegative))
        object.__setattr__(self, "mu", one_number("mu", self.mu, positive))


@dataclass(frozen=True, eq=False, repr=False)
class ShrunkenValue(Solution):
    """What is left of the singular value."""

    problem: SingularValue
    value: float
    method: str = "closed-form"
    tolerance: float = 1e-12

    @property
    def objective(self):
        return 0.5 * (self.value - self.problem.target) ** 2 + 2.0 * self.problem.mu * self.value

    @property
    def lower_bound(self):
        """Weak duality, ``v target - v^2/2`` for any ``v <= 2 mu``; here for the residual at the answer."""
        v = min(self.problem.target - self.value, 2.0 * self.problem.mu)
        return v * self.problem.target - 0.5 * v**2


def _solve(problem, method, options):
    return options.judged(ShrunkenValue(problem, float(np.maximum(problem.target - 2.0 * problem.mu, 0.0))))


MODEL = Model(
    name="singular-value",
    title="one singular value of the squared error",
    problem=SingularValue,
    solutions=(ShrunkenValue,),
    methods=("auto",),
    solve=_solve,
    parameters=(
        Parameter("target", r"\sigma", "singular value of the targets", default=0.5),
        Parameter("mu", r"\mu", "root of the product of the decays", log=True, default=0.1),
    ),
    outputs=(Parameter("value", "x", "singular value of the logits"), *EVERY_OUTPUT),
    default_outputs=lambda _problem, _names: ("value", "gap"),
    quantity="value",
    describe=lambda solution: {name: getattr(solution, name) for name in ("value", *BOUNDS)},
)

register(MODEL)
