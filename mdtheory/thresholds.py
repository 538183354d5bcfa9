"""Where the minimiser of an unconstrained features model collapses to zero."""

import numpy as np

from mdtheory.problems import UFM
from mdtheory.validation import Real, scalar_or_array


def collapse_threshold(problem: UFM) -> Real:
    r"""The :math:`\mu = \sqrt{\lambda_W\lambda_H}` at and above which the margin is zero.

    The decays of the problem themselves do not matter. The threshold is the loss's critical cost over the cost of
    a unit of margin at ``mu = 1``; cross-entropy collapses at ``(1-alpha)/(2 sqrt N)`` (free features) or
    ``(1-alpha) sqrt(N-1)/(2N)`` (nonnegative ones). For focal loss with many classes the margin jumps there.
    At the threshold itself the hinge loss has other minimisers besides zero.

    Parameters
    ----------
    problem : UFM

    Returns
    -------
    float or array
        Of the problem's shape, so with class weights one threshold per class. For the squared error without a bias it
        is the threshold of the margin; the mean of the features vanishes only at ``1/(2 sqrt N)``.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(smoothing=0.2), num_classes=4, weight_decay=1e-3, feature_decay=1e-3)
    >>> round(collapse_threshold(ufm), 12)
    0.2
    """
    cost = problem.margin_cost
    unit = 2.0 * np.sqrt(cost.numerator / (cost.denominator * cost.proportion))
    threshold = problem.profile_loss.critical_cost(problem.num_classes) / unit
    mu: Real = scalar_or_array(np.broadcast_to(threshold, problem.shape))
    return mu
