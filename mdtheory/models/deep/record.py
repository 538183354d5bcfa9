"""The deep linear features model as a problem type."""

from typing import get_args

from mdtheory.foundation.parameter import Parameter
from mdtheory.losses import LOSSES, Loss
from mdtheory.models.deep.problem import DeepMethod, DeepUFM
from mdtheory.models.deep.solution import DeepSolution
from mdtheory.models.deep.solving import solve_deep
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Part, Record
from mdtheory.models.records import MAX_ENTRIES, counted, values


def _describe(solution: DeepSolution) -> Record:
    small = solution.logits.size <= MAX_ENTRIES
    record = values(solution, ("structure", "rank", *BOUNDS))
    return record | values(solution, ("margin", "singular_values", "logits", "class_means"), small=small)


def _options(problem: DeepUFM, method: str) -> frozenset[str]:
    searched = method == "search" or (method == "auto" and problem.layers > 1 and not problem.is_squared_error)
    return frozenset({"tolerance", "starts", "seed", "progress"} if searched else {"tolerance"})


MODEL = Model(
    name="deep",
    title="the deep linear features model",
    problem=DeepUFM,
    solutions=(DeepSolution,),
    methods=get_args(DeepMethod),
    solve=lambda problem, method, options: options.judged(solve_deep(problem, method, options)),
    options=_options,
    parameters=(
        Parameter("loss", "", "loss", kind="part"),
        Parameter("num_classes", "N", "number of classes", log=True, help="default: 2", kind="count"),
        Parameter("layers", "L", "linear layers", kind="count", default=2),
        Parameter("weight_decay", r"\lambda_W", "weight decay of every layer", log=True, default=5e-3),
        Parameter("feature_decay", r"\lambda_H", "feature decay", log=True, default=5e-3),
        Parameter("decay", r"\Lambda^{1/(L+1)}", "decay of all layers", log=True),
        Parameter(
            "class_weights",
            r"\pi",
            "class proportions",
            help="proportions with sum 1, or a .npy or .csv file of them",
            kind="vector",
        ),
        Parameter(
            "label_distribution",
            "",
            "label distribution",
            help=".npy or .csv file: one column of label probabilities for each group",
            kind="matrix",
        ),
        Parameter("nonnegative", "", "nonnegative features", help="with one layer only", kind="flag", default=False),
    ),
    outputs=(
        Parameter("rank", "", "rank of the logits"),
        *EVERY_OUTPUT,
    ),
    default_outputs=lambda _problem, _names: ("rank", "objective", "gap"),
    quantity="rank",
    describe=_describe,
    parts={"loss": Part(base=Loss, kinds=LOSSES, default="cross-entropy", help="loss of the logits")},
    aliases={"decay": ("weight_decay", "feature_decay")},
    completed=lambda given: counted(given, "label_distribution", "class_weights"),
)
