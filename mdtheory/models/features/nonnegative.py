r"""Nonnegative features with any labels and proportions: bounds that meet where the geometry allows it.

Upper bounds are explicit factors: orthogonal class means where the classes decouple, else the best of many local
searches. Lower bounds come from the relaxation of the Gram matrix ``G = DH'HD`` from completely positive to doubly
nonnegative (PSD and entrywise nonnegative). Up to four groups the two cones are equal and the bounds meet; beyond, a
gap can be real.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mdtheory.foundation.validation import FloatArray, fail, one_point
from mdtheory.models.features.duality import label_loss, lower_bound
from mdtheory.models.features.factors import Factors, LocalMinimum, local_minimum
from mdtheory.models.features.free import solve_free
from mdtheory.models.features.logits_solution import FactorsSolution
from mdtheory.models.features.problem import UFM

# Groups above which the conic programmes are too slow.
MAX_CONIC_GROUPS = 40
_DEFAULT_STARTS = 20
# Aimed at in every class on its own, so that the whole is closed to rounding.
_COLUMN_TOLERANCE = 1e-14
# Columns of logits shorter than this, relative to the longest, vanish.
_VANISHING = 1e-12


def solve_nonnegative(
    problem: UFM, *, starts: int | None = None, seed: int = 0, tolerance: float = 1e-9
) -> FactorsSolution:
    r"""Factors and a dual point of a model with nonnegative features.

    Without a bias every class is first solved on its own, ``min_z pi_k loss(z, y_k) + 2 mu sqrt(pi_k) ||z||``. With
    the subgradients :math:`v_k` of the losses at these solutions, orthogonal class means are optimal if

    .. math:: \langle v_k, v_m\rangle \le 0 \qquad\text{for all } k \ne m,

    because ``-D V'V D`` off the diagonal is then a multiplier of ``G >= 0``. Otherwise a local search from many starts
    meets the bound of the doubly nonnegative relaxation, or leaves a gap.

    Parameters
    ----------
    problem : UFM
        One point, nonnegative features, convex loss. Features have `feature_dim` dimensions, max(N, K) if it is None.
    starts : int, optional
        Random starts of the local search; 20 if omitted.
    seed : int
        Of the random starts.
    tolerance : float
        Gap, relative to the objective, at which to stop looking.

    Raises
    ------
    AssumptionError
        If the features are not nonnegative, or the problem is not one point.
    SolverError
        If no conic solver gives an answer.

    Notes
    -----
    The bounds hold for every dimension of the features. Above 40 groups no conic programme is solved; the lower bound
    then comes from the gradients at the factors, and from the problem with free features.

    References
    ----------
    Maxfield and Minc, *On the matrix equation X'X = A*, 1962: completely positive and doubly nonnegative matrices
    agree up to order 4.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> noisy = np.array([[0.9, 0.2], [0.1, 0.8]])
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=0.01, feature_decay=0.01, nonnegative=True,
    ...               label_distribution=noisy)
    >>> found = solve_nonnegative(ufm)
    >>> found.method, np.round(found.class_means, 3) + 0.0
    ('closed-form', array([[1.412, 0.   ],
           [0.   , 1.125]]))
    """
    if not problem.nonnegative:
        raise fail("nonnegative", False, "must be True: free features have their own solvers")
    one_point(problem.point_shape)
    dim = problem.feature_dim or max(int(problem.num_classes), problem.num_groups)
    separate = None if problem.bias else _separate_classes(problem)
    given = []
    if separate is not None:
        logits, dual = separate
        factors = _orthogonal(problem, logits, dim)
        if factors is not None:
            answer = _best_bound(problem, factors, [(dual, _forgiven(problem, dual))], "closed-form", tolerance)
            if answer.relative_gap <= tolerance:
                return answer
            given.append(factors)
    return _search(problem, dim, given, starts if starts is not None else _DEFAULT_STARTS, seed, tolerance)


def _separate_classes(problem: UFM) -> tuple[FloatArray, FloatArray]:
    """The logits (N, K) and dual terms of every class on its own."""
    solved: dict[bytes, tuple[FloatArray, FloatArray]] = {}
    answers = []
    for weight, label in zip(problem.proportions, problem.labels.T, strict=True):
        key = weight.tobytes() + label.tobytes()
        if key not in solved:
            solved[key] = _one_class(problem, float(weight), label)
        answers.append(solved[key])
    logits, duals = zip(*answers, strict=True)
    return np.column_stack(logits), np.column_stack(duals)


def _one_class(problem: UFM, weight: float, label: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One group costs ``2 mu/sqrt(pi)`` per unit of length, which is the nuclear norm of a single column."""
    decay = float(problem.mu) / np.sqrt(weight)
    alone = UFM(
        problem.loss,
        num_classes=problem.num_classes,
        weight_decay=decay,
        feature_decay=decay,
        class_weights=np.ones(1),
        label_distribution=label[:, None],
    )
    answer = solve_free(alone, method="auto", tolerance=_COLUMN_TOLERANCE, reduce=False)
    return answer.logits, answer.dual


