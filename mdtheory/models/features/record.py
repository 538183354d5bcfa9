"""The unconstrained features model as a problem type."""

from typing import get_args

import numpy as np

from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import FloatArray, fail, one_point
from mdtheory.losses import LOSSES, Loss
from mdtheory.models.features.bottleneck import solve_bottleneck
from mdtheory.models.features.free import has_closed_form, solve_free
from mdtheory.models.features.logits_solution import FactorsSolution
from mdtheory.models.features.margin import solve_ufm
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.features.nonnegative import solve_nonnegative
from mdtheory.models.features.problem import UFM, UFMMethod
from mdtheory.models.features.solution import UFMSolution
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Options, Part, Record
from mdtheory.models.records import MAX_ENTRIES, counted, plain, values

# What a conic solver reaches, and what closes the gap of a nonnegative problem.
_CONIC_TOLERANCE = 1e-6
# Parameters that decide whether a features model is one margin: with them as an axis every point is solved on its own.
_SHAPING = frozenset({"class_weights", "label_distribution", "bias_decay", "feature_dim"})


def _solve(problem: UFM, method: str, options: Options) -> UFMSolution:
    if _in_closed_form(problem, method):
        if method == "convex":
            from mdtheory.models.features.conic import solve_ufm_convex

            return options.judged(solve_ufm_convex(problem))
        return options.judged(solve_ufm(problem))
    if problem.nonnegative and method in ("convex", "factorized"):
        kind = "" if problem.symmetric else " that are not symmetric"
        raise fail("method", method, f"does not solve nonnegative features{kind}; use 'auto'")
    one_point(problem.point_shape, "method 'factorized' takes one point at a time")
    if not problem.loss.is_convex:
        raise fail("loss", problem.loss, "must be convex in the logits for method 'factorized'")
    if problem.nonnegative:
        return _solve_nonnegative(problem, method, options)
    return _solve_free(problem, method, options)


def _solve_free(problem: UFM, method: str, options: Options) -> UFMSolution:
    if method == "convex":
        from mdtheory.models.features.conic import solve_free_convex

        relaxed = solve_free_convex(problem, options.tolerance or _CONIC_TOLERANCE)
    else:
        relaxed = solve_free(problem, method=method, tolerance=options.tolerance, progress=options.progress)
    if problem.feature_dim is None or problem.feature_dim >= relaxed.rank:
        return relaxed
    return solve_bottleneck(
        problem,
        starts=options.starts,
        seed=options.seed or 0,
        tolerance=relaxed.tolerance,
        convex_dual=relaxed.dual,
    )


def _solve_nonnegative(problem: UFM, method: str, options: Options) -> FactorsSolution:
    tolerance = options.tolerance or _CONIC_TOLERANCE
    found = solve_nonnegative(problem, starts=options.starts, seed=options.seed or 0, tolerance=tolerance)
    if method not in ("auto", found.method):
        raise fail(
            "method", method, f"does not solve this problem of nonnegative features: 'auto' uses {found.method!r}"
        )
    return found


def _options(problem: UFM, method: str) -> frozenset[str]:
    taken = {"tolerance"}
    if not _in_closed_form(problem, method):
        if problem.nonnegative:
            return frozenset(taken | {"starts", "seed"})
        exact = has_closed_form(problem)
        if method != "convex" and not (exact and method != "factorized"):
            taken.add("progress")
        if problem.feature_dim is not None and problem.feature_dim < _largest_rank(problem) and not exact:
            taken |= {"starts", "seed"}
    return frozenset(taken)


def _in_closed_form(problem: UFM, method: str) -> bool:
    """Whether the answer is a margin."""
    return problem.symmetric and method != "factorized"


def _largest_rank(problem: UFM) -> int:
    return min(int(np.max(problem.num_classes)), problem.num_groups)


# ------------------------------------------------------------------------------ descriptions

_GENERAL = ("geometry", "rank", "margin", "probability", "bias", "singular_values", "logits", "class_means", "weights")


