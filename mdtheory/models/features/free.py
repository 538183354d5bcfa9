"""Free features, any proportions and labels: the convex problem in the logits."""

from collections.abc import Callable

import numpy as np

from mdtheory.foundation.errors import AssumptionError, SolverError
from mdtheory.foundation.validation import FloatArray, fail
from mdtheory.losses import CrossEntropy, MeanSquaredError
from mdtheory.models.features.duality import label_loss
from mdtheory.models.features.logits_problem import LogitsProblem, logits_problem
from mdtheory.models.features.logits_solution import LogitsSolution
from mdtheory.models.features.problem import UFM
from mdtheory.models.features.soft_labels import exchangeable_optimum, is_exchangeable
from mdtheory.models.features.symmetry import Blocks
from mdtheory.optimisers.nuclear import minimise_nuclear

Progress = Callable[[str], object]

# Sizes at which a conic solver is asked where the softened loss leaves a gap.
_CONIC_FALLBACK = 40
# A gap of a smooth loss from which on that is worth it.
_POOR = 1e-7
# Frequencies of classes that differ by more than this, relative to them, are not those of labels that treat all alike.
_ALIKE = 1e-9
# A softened maximum is at most T log N too high; below the last temperature doubles have no digits left for it.
_TEMPERATURES = tuple(0.3 * 0.2**k for k in range(15))


def solve_free(
    problem: UFM, *, method: str, tolerance: float | None, reduce: bool = True, progress: Progress | None = None
) -> LogitsSolution:
    """The optimum over features of any dimension: in closed form where there is one, else by a second-order method.

    Parameters
    ----------
    problem : UFM
        One point, free features, convex loss.
    method : {"auto", "closed-form", "factorized"}
    tolerance : float, optional
        The relative gap aimed at. Default: 1e-9 up to 200 classes or groups of interchangeable classes, 1e-6 beyond;
        1e-7 for the hinge losses.
    reduce : bool, default True
        Whether to average interchangeable classes first.
    progress : callable, optional
        Is given a line now and then.

    Raises
    ------
    AssumptionError
        If the method does not apply, or the problem would not fit in memory.
    SolverError
        If the decays are too small for the method "closed-form".
    """
    logits = logits_problem(problem, reduce=reduce)
    if tolerance is None:
        tolerance = 1e-9 if max(logits.zero[0].shape) <= 200 else 1e-6
        tolerance = tolerance if logits.loss.smooth else max(tolerance, 1e-7)
    if has_closed_form(problem) and method != "factorized":
        return LogitsSolution.at(logits, _shrunk(logits), "closed-form", tolerance)
    if method != "factorized" and treats_classes_alike(problem):
        try:
            scalar = _from_one_scalar(logits, tolerance)
            if method == "closed-form" or scalar.relative_gap <= tolerance:
                return scalar
        except SolverError:  # decays too small for the equation
            if method == "closed-form":
                raise
    if method == "closed-form":
        squared, alike = "the squared error without a regularised bias", "labels that treat every class alike"
        raise fail("method", method, f"needs a symmetric problem, or {squared}, or cross-entropy with {alike}")
    if logits.loss.smooth:
        found = LogitsSolution.at(logits, _minimise(logits, logits.zero, tolerance, progress), "factorized", tolerance)
        enough = max(tolerance, _POOR)
    else:
        found, enough = _cooled(logits, tolerance, progress), tolerance
    if method == "auto" and not found.relative_gap <= enough and max(logits.zero[0].shape) <= _CONIC_FALLBACK:
        return _better_by_conic(problem, found)
    return found


def _better_by_conic(problem: UFM, found: LogitsSolution) -> LogitsSolution:
    """The answer of a conic solver, if there is one and its gap is smaller."""
    from mdtheory.models.features.conic import solve_free_convex

    try:
        other = solve_free_convex(problem, found.tolerance)
    except (AssumptionError, SolverError):  # a loss without an atom; numbers too small for the solver
        return found
    return other if other.relative_gap < found.relative_gap else found


def has_closed_form(problem: UFM) -> bool:
    """Whether the optimum is a soft-thresholded matrix: the squared error, with no bias or an unregularised one."""
    return type(problem.loss) is MeanSquaredError and problem.bias_decay == 0


def treats_classes_alike(problem: UFM) -> bool:
    """Whether one scalar gives the optimum: cross-entropy with an exchangeable label distribution, with or without a bias.

    Averaged over all relabellings an optimal bias is the same for every class, and the loss does not see it.
    """
    # Without a distribution the classes are alike only where the problem is a margin, and their labels may be too large to list.
    if type(problem.loss) is not CrossEntropy or problem.label_distribution is None:
        return False
    # Relabelling keeps the frequencies of the classes: almost always that is enough to say no.
    frequencies = problem.labels @ problem.proportions
    alike = bool(np.ptp(frequencies) <= _ALIKE * np.max(frequencies))
    return alike and is_exchangeable(problem.labels, problem.proportions)


def _from_one_scalar(logits: LogitsProblem, tolerance: float) -> LogitsSolution:
    """The point of `exchangeable_optimum`."""
    problem, frame = logits.problem, logits.frame
    decays = {"weight_decay": float(problem.weight_decay), "feature_decay": float(problem.feature_decay)}
    found = exchangeable_optimum(label_loss(problem).targets, problem.proportions, **decays)
    blocks = frame.blocks(found.logits[:, frame.representatives])
    point = logits.with_bias(blocks, np.zeros(frame.num_classes))
    return LogitsSolution.at(logits, point, "closed-form", tolerance)


def _shrunk(logits: LogitsProblem) -> Blocks:
    r"""``X = SVT(T D (I - qq'))`` with ``q = sqrt pi`` projected out where a bias takes the mean; ``b = (T - Z) pi``."""
    loss, frame = logits.loss, logits.frame
    target = np.asarray(-loss.gradient(np.zeros((frame.num_classes, frame.column_weights.size))))
    mean = frame.mean(target) if logits.problem.bias else np.zeros(frame.num_classes)
    costs = logits.nuclear_costs
    blocks = tuple(_soft_threshold(b, c) for b, c in zip(frame.blocks(target - mean[:, None]), costs, strict=False))
    return logits.with_bias(blocks, mean)


def _soft_threshold(matrix: FloatArray, cost: float) -> FloatArray:
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray((u * np.maximum(s - cost, 0.0)) @ vt)


def _cooled(logits: LogitsProblem, tolerance: float, progress: Progress | None) -> LogitsSolution:
    """Follow the minimiser of the softened loss to low temperatures.

    The points get better to the end; the dual points, which are feasible for the loss itself, only until rounding
    errors, divided by the temperature, spoil the gradients.
    """
    point = logits.zero
    best = logits.dual_point(point)
    for temperature in _TEMPERATURES:
        soft = logits.with_temperature(temperature)
        # Far from the last temperature it is enough to follow the path.
        point = _minimise(soft, point, max(0.1 * tolerance, 1e-2 * temperature), progress)
        best = max(best, soft.dual_point(point), key=lambda candidate: candidate[0])
        upper = logits.objective(point)
        if upper - best[0] <= tolerance * abs(upper):
            break
    return LogitsSolution.at(logits, point, "factorized", tolerance, best[1])


def _minimise(logits: LogitsProblem, start: Blocks, tolerance: float, progress: Progress | None) -> Blocks:
    # A trial step so long that its value overflows is not taken.
    with np.errstate(over="ignore", invalid="ignore"):
        return minimise_nuclear(
            logits, logits.nuclear_costs, start, certify=logits.bounds, target=tolerance, progress=progress
        )