def _orthogonal(problem: UFM, logits: FloatArray, dim: int) -> Factors | None:
    """``h_k = a_k e_k`` with ``W h_k = z_k`` at the least cost; None if the features have too few dimensions."""
    count, lengths = logits.shape[1], np.linalg.norm(logits, axis=0)
    nonzero = np.flatnonzero(lengths > _VANISHING * np.max(lengths))
    if nonzero.size > dim:
        return None
    axes = nonzero if count <= dim else np.arange(nonzero.size)
    ratio = float(problem.weight_decay) / float(problem.feature_decay)
    scale = np.sqrt(lengths[nonzero] * np.sqrt(ratio / problem.proportions[nonzero]))
    weights, means = np.zeros((logits.shape[0], dim)), np.zeros((dim, count))
    weights[:, axes] = logits[:, nonzero] / scale
    means[axes, nonzero] = scale
    return Factors(weights, means, np.zeros(logits.shape[0]))


def _search(
    problem: UFM,
    dim: int,
    given: list[Factors],
    starts: int,
    seed: int,
    tolerance: float,
) -> FactorsSolution:
    """Local searches; then, if their own gradients do not prove them optimal, the relaxation and what it suggests."""
    found = local_minimum(problem, dim, starts=starts, seed=seed, given=given)
    conic = max(int(problem.num_classes), problem.num_groups) <= MAX_CONIC_GROUPS
    duals = [_gradients(problem, found)]
    if not conic:
        duals.append(solve_free(replace(problem, nonnegative=False), method="auto", tolerance=None, reduce=False).dual)
        candidates = [(dual, _forgiven(problem, dual)) for dual in duals]
        return _best_bound(problem, found.factors, candidates, "multi-start", tolerance)
    from mdtheory.models.features.conic import ufm_programme

    candidates = [(duals[0], least_multiplier(problem, duals[0])[0])]
    answer = _best_bound(problem, found.factors, candidates, "doubly-nonnegative", tolerance)
    if answer.relative_gap <= tolerance:
        return answer
    relaxed = ufm_programme(problem)
    multiplier, gram = least_multiplier(problem, relaxed.dual)
    candidates.append((relaxed.dual, multiplier))
    suggested = [Factors(*start, relaxed.bias) for start in _from_gram(problem, relaxed.logits, gram, dim)]
    better = local_minimum(problem, dim, starts=0, given=[*suggested, found.factors])
    dual = _gradients(problem, better)
    candidates.append((dual, least_multiplier(problem, dual)[0]))
    return _best_bound(problem, better.factors, candidates, "doubly-nonnegative", tolerance)


def _gradients(problem: UFM, found: LocalMinimum) -> FloatArray:
    """The dual point at a local minimum: gradients, of the softened loss where there are kinks."""
    loss = replace(label_loss(problem), temperature=found.temperature)
    return loss.term_gradients(found.factors.logits)


def _forgiven(problem: UFM, dual: FloatArray) -> FloatArray:
    """The multiplier that cancels the negative entries of ``DV'VD``."""
    return np.asarray(np.maximum(-_gram(problem, dual), 0.0))


def _gram(problem: UFM, dual: FloatArray) -> FloatArray:
    scaled = label_loss(problem).combine(dual) * np.sqrt(problem.proportions)
    return np.asarray(scaled.T @ scaled)


def least_multiplier(problem: UFM, dual: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""The multiplier ``L >= 0`` with the least :math:`\lambda_{max}(DV'VD + L)`, and the dual of this programme.

    The dual is a doubly nonnegative matrix of trace 1; at the optimum of the model it is its Gram matrix, up to scale.

    Parameters
    ----------
    problem : UFM
    dual : array (N, terms)

    Returns
    -------
    tuple of array (K, K)

    Raises
    ------
    SolverError
        If no conic solver gives an answer.
    """
    import cvxpy as cp

    from mdtheory.optimisers.conic import minimise_conic

    gram = _gram(problem, dual)
    count, size = gram.shape[0], float(np.linalg.norm(gram, 2))
    if size == 0:
        return np.zeros((count, count)), np.eye(count) / count
    multiplier, largest = cp.Variable((count, count), symmetric=True), cp.Variable()
    below = largest * np.eye(count) - gram / size - multiplier >> 0
    minimise_conic(cp.Problem(cp.Minimize(largest), [below, multiplier >= 0]))
    found = size * np.maximum(np.asarray(multiplier.value), 0.0)
    return 0.5 * (found + found.T), np.maximum(np.asarray(below.dual_value), 0.0)


def _from_gram(problem: UFM, logits: FloatArray, gram: FloatArray, dim: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Starting points ``(W, H)`` near the relaxation's optimum: nonnegative roots of its Gram matrix."""
    roots = np.sqrt(problem.proportions)
    values, vectors = np.linalg.eigh(gram)
    scaled = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    symmetric_root = vectors @ scaled
    # Without room for the symmetric root: the leading eigenvectors, with both signs as features of their own.
    leading = scaled[::-1]
    signed = np.concatenate([leading, -leading])[np.argsort(np.tile(np.arange(values.size), 2), kind="stable")]
    for root in (symmetric_root, signed):
        features = np.maximum(root, 0.0)
        order = np.argsort(-np.linalg.norm(features, axis=1), kind="stable")[:dim]
        means = features[np.sort(order)] / roots
        yield logits @ np.linalg.pinv(means, rcond=1e-6), means


def _best_bound(
    problem: UFM,
    factors: Factors,
    candidates: list[tuple[FloatArray, FloatArray]],
    method: str,
    tolerance: float,
) -> FactorsSolution:
    dual, multiplier = max(candidates, key=lambda candidate: lower_bound(problem, *candidate))
    return FactorsSolution(problem, method, tolerance, factors, dual, multiplier)
