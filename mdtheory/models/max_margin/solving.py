r"""The max-margin problem: its closed form, a conic cross-check, and how far logits are from a limit.

Free features have the SELI geometry: with P = diag(pi) and C = I - J/N the optimal logits are C for every pi, and
``L = (C P C)^+`` gives ``H'H = L^(1/2)`` and ``W W' = (C P C)^(1/2)``. Nonnegative features are an orthogonal frame.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import FloatArray, choice, columns, fail, real
from mdtheory.models.features.geometry import sum_zero_basis
from mdtheory.models.max_margin.problem import MaxMargin
from mdtheory.models.solution import Solution

METHODS = ("closed-form", "convex")
MAX_CONVEX_CLASSES = 60
TARGET_GAP = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class MaxMarginSolution(Solution):
    r"""Logits with the required margins, and how far they are from the least possible decay.

    Attributes
    ----------
    problem : MaxMargin
    method : str
    numerical_logits : array (N, N), optional
        The answer of a solver, feasible and with columns of mean zero; without it the closed form is meant.
    tolerance : float
        The gap, relative to the objective, up to which the answer is called optimal.
    """

    problem: MaxMargin
    method: str
    numerical_logits: FloatArray | None = None
    tolerance: float = TARGET_GAP

    _shown: ClassVar[tuple[str, ...]] = ("geometry",)

    @cached_property
    def logits(self) -> FloatArray:
        """Z (N, N): column k holds the logits of class k. The closed form is ``(I - J/N) diag(1/Delta)``."""
        if self.numerical_logits is not None:
            return self.numerical_logits
        n = self.problem.num_classes
        return np.asarray((np.eye(n) - 1.0 / n) * self.problem.required_margins)

    @property
    def margins(self) -> FloatArray:
        """The own logit of each class minus the largest other (N,)."""
        others = self.logits.copy()
        np.fill_diagonal(others, -np.inf)
        return np.asarray(np.diagonal(self.logits) - np.max(others, axis=0))

    @property
    def objective(self) -> float:
        r"""Half the squared norms of `weights` and of `class_means`, the latter weighted by pi.

        Free features: :math:`\|Z\,\mathrm{diag}(\sqrt\pi)\|_*`. Nonnegative: :math:`\sum_k\sqrt{\pi_k}\|z_k\|`, in
        closed form :math:`\sum_k \sqrt{\pi_k(N-1)/N}/\Delta_k`. Times ``2 mu`` it is the decay of the unconstrained
        features model.
        """
        if self.problem.nonnegative:
            return float(np.sum(self._column_norms))
        return float(np.sum(self._factors[1]))

    @cached_property
    def lower_bound(self) -> float:
        r"""A lower bound on the optimum, from a dual point built from `logits` alone.

        Give the constraint :math:`z_{kk} - z_{jk} \ge m_k` a multiplier :math:`\beta_{jk} \ge 0`, let V have these
        entries off the diagonal and columns that sum to zero, and put :math:`A = V\,\mathrm{diag}(\pi)^{-1/2}` (V is `dual`). For
        every feasible Z, with :math:`X = Z\,\mathrm{diag}(\sqrt\pi)`,

        .. math:: \|X\|_* \ge \|X\|_* + \langle A, X\rangle + \sum_{j\ne k}\beta_{jk}m_k \ge \sum_{j\ne k}\beta_{jk}m_k
                  \quad\text{if } \|A\|_{op} \le 1,

        the first step since the multipliers meet nonnegative slacks, the second by duality of the two norms. Here
        A is minus the polar factor of X, made feasible: negative off-diagonal entries are dropped, the diagonal
        completed, the whole divided by its operator norm. With nonnegative features the optimal W leaves
        ``tr((I - A'A) G)/2`` with the Gram matrix G of the weighted class means, which is PSD and entrywise
        nonnegative: it is enough that ``A'A + Lambda <= I`` for some entrywise nonnegative Lambda, and
        Lambda = ``max(-A'A, 0)`` is tried beside zero.
        """
        return float(-np.diagonal(self.dual) @ self.problem.required_margins)

    @cached_property
    def dual(self) -> FloatArray:
        """V (N, N) of `lower_bound`: the multipliers of the margins off the diagonal, and columns that sum to zero."""
        root = np.sqrt(self.problem.proportions)
        if self.problem.nonnegative:
            dual = -self.logits * root / self._column_norms
        else:
            left, _, right = self._factors
            dual = -(left @ right)
        np.fill_diagonal(dual, 0.0)
        dual = np.maximum(dual, 0.0)
        np.fill_diagonal(dual, -np.sum(dual, axis=0))
        size = _dual_size(dual, nonnegative=self.problem.nonnegative)
        return np.asarray(dual * root / size if size > 0 else 0.0 * dual)

    @cached_property
    def singular_values(self) -> FloatArray:
        """The singular values (N,) of ``Z diag(sqrt pi)``, in decreasing order."""
        return np.append(self._factors[1], 0.0)

    @property
    def rank(self) -> int:
        """The rank of the logits: N - 1, since every class has a margin."""
        return self.problem.num_classes - 1

    @property
    def bias(self) -> FloatArray:
        """b (N,): zero, a max-margin problem has none."""
        return np.zeros(self.problem.num_classes)

    @property
    def geometry(self) -> str:
        """Name of the arrangement: "simplex-etf", "seli" (free, not balanced) or "orthogonal-frame"."""
        if self.problem.nonnegative:
            return "orthogonal-frame"
        same = np.ptp(self.problem.proportions) == 0 and np.ptp(self.problem.required_margins) == 0
        return "simplex-etf" if same else "seli"

    @property
    def weights(self) -> FloatArray:
        r"""W, with the classifiers as rows, for equal decays; else times :math:`(\lambda_H/\lambda_W)^{1/4}`.

        Free: (N, N - 1), ``U S^(1/2)`` from the singular value decomposition ``Z diag(sqrt pi) = U S V'``. Nonnegative:
        (N, N).
        """
        if self.problem.nonnegative:
            return np.asarray(self.logits / self._frame_lengths)
        left, values, _ = self._factors
        return np.asarray(left * np.sqrt(values))

    @property
    def class_means(self) -> FloatArray:
        r"""H, with the class means as columns, for equal decays; else times :math:`(\lambda_W/\lambda_H)^{1/4}`.

        Free: (N - 1, N), ``S^(1/2) V' diag(pi)^(-1/2)``, exact to about ``1e-16/sqrt(min pi)``; the Gram matrix is
        ``diag(1/Delta) L^(1/2) diag(1/Delta)``, so all angles between class means are obtuse. Nonnegative: (N, N), the
        diagonal matrix of :math:`\sqrt{\|z_k\|}\,\pi_k^{-1/4}`.
        """
        if self.problem.nonnegative:
            return np.diag(self._frame_lengths)
        _, values, right = self._factors
        return np.asarray(np.sqrt(values)[:, None] * right / np.sqrt(self.problem.proportions))

    @cached_property
    def _factors(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """U, S and V' of the weighted logits, N - 1 of each: the mean logit direction is taken out first."""
        basis = sum_zero_basis(self.problem.num_classes)
        left, values, right = np.linalg.svd(
            basis.T @ (self.logits * np.sqrt(self.problem.proportions)), full_matrices=False
        )
        return np.asarray(basis @ left), values, right

    @property
    def _column_norms(self) -> FloatArray:
        return np.asarray(np.linalg.norm(self.logits, axis=0) * np.sqrt(self.problem.proportions))

    @property
    def _frame_lengths(self) -> FloatArray:
        return np.asarray(np.sqrt(np.linalg.norm(self.logits, axis=0)) * self.problem.proportions**-0.25)


def solve_max_margin(problem: MaxMargin, *, method: str = "closed-form") -> MaxMarginSolution:
    r"""Solve a max-margin problem.

    Free features: the optimal logits are :math:`Z = (I - J/N)\,\mathrm{diag}(1/\Delta)` for all proportions, and no
    others. Every constraint is active, with the multiplier :math:`-\pi_k (L^{1/2})_{jk} > 0` where
    :math:`L = (CPC)^+` is the Laplacian of a complete graph (``pi/Delta^2`` standing for pi if there are
    temperatures). The proof in ``derivations/seli.py`` needs no assumption on the proportions. Nonnegative features:
    the same logits, class means orthogonal.

    Parameters
    ----------
    problem : MaxMargin
    method : str, default "closed-form"
        Or "convex": the conic programme in the logits (cvxpy), to check the closed form; at most 60 classes.

    Returns
    -------
    MaxMarginSolution

    Raises
    ------
    AssumptionError
        If the method is unknown, or there are too many classes for it.
    SolverError
        If no conic solver gives an answer.

    References
    ----------
    Thrampoulidis, Kini, Vakilian and Behnia, NeurIPS 2022 (SELI geometry).

    Examples
    --------
    >>> from mdtheory.models.max_margin.problem import MaxMargin
    >>> from mdtheory.models.max_margin.solving import solve_max_margin
    >>> sol = solve_max_margin(MaxMargin(num_classes=4, class_weights=[0.6, 0.25, 0.1, 0.05]))
    >>> round(sol.objective, 6), sol.status.name, sol.geometry
    (1.402732, 'OPTIMAL', 'seli')
    """
    if not isinstance(problem, MaxMargin):
        raise fail("problem", problem, "must be a MaxMargin")
    if choice("method", method, METHODS) == "closed-form":
        return MaxMarginSolution(problem, method)
    return MaxMarginSolution(problem, method, max_margin_programme(problem)[0])


def max_margin_programme(problem: MaxMargin) -> tuple[FloatArray, float]:
    """The conic programme: its centred logits Z (N, N), stretched to be feasible, and its value as the solver has it.

    It minimises ``tr P / 2`` over PSD block matrices ``P = [[T, X], [X', G]]`` with ``X = Z diag(sqrt pi)``. With
    nonnegative features G, the Gram matrix of the weighted class means, is entrywise nonnegative as well: a relaxation,
    which the closed form shows to be exact. Method "convex" of :func:`solve_max_margin` raises the same errors.
    """
    import cvxpy as cp

    from mdtheory.optimisers.conic import minimise_conic

    n = problem.num_classes
    if n > MAX_CONVEX_CLASSES:
        raise fail("num_classes", n, f"must be at most {MAX_CONVEX_CLASSES} for method 'convex'")
    roots = np.sqrt(problem.proportions)
    block = cp.Variable((2 * n, 2 * n), PSD=True)
    weighted = block[:n, n:]
    slack = cp.reshape(cp.diag(weighted), (1, n), order="C") - weighted
    needed = (1.0 - np.eye(n)) * roots * problem.required_margins
    constraints = [slack >= needed]
    if problem.nonnegative:
        constraints.append(block[n:, n:] >= 0)
    programme = cp.Problem(cp.Minimize(0.5 * cp.trace(block)), constraints)
    minimise_conic(programme)
    logits = _centred_columns(np.asarray(weighted.value) / roots)
    others = logits + np.diag(np.full(n, -np.inf))
    shortest = (np.diagonal(logits) - np.max(others, axis=0)) / problem.required_margins
    if not np.all(shortest > 0):
        raise SolverError("the conic solver's answer violates a margin constraint")
    # A conic answer is feasible to its tolerance only; stretched columns are feasible.
    return np.asarray(logits * np.maximum(1.0 / shortest, 1.0)), float(programme.value)


def direction_distance(logits: ArrayLike, limit: ArrayLike) -> float:
    """One minus the cosine between two matrices of logits, in the plain Frobenius inner product.

    Columns are centred first, as a shift of all logits of a class has no effect. Between 0 (same direction) and 2.

    Parameters
    ----------
    logits, limit : array (N, K)
        One column per class or group.

    Raises
    ------
    AssumptionError
        If the shapes differ, or one of them has no direction.

    Notes
    -----
    For cross-entropy the distance to the max-margin logits vanishes with the decay, but only logarithmically: with
    ``t = 2 mu`` margins are ``log(1/t) - log(-(L^(1/2))_jk) + O(1/log(1/t))`` in the notation of
    :func:`solve_max_margin`, so the distance falls like ``log(1/t)^-2`` (it is zero for balanced or two classes). In
    proportions (.6, .25, .1, .05) it is .0103, .00325, .00095 at t = 1e-2, 1e-4, 1e-8.

    Examples
    --------
    >>> from mdtheory.models.max_margin.solving import direction_distance
    >>> direction_distance([[3.0, 0.0], [0.0, 3.0]], [[0.5, -0.5], [-0.5, 0.5]])
    0.0
    """
    first, second = _direction("logits", logits), _direction("limit", limit)
    if first.shape != second.shape:
        raise fail("limit", second.shape, f"must have the shape of logits, {first.shape}")
    # Half the squared chord: 1 - cos without its cancellation.
    return 0.5 * float(np.sum((first - second) ** 2))


def soft_label_limit(label_distribution: ArrayLike) -> FloatArray:
    """Limit of the optimal cross-entropy logits as both decays vanish, for labels of full support.

    Each softmax tends to its label distribution, so the logits tend to the centred log-probabilities ``C log Y``,
    whatever the proportions. (Labels with zeros send the logits to infinity instead: see :class:`MaxMargin`.)

    Parameters
    ----------
    label_distribution : array (N, K)
        Y: column k is the label distribution of class or group k, positive with sum 1, rounded as for `UFM`.

    Returns
    -------
    array (N, K)

    Raises
    ------
    AssumptionError
        If Y has zeros, or a column that does not sum to 1.

    Examples
    --------
    >>> from mdtheory.models.max_margin.solving import soft_label_limit
    >>> soft_label_limit([[0.9, 0.1], [0.1, 0.9]]).round(6)
    array([[ 1.098612, -1.098612],
           [-1.098612,  1.098612]])
    """
    return _centred_columns(np.log(columns("label_distribution", label_distribution, positive=True)))


def _direction(name: str, value: ArrayLike) -> FloatArray:
    matrix = np.asarray(real(name, value, np.isfinite, "be finite"))
    if matrix.ndim != 2 or matrix.shape[0] < 2 or matrix.shape[1] < 1:
        raise fail(name, matrix.shape, "must be a matrix with a row for each of at least two classes")
    largest = np.max(np.abs(matrix))
    centred = _centred_columns(matrix / largest if largest > 0 else matrix)
    length = float(np.linalg.norm(centred))
    if length == 0:
        raise fail(name, matrix.tolist(), "must have a direction: its columns are constant")
    return np.asarray(centred / length)


def _centred_columns(matrix: FloatArray) -> FloatArray:
    return np.asarray(matrix - np.mean(matrix, axis=0))


def _dual_size(dual: FloatArray, *, nonnegative: bool) -> float:
    """By how much the dual point must be divided: its operator norm, or less with nonnegative features."""
    if not nonnegative:
        return float(np.linalg.norm(dual, 2))
    gram = dual.T @ dual
    largest = (np.linalg.eigvalsh(matrix)[-1] for matrix in (gram, np.maximum(gram, 0.0)))
    return float(np.sqrt(max(min(largest), 0.0)))
