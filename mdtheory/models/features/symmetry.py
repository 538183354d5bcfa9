r"""Classes that can be permuted without changing the problem, averaged out of it exactly.

Two classes are *interchangeable* if swapping them (their weights, their label columns and their rows) leaves the problem
as it is. That is an equivalence relation, and a convex problem has an optimum that all these swaps leave alone: inside
a group of ``n_A`` interchangeable classes its logits are ``s_A`` on the diagonal above a constant, and constant between
any two groups. On such logits the operator ``X = Z diag(sqrt pi)`` is block diagonal: one matrix between the groups'
indicator vectors, and for each group the number ``s_A sqrt(pi_A)`` on the ``n_A - 1`` dimensional space of sum-zero
vectors. A thousand classes in two groups are six numbers.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray
from mdtheory.models.features.problem import UFM

Blocks = tuple[FloatArray, ...]


@dataclass(frozen=True, eq=False)
class Reduction(Frozen):
    r"""An isometry between invariant matrices X (N, K) and *blocks*.

    The first block (G, G) acts between the unit indicator vectors of the groups. Then comes a 1 x 1 block
    ``sqrt(n_A - 1) s_A sqrt(pi_A)`` for every group of several classes, scaled so that the Frobenius norm is kept; its
    nuclear norm counts ``sqrt(n_A - 1)`` times. Without interchangeable classes the only block is X itself.

    A *column* here is a column of one representative class of each group, with all its N entries.

    Attributes
    ----------
    groups : array (N,) of int, or None
        The group of each class, numbered by first appearance. None stands for no interchangeable classes, for which
        the number of columns K need not be N.
    proportions : array (K,)
        The proportions of all columns.
    num_classes : int
        N.
    """

    groups: NDArray[np.int64] | None
    proportions: FloatArray
    num_classes: int

    @property
    def trivial(self) -> bool:
        """Whether there is nothing to average."""
        return self.groups is None

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The number of classes of each group, (G,)."""
        if self.groups is None:
            return np.ones(self.proportions.size, dtype=np.int64)
        return np.bincount(self.groups).astype(np.int64)

    @cached_property
    def representatives(self) -> NDArray[np.int64]:
        """The first column of each group, (G,)."""
        if self.groups is None:
            return np.arange(self.proportions.size)
        return np.asarray(np.unique(self.groups, return_index=True)[1], dtype=np.int64)

    @cached_property
    def column_weights(self) -> FloatArray:
        """The total proportion of each group, (G,): the weight of its representative column."""
        return np.asarray(self.sizes * self.proportions[self.representatives])

    @property
    def block_shapes(self) -> tuple[tuple[int, int], ...]:
        """The shapes of the blocks."""
        if self.groups is None:
            return ((self.num_classes, self.proportions.size),)
        return ((self.sizes.size, self.sizes.size), *((1, 1) for _ in self._plural))

    @property
    def nuclear_weights(self) -> tuple[float, ...]:
        """What the nuclear norm of each block counts in the nuclear norm of X."""
        return (1.0, *(float(np.sqrt(self.sizes[a] - 1.0)) for a in self._plural))

    def columns(self, blocks: Blocks) -> FloatArray:
        """The representative columns of Z = X diag(1/sqrt pi) as an array (N, G), entries of all N classes."""
        if self.groups is None:
            return np.asarray(blocks[0] / np.sqrt(self.proportions))
        constant, excess = self._coefficients(blocks)
        columns = constant[self.groups]
        columns[self.representatives, np.arange(self.sizes.size)] += excess
        return np.asarray(columns)

    def blocks(self, columns: FloatArray) -> Blocks:
        """The blocks of the invariant X whose ``Z = X diag(1/sqrt pi)`` has these representative columns.

        The inverse of `columns`, and its adjoint when columns are weighted by `column_weights`.
        """
        if self.groups is None:
            return (np.asarray(columns * np.sqrt(self.proportions)),)
        own = columns[self.representatives, np.arange(self.sizes.size)]
        totals = np.zeros((self.sizes.size, self.sizes.size))
        np.add.at(totals, self.groups, columns)
        # Between unit indicator vectors an entry is the sum of the column over the group, scaled by sqrt(n_B/n_A).
        between = totals * np.sqrt(self.column_weights) / np.sqrt(self.sizes)[:, None]
        plural = self._plural
        others = (totals[plural, plural] - own[plural]) / np.maximum(self.sizes[plural] - 1.0, 1.0)
        root = np.sqrt((self.sizes[plural] - 1.0) * self.proportions[self.representatives[plural]])
        inner = (own[plural] - others) * root
        return (between, *(np.full((1, 1), value) for value in inner))

    def full(self, columns: FloatArray) -> FloatArray:
        """All K columns from the representative ones."""
        if self.groups is None:
            return columns
        whole = columns[:, self.groups]
        for a in self._plural:
            members = np.flatnonzero(self.groups == a)
            own, other = columns[members[0], a], columns[members[1], a]
            whole[np.ix_(members, members)] = other
            whole[members, members] = own
        return np.asarray(whole)

    def mean(self, columns: FloatArray) -> FloatArray:
        """``V pi`` (N,), the mean over all K columns, from representative ones."""
        weighted = columns @ self.column_weights
        if self.groups is None:
            return np.asarray(weighted)
        averages = np.bincount(self.groups, weights=weighted) / self.sizes
        return np.asarray(averages[self.groups])

    def singular_values(self, blocks: Blocks) -> FloatArray:
        """All singular values of X, in decreasing order."""
        values = [np.linalg.svd(blocks[0], compute_uv=False)]
        for a, block in zip(self._plural, blocks[1:], strict=True):
            count = int(self.sizes[a]) - 1
            values.append(np.full(count, abs(float(block[0, 0])) / np.sqrt(count)))
        return np.asarray(np.sort(np.concatenate(values))[::-1])

    @cached_property
    def _plural(self) -> NDArray[np.int64]:
        """The groups of several classes."""
        return np.flatnonzero(self.sizes > 1).astype(np.int64)

    def _coefficients(self, blocks: Blocks) -> tuple[FloatArray, FloatArray]:
        """The logits between groups (G, G), off the diagonal, and the excess of the own logit (G,)."""
        own_weight = self.proportions[self.representatives]
        excess = np.zeros(self.sizes.size)
        plural = self._plural
        inner = np.array([float(block[0, 0]) for block in blocks[1:]])
        excess[plural] = inner / np.sqrt((self.sizes[plural] - 1.0) * own_weight[plural])
        between = blocks[0] - np.diag(excess * np.sqrt(own_weight))
        scale = np.sqrt(self.column_weights) * np.sqrt(self.sizes)[:, None]
        return np.asarray(between / scale), excess


