"""Matrices that commute with every permutation, with the number of classes N as a symbol.

Every such N x N matrix is ``x P + y E`` with P = I - J/N and E = J/N. Since J J = N J, the two are complementary
orthogonal projectors, so products are taken coefficient by coefficient, the trace is (N-1) x + y and the eigenvalues
are x (N-1 times, on the vectors with zero sum) and y (once, on the all-ones vector). Statements about all N at once
become statements about two rational functions of the symbol N.
"""

from dataclasses import dataclass

import sympy as sp
from _check import identity

n = sp.Symbol("n", positive=True)
"""N - 1. Its positivity is the only thing the proofs use about N."""

N = n + 1


@dataclass(frozen=True)
class Invariant:
    """The matrix ``deviation * P + mean * E``."""

    deviation: sp.Expr
    mean: sp.Expr = sp.S.Zero

    @classmethod
    def from_entries(cls, own, other) -> "Invariant":
        """The matrix with ``own`` on its diagonal and ``other`` everywhere else."""
        return cls(sp.sympify(own) - other, sp.sympify(own) + (N - 1) * other)

    @property
    def diagonal(self):
        return ((N - 1) * self.deviation + self.mean) / N

    @property
    def off_diagonal(self):
        return (self.mean - self.deviation) / N

    @property
    def trace(self):
        return (N - 1) * self.deviation + self.mean

    @property
    def squared_norm(self):
        return (self @ self).trace

    def __add__(self, other: "Invariant") -> "Invariant":
        return Invariant(self.deviation + other.deviation, self.mean + other.mean)

    def __sub__(self, other: "Invariant") -> "Invariant":
        return self + (-1) * other

    def __rmul__(self, scalar) -> "Invariant":
        return Invariant(scalar * self.deviation, scalar * self.mean)

    def __matmul__(self, other: "Invariant") -> "Invariant":
        return Invariant(self.deviation * other.deviation, self.mean * other.mean)

    def matrix(self, size: int) -> sp.Matrix:
        """The matrix itself, for a definite number of classes."""
        mean = sp.ones(size, size) / size
        return ((sp.eye(size) - mean) * self.deviation + mean * self.mean).subs(n, size - 1)


P = Invariant(sp.Integer(1), sp.Integer(0))
E = Invariant(sp.Integer(0), sp.Integer(1))
IDENTITY = P + E
ONES = N * E


def check_algebra() -> None:
    """Compare the rules of the algebra with explicit matrices."""
    a, b, c, d = sp.symbols("a b c d")
    left, right = Invariant(a, b), Invariant(c, d)
    for size in (2, 3, 5):
        product, explicit = left.matrix(size) * right.matrix(size), (left @ right).matrix(size)
        identity(f"the two-coefficient algebra multiplies like matrices, N = {size}", product, explicit)
        entries = sp.Matrix([left.matrix(size).trace(), left.matrix(size)[0, 0], left.matrix(size)[0, 1]])
        rules = sp.Matrix([left.trace, left.diagonal, left.off_diagonal]).subs(n, size - 1)
        identity(f"trace and entries agree, N = {size}", entries, rules)
