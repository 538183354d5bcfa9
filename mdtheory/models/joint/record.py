"""The limited-expressivity features model as a problem type."""

from typing import get_args

import numpy as np

from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import fail
from mdtheory.losses import LOSSES, Loss
from mdtheory.models.joint.general import search
from mdtheory.models.joint.general_solution import ClassJointSolution, symmetric_features
from mdtheory.models.joint.problem import SCALINGS, JointMethod, LimitedExpressivity
from mdtheory.models.joint.programme import minimise
from mdtheory.models.joint.solution import JointSolution
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Options, Part, Record
from mdtheory.models.records import MAX_ENTRIES, values
from mdtheory.spreads import SPREADS, Spread

_ANSWER = ("margin", "noisy_margin", "normalized_dilation")
_OF_CLASSES = (
    *(*_ANSWER, "dilation", "memorization", "mean_distance", "test_error", "axes", *BOUNDS, "relative_to"),
    *("class_means", "weights", "noisy_features"),
)
# Of local searches; and how much better, relative to its value, an answer must be to replace a symmetric one.
_STARTS, _BETTER = 4, 1e-9
_SCALARS = (*_ANSWER, "dilation", "memorization", "mean_distance", "relative_mean_distance")


def _solve(problem: LimitedExpressivity, method: str, options: Options) -> JointSolution | ClassJointSolution:
    searched = method == "search" or (method == "auto" and problem.is_searched)
    if method == "symmetric" and not problem.classes_alike:
        raise fail("method", method, "needs classes that are alike")
    if method == "search":
        problem.check_searchable()
    if not searched:
        return options.judged(JointSolution(problem, minimise(problem), "convex-programme"))
    symmetric = JointSolution(problem, minimise(problem), "convex-programme") if problem.classes_alike else None
    start = None
    if symmetric is not None and not np.any(np.isnan(symmetric.answer)):
        start = symmetric_features(problem, symmetric.weights, symmetric.class_means, symmetric.noisy_features)
    found = search(problem, start, starts=options.starts or _STARTS, seed=options.seed or 0, progress=options.progress)
    broken = ClassJointSolution.at(problem, found)
    if symmetric is not None and not broken.objective + broken.inexact < symmetric.objective * (1.0 - _BETTER):
        return options.judged(symmetric)
    return options.judged(broken)


def _options(problem: LimitedExpressivity, method: str) -> frozenset[str]:
    searched = method == "search" or (method == "auto" and problem.is_searched)
    return frozenset({"tolerance", "starts", "seed", "progress"} if searched else {"tolerance"})


def _describe(solution: JointSolution | ClassJointSolution) -> Record:
    if isinstance(solution, ClassJointSolution):
        return values(solution, _OF_CLASSES)
    small = solution.problem.num_classes**3 * int(np.prod(solution.problem.shape)) <= MAX_ENTRIES
    matrices = values(solution, ("class_means", "weights", "noisy_features"), small=small)
    return values(solution, (*_SCALARS, *BOUNDS, "family_gap", "relative_to")) | matrices


def _completed(given: Record) -> Record:
    """A tenth as many wrong labels as right ones, unless a matrix says."""
    return given if "noise_matrix" in given else {"noise": 0.1, **given}


MODEL = Model(
    name="joint",
    title="the limited-expressivity features model",
    problem=LimitedExpressivity,
    solutions=(JointSolution, ClassJointSolution),
    methods=get_args(JointMethod),
    solve=_solve,
    options=_options,
    parameters=(
        Parameter("loss", "", "loss", kind="part"),
        Parameter("noise", r"\eta", "noise level", log=True, help="ratio of noisy to clean mass (default: 0.1)"),
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
    completed=_completed,
)
