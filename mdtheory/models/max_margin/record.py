"""The max-margin problem as a problem type."""

from typing import get_args

from mdtheory.foundation.parameter import Parameter
from mdtheory.models.max_margin.problem import MaxMargin, MaxMarginMethod
from mdtheory.models.max_margin.solving import MaxMarginSolution, solve_max_margin
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Options, Record
from mdtheory.models.records import MAX_ENTRIES, counted, values

_MATRICES = ("margins", "logits", "class_means", "weights")


def _solve(problem: MaxMargin, method: str, options: Options) -> MaxMarginSolution:
    return options.judged(solve_max_margin(problem, method="closed-form" if method == "auto" else method))


def _describe(solution: MaxMarginSolution) -> Record:
    small = solution.problem.num_classes**2 <= MAX_ENTRIES
    return values(solution, ("geometry", *BOUNDS)) | values(solution, _MATRICES, small=small)


MODEL = Model(
    name="max-margin",
    title="the small-decay limit of the features model",
    problem=MaxMargin,
    solutions=(MaxMarginSolution,),
    methods=get_args(MaxMarginMethod),
    solve=_solve,
    parameters=(
        Parameter(
            "num_classes",
            "N",
            "number of classes",
            log=True,
            help="default: 2, or the number of class weights",
            kind="count",
        ),
        Parameter(
            "class_weights",
            r"\pi",
            "class proportions",
            help="proportions with sum 1, or a .npy or .csv file of them",
            kind="vector",
        ),
        Parameter("nonnegative", "", "nonnegative features", help="features at least zero", kind="flag", default=False),
        Parameter(
            "label_temperatures",
            r"\Delta",
            "label temperatures",
            help="label temperatures, one for each class",
            kind="vector",
        ),
    ),
    outputs=EVERY_OUTPUT,
    default_outputs=lambda _problem, _names: ("objective", "gap"),
    quantity="objective",
    describe=_describe,
    completed=lambda given: counted(given, "class_weights", "label_temperatures"),
)