def reduction(problem: UFM, *, reduce: bool = True) -> Reduction:
    """The finest averaging of the classes of a problem that keeps its optimum.

    Parameters
    ----------
    problem : UFM
    reduce : bool, default True
        Whether to look for interchangeable classes at all.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=4, weight_decay=5e-3, feature_decay=5e-3,
    ...               class_weights=[0.4, 0.4, 0.1, 0.1])
    >>> reduction(ufm).sizes
    array([2, 2])
    """
    count = problem.num_groups
    proportions = problem.class_weights if problem.class_weights is not None else np.full(count, 1.0 / count)
    n = int(problem.num_classes)
    groups = _interchangeable(proportions, problem.label_distribution) if reduce and n == count else None
    if groups is not None and np.max(groups) + 1 == n:
        groups = None
    return Reduction(groups, proportions, n)


def _interchangeable(proportions: FloatArray, labels: FloatArray | None) -> NDArray[np.int64]:
    """The group of each class, numbered by first appearance."""
    if labels is None:
        _, first, inverse = np.unique(proportions, return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))
        return np.asarray(order[inverse], dtype=np.int64)
    n = proportions.size
    groups = np.full(n, -1, dtype=np.int64)
    # Sorting rows and columns is invariant under permutations: classes that differ there are never interchangeable.
    fingerprint = np.column_stack([proportions, np.diag(labels), np.sort(labels, axis=0).T, np.sort(labels, axis=1)])
    _, signature = np.unique(fingerprint, axis=0, return_inverse=True)
    found = 0
    for i in range(n):
        if groups[i] >= 0:
            continue
        groups[i] = found
        for j in np.flatnonzero((signature == signature[i]) & (groups < 0)):
            if _swap_keeps(labels, i, int(j)):
                groups[j] = found
        found += 1
    return groups


def _swap_keeps(labels: FloatArray, i: int, j: int) -> bool:
    """Whether exchanging classes i and j leaves the labels as they are (their proportions and diagonals agree)."""
    rest = np.ones(labels.shape[0], dtype=np.bool_)
    rest[[i, j]] = False
    same_rows = np.array_equal(labels[i, rest], labels[j, rest])
    same_columns = np.array_equal(labels[rest, i], labels[rest, j])
    return bool(same_rows and same_columns and labels[i, j] == labels[j, i] and labels[i, i] == labels[j, j])
