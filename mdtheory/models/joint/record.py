"""The limited-expressivity features model as a problem type."""

from typing import get_args

import numpy as np

from mdtheory.foundation.parameter import Parameter
from mdtheory.losses import LOSSES, Loss
from mdtheory.models.joint.problem import SCALINGS, JointMethod, LimitedExpressivity
from mdtheory.models.joint.programme import minimise
from mdtheory.models.joint.solution import JointSolution
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Options, Part, Record
from mdtheory.models.records import MAX_ENTRIES, values
from mdtheory.spreads import SPREADS, Spread

_ANSWER = ("margin", "noisy_margin", "normalized_dilation")
_SCALARS = (*_ANSWER, "dilation", "memorization", "mean_distance", "relative_mean_distance")


def _solve(problem: LimitedExpressivity, method: str, options: Options) -> JointSolution:
    return options.judged(JointSolution(problem, minimise(problem), "convex-programme"))


def _describe(solution: JointSolution) -> Record:
    small = solution.problem.num_classes**3 * int(np.prod(solution.problem.shape)) <= MAX_ENTRIES
    matrices = values(solution, ("class_means", "weights", "noisy_features"), small=small)
    return values(solution, (*_SCALARS, *BOUNDS, "family_gap", "relative_to")) | matrices


MODEL = Model(
    name="joint",
    title="the limited-expressivity features model",
    problem=LimitedExpressivity,
    solutions=(JointSolution,),
    methods=get_args(JointMethod),
    solve=_solve,
    parameters=(
        Parameter("loss", "", "loss", kind="part"),
        Parameter("noise", r"\eta", "noise level", log=True, help="ratio of noisy to clean mass", default=0.1),
        Parameter("slope", "C", "memorization-dilation slope", log=True, default=1.0),
        Parameter("weight_decay", r"\lambda_W", "weight decay", log=True, default=5e-3),
        Parameter("feature_decay", r"\lambda_H", "feature decay", log=True, default=5e-3),
        Parameter("decay", r"\lambda_W = \lambda_H", "weight and feature decay", log=True),
        Parameter("num_classes", "N", "number of classes", log=True, kind="count", default=2),
        Parameter("spread", r"\xi", "spread of the clean examples", kind="part"),
        Parameter("scaling", "", "scaling of memorization", kind="word", choices=SCALINGS, default="relative"),
        Parameter("nonnegative", "", "nonnegative class means", kind="flag", default=False),
        Parameter("nonnegative_noisy_features", "", "nonnegative noisy features", kind="flag", default=False),
        Parameter("bias", "", "bias", help="a bias of the logits", kind="flag", default=False),
        Parameter("class_weights", r"\pi", "class weights", kind="vector", help="proportions of the classes"),
        Parameter(
            "noise_matrix",
            "T",
            "noise matrix",
            kind="matrix",
            help="label distributions of the classes, instead of noise",
        ),
    ),
    outputs=(
        Parameter("margin", "s", "margin"),
        Parameter("noisy_margin", "t", "margin of a noisy example for its label"),
        Parameter("normalized_dilation", r"\mathrm{ND}", "normalised dilation", log=True),
        Parameter("dilation", "r", "dilation", log=True),
        Parameter("memorization", r"\rho", "memorization"),
        Parameter("mean_distance", "D", "distance of the class means", log=True),
        Parameter("relative_mean_distance", "D/D_0", "distance of the class means, over that without noise"),
        Parameter("test_error", "", "error rate of unseen clean examples"),
        Parameter("family_gap", "", "gap among configurations with all classes alike", log=True),
        *EVERY_OUTPUT,
    ),
    default_outputs=lambda _problem, _names: (*_ANSWER, "mean_distance"),
    quantity="normalized_dilation",
    describe=_describe,
    parts={
        "loss": Part(base=Loss, kinds=LOSSES, default="cross-entropy", help="loss of the logits", takes_arrays=True),
        "spread": Part(base=Spread, kinds=SPREADS, default="sphere", help="law of the clean examples"),
    },
    aliases={"decay": ("weight_decay", "feature_decay")},
    broadcasts=lambda _problem: True,
    sweeps_at_once=lambda _problem, names, _method: "num_classes" not in names,
    spare_axis="noise",
)