def _describe(solution: UFMSolution) -> Record:
    if isinstance(solution, MarginSolution):
        record = {"geometry": plain(solution.geometry), "margin": plain(solution.margin)}
        record |= {"kappa": plain(solution.problem.kappa)}
        return record | values(solution, ("margin", "probability", "mean_gain", *BOUNDS, "rank")) | frame(solution)
    small = solution.problem.num_groups * int(solution.problem.num_classes) <= MAX_ENTRIES
    return values(solution, BOUNDS) | values(solution, _GENERAL, small=small)


def frame(solution: MarginSolution) -> Record:
    """Norms and common angle of the class means, and the matrices unless they are too large to be useful."""
    names = ("class_mean_norm", "class_mean_angle", "class_means", "weights")
    problem = solution.problem
    classes = int(np.max(problem.num_classes))
    if classes * max(classes, problem.feature_dim or 0) > MAX_ENTRIES or np.ndim(problem.num_classes) > 0:
        return dict.fromkeys(names)
    means = solution.class_means
    norms = np.linalg.norm(means, axis=-2)
    equal = means.ndim == 2 and bool(np.ptp(norms) <= 1e-12 * np.max(norms))
    angle = _angle(means) if means.ndim == 2 else None
    found = (norms[0] if equal else norms, angle, means, solution.weights)
    return {name: plain(value) for name, value in zip(names, found, strict=True)}


def _angle(means: FloatArray) -> float | None:
    """The angle in degrees between two class means that are not zero; None with fewer than two of them."""
    alive = means[:, np.linalg.norm(means, axis=0) > 0]
    if alive.shape[1] < 2:
        return None
    a, b = (column / np.linalg.norm(column) for column in alive.T[:2])
    # Well conditioned at every angle, unlike the arc cosine.
    return float(np.degrees(2.0 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))


# ------------------------------------------------------------------------------ sweeps and the shell


def _sweeps_at_once(problem: UFM, names: frozenset[str], method: str) -> bool:
    if method not in ("auto", "closed-form"):
        return False
    fixed = problem.symmetric and problem.class_weights is None and problem.bias_decay == 0
    return fixed and problem.feature_dim is None and names.isdisjoint(_SHAPING)


def _default_outputs(problem: UFM, names: frozenset[str]) -> tuple[str, ...]:
    single = problem.symmetric and problem.class_weights is None and names.isdisjoint(_SHAPING)
    return ("margin", "objective", "gap") if single else ("objective", "gap")


MODEL = Model(
    name="ufm",
    title="the unconstrained features model",
    problem=UFM,
    solutions=(MarginSolution, UFMSolution),
    methods=get_args(UFMMethod),
    solve=_solve,
    parameters=(
        Parameter("loss", "", "loss", kind="part"),
        Parameter(
            "num_classes",
            "N",
            "number of classes",
            log=True,
            help="default: 2, or the number of class weights",
            kind="count",
        ),
        Parameter("weight_decay", r"\lambda_W", "weight decay", log=True, default=5e-3),
        Parameter("feature_decay", r"\lambda_H", "feature decay", log=True, default=5e-3),
        Parameter("decay", r"\lambda_W = \lambda_H", "weight and feature decay", log=True),
        Parameter("nonnegative", "", "nonnegative features", help="features at least zero", kind="flag", default=False),
        Parameter("bias", "", "bias", help="a bias of the logits", kind="flag", default=False),
        Parameter("bias_decay", r"\lambda_b", "bias decay", log=True, help="decay of the bias", default=0.0),
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
        Parameter("feature_dim", "M", "feature dimension", help="dimension of the features (default: N)", kind="count"),
    ),
    outputs=(
        Parameter("margin", "s", "margin"),
        Parameter("probability", "p", "softmax probability of the own class"),
        Parameter("mean_gain", "B", "logit sum at a class mean"),
        Parameter("rank", "", "rank of the logits"),
        *EVERY_OUTPUT,
    ),
    default_outputs=_default_outputs,
    quantity="margin",
    describe=_describe,
    options=_options,
    parts={
        "loss": Part(base=Loss, kinds=LOSSES, default="cross-entropy", help="loss of the logits", takes_arrays=True)
    },
    aliases={"decay": ("weight_decay", "feature_decay")},
    broadcasts=lambda problem: problem.symmetric,
    sweeps_at_once=_sweeps_at_once,
    completed=lambda given: counted(given, "label_distribution", "class_weights"),
    certificate=lambda solution: solution.certificate,
)
