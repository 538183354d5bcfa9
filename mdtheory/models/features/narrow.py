r"""The optimum of the squared error over features of a given dimension, from the singular values of its targets alone.

With targets T, ``A = T D`` (``T D (I - qq')``, ``q = sqrt pi``, under an unregularised bias) and X = Z D of rank at most
M, the von Neumann trace inequality leaves ``min sum_i (x_i - s_i)^2/2 + 2 mu x_i`` over at most M nonzero ``x_i >= 0``,
where s are the singular values of A: the M largest are shrunk by 2 mu, each saving ``(s_i - 2 mu)_+^2/2``.
"""

import numpy as np

from mdtheory.losses import MeanSquaredError
from mdtheory.models.features.problem import UFM

_EPS = float(np.finfo(np.float64).eps)


def narrow_bound(problem: UFM) -> float:
    """A lower bound on the optimum that knows `feature_dim`, for nonnegative features too; -inf where none is known."""
    loss = problem.loss
    if type(loss) is not MeanSquaredError or problem.bias_decay != 0 or problem.feature_dim is None:
        return -np.inf
    root = np.sqrt(problem.proportions)
    scaled = loss.target(problem.labels.T).T * root
    size = float(np.linalg.norm(scaled))
    if problem.bias:
        scaled = scaled - (scaled @ root)[:, None] * root
    values, cost = np.linalg.svd(scaled, compute_uv=False), 2.0 * float(problem.mu)
    shrunk = (np.arange(values.size) < problem.feature_dim) & (values > cost)
    # Singular values are accurate relative to the targets before their mean is taken out, and a sum relative to its terms.
    rounding = 4.0 * _EPS * (values.size + 10) * size
    slack = rounding * np.sum(np.minimum(values, cost) + rounding)
    return float(np.sum(np.where(shrunk, cost * (values - 0.5 * cost), 0.5 * values**2)) - slack)
