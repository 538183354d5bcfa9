"""The Hessian of cross-entropy in the classifier at the balanced simplex solution, entry by entry in balls."""

from dataclasses import dataclass
from functools import lru_cache

from flint import arb, ctx

from mdtheory.claims.library._matrices import largest_eigenvalue, smallest_eigenvalue, softmax
from mdtheory.numerics.ball_roots import root


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Margin, softmax probabilities of the own and of another class, extreme eigenvalues and condition number."""

    margin: arb
    own: arb
    other: arb
    smallest: arb
    largest: arb

    @property
    def condition(self) -> arb:
        """The largest eigenvalue over the smallest."""
        return self.largest / self.smallest


def spectrum(num_classes: int, weight_decay: float, feature_decay: float, smoothing: float) -> Spectrum:
    """At the optimum with free features of dimension N."""
    return _spectrum(num_classes, weight_decay, feature_decay, smoothing, ctx.prec)


@lru_cache(maxsize=5000)
def _spectrum(n: int, weight_decay: float, feature_decay: float, smoothing: float, bits: int) -> Spectrum:
    """The margin is the root of the slope of the profile; the columns of H are multiples of ``e_k - 1/N``."""
    lw, lh, alpha = arb(weight_decay), arb(feature_decay), arb(smoothing)
    cost = 2 * (n - 1) * (lw * lh / n).sqrt()
    a = root(lambda s: 1 / (1 + (n - 1) * (-s).exp()) - 1 + (n - 1) * alpha / n + cost, arb(0), arb(100))
    scale = (n * lw / lh).sqrt().sqrt() * a.sqrt()
    means = [[scale * (arb(int(i == k)) - arb(1) / n) for i in range(n)] for k in range(n)]
    rows = [[2 * lw if i == j else arb(0) for j in range(n * n)] for i in range(n * n)]
    for k, h in enumerate(means):
        s = softmax([a if i == k else arb(0) for i in range(n)])
        for i in range(n):
            for j in range(n):
                weight = ((s[i] if i == j else 0) - s[i] * s[j]) / n
                for u in range(n):
                    for v in range(n):
                        rows[i * n + u][j * n + v] += weight * h[u] * h[v]
    own, other = (1 / (1 + (n - 1) * (-a).exp()), 1 / (a.exp() + n - 1))
    return Spectrum(a, own, other, smallest_eigenvalue(rows), largest_eigenvalue(rows))
