"""Thresholds in closed form, or by one monotone equation: collapse to zero, and the noise that is still memorised."""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import softmax

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import FloatArray, Real, fail, instance, scalar_or_array
from mdtheory.losses import CrossEntropy, Hinge, MeanSquaredError
from mdtheory.models.dilation.clean_force import log_scale_of_force
from mdtheory.models.dilation.points import Points, points_of
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.dilation.solving import response
from mdtheory.models.features import duality
from mdtheory.models.features.problem import UFM

_MOST_STEPS = 100
# Up to so many label groups every set of them is looked at.
_MOST_GROUPS = 14


def collapse_threshold(problem: UFM) -> Real:
    r"""The :math:`\mu = \sqrt{\lambda_W\lambda_H}` at and above which the classes collapse to zero.

    The decays of the problem themselves do not matter. *Symmetric problems*: where the margin is zero. The threshold is
    the loss's critical cost over the cost of a unit of margin at ``mu = 1``; cross-entropy collapses at
    ``(1-alpha)/(2 sqrt N)`` (free features) or ``(1-alpha) sqrt(N-1)/(2N)`` (nonnegative ones). For focal loss with many
    classes the margin jumps there. At the threshold itself the hinge loss has other minimisers besides zero.

    *Every other problem*: where all logits ``W H`` are zero, in any feature dimension. With V the gradients at the best
    constant logits and :math:`D = \mathrm{diag}\sqrt\pi` it is half of :math:`\|VD\|_{op}`, and for nonnegative features
    half of :math:`\max\{\|VDx\| : x \ge 0, \|x\| = 1\}`: the regulariser is 2 mu times the gauge of the matrices
    ``w x'`` of unit vectors, x nonnegative, whose dual norm that is.

    Parameters
    ----------
    problem : UFM

    Returns
    -------
    float or array
        Of the problem's shape, so with class weights one threshold per class, if it is symmetric; else one number. For
        the squared error without a bias and a symmetric problem it is the threshold of the margin; the mean of the
        features vanishes only at ``1/(2 sqrt N)``.

    Raises
    ------
    AssumptionError
        If a problem that is not symmetric has a loss without a unique gradient at the best constant logits, a bias with
        a loss other than cross-entropy and squared error, or nonnegative features and more than 14 groups whose
        gradients have angles of both kinds.

    References
    ----------
    `derivations/collapse_threshold.py`, `derivations/zero_collapse.py`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(smoothing=0.2), num_classes=4, weight_decay=1e-3, feature_decay=1e-3)
    >>> round(collapse_threshold(ufm), 12)
    0.2
    >>> labels = 0.7 * np.eye(4) + 0.075
    >>> noisy = mdt.UFM(mdt.CrossEntropy(), num_classes=4, weight_decay=1e-3, feature_decay=1e-3, label_distribution=labels)
    >>> round(collapse_threshold(noisy), 12)
    0.175
    """
    if not isinstance(problem, UFM):
        raise fail("problem", problem, "must be a UFM")
    if not problem.symmetric:
        return _threshold_of_all_logits(problem)
    cost = problem.margin_cost
    unit = 2.0 * np.sqrt(cost.numerator / (cost.denominator * cost.proportion))
    threshold = problem.profile_loss.critical_cost(problem.num_classes) / unit
    mu: Real = scalar_or_array(np.broadcast_to(threshold, problem.shape))
    return mu


def critical_noise(problem: MemorizationDilation) -> Real:
    r"""The noise level below which noisy examples are memorised, at and above which they are not.

    As in `MemorizationDilation`, noise is the ratio of mislabelled to correctly labelled mass:
    `mdtheory.conventions.flip_probability` gives the share of wrong labels.

    The noisy margin t falls with the noise. It vanishes where :math:`F'(r) = 4\nu\rho C/D^q` with
    :math:`\nu = -\kappa^2\varphi'(0)/(2s)`, the memorization :math:`\rho` that belongs to it and
    :math:`r = \eta\rho D^q/C`: one equation, monotone in r.

    Parameters
    ----------
    problem : MemorizationDilation
        Its own noise does not matter.

    Returns
    -------
    float or array
        Of the broadcast shape; ``inf`` where noisy examples are memorised at every noise level up to 1, as they are
        for cross-entropy without decay of noisy features if :math:`C \ge E|\zeta| D^q/(1-\alpha)`.

    Raises
    ------
    AssumptionError
        If the loss is not convex, or is the hinge: there the margin does not pass through zero continuously.

    References
    ----------
    `derivations/phase_signs.py`, `derivations/noise_and_slope.py` (theorem 2).

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=0.0)
    >>> critical = mdt.critical_noise(md)
    >>> at = mdt.MemorizationDilation(ufm, noise=critical, slope=0.2, noisy_feature_decay=0.0)
    >>> abs(mdt.solve(at).noisy_margin) < 1e-9
    True
    """
    instance("problem", problem, MemorizationDilation, "a MemorizationDilation")
    problem.check_two_classes()
    loss = problem.ufm.loss
    if not loss.is_convex or isinstance(loss, Hinge):
        raise fail("loss", loss, "must be convex with a continuous slope, so that the noisy margin passes through zero")
    points = points_of(problem)
    nu, rho = at_margin_zero(points)
    with np.errstate(under="ignore"):
        log_nu, log_full = np.log(nu), np.log(points.classes.weight_distance) + points.log_rate + np.log(rho)
    # At noise eta the margin vanishes where ``eta c^2 F'(r)/(4r) = nu`` with ``kap r = eta full``.
    at_full = np.log(points.stiffness(np.exp(np.clip(log_full, -700.0, 100.0)))[0])
    within = 2.0 * points.log_rate + at_full > log_nu
    noise = np.full(rho.shape, np.inf)
    if np.any(within):
        target = (log_nu - 2.0 * points.log_rate + log_full)[within]
        log_scale = log_scale_of_force(points.take(within), target)
        noise[within] = np.exp(np.minimum(log_scale - log_full[within], 0.0))
    return scalar_or_array(noise.reshape(problem.shape))


def _threshold_of_all_logits(problem: UFM) -> float:
    """Zero logits are optimal iff the gradients at the best constant logits are no larger than 2 mu."""
    scaled = _gradients_at_zero(problem) * np.sqrt(problem.proportions)
    if not problem.nonnegative:
        return 0.5 * float(np.linalg.norm(scaled, 2))
    return 0.5 * float(np.sqrt(max(_largest_on_cone(scaled.T @ scaled), 0.0)))


def _gradients_at_zero(problem: UFM) -> FloatArray:
    """V (N, K) at the best constant logits: zero without a bias."""
    loss, mean, n = problem.loss, duality.label_loss(problem), int(problem.num_classes)
    if isinstance(loss, (CrossEntropy, MeanSquaredError)):
        return mean.gradient(np.tile(_best_constant(problem)[:, None], problem.num_groups))
    if not loss.is_convex:
        raise fail("loss", loss, "must be convex in the logits unless the problem is symmetric")
    if n > 2 and loss.curvature(np.zeros(n), 0) is None:
        # One subgradient may forbid all directions of a wide model; narrow ones depend on which it is.
        raise fail("loss", loss, "has many gradients at zero logits for three classes or more: no exact answer")
    alike = problem.label_distribution is None and problem.class_weights is None and loss.shift_invariant
    if problem.bias and not alike:
        raise fail(
            "bias", True, f"must be False for {type(loss).__name__}: its best constant logits have no closed form"
        )
    return mean.gradient(np.zeros((n, problem.num_groups)))


def _best_constant(problem: UFM) -> FloatArray:
    """The b (N,) that minimises the loss of constant logits plus ``bias_decay ||b||^2``."""
    n, decay = int(problem.num_classes), problem.bias_decay
    if not problem.bias:
        return np.zeros(n)
    loss: Any = problem.loss
    centre = loss.target(problem.labels.T).T @ problem.proportions
    if isinstance(loss, MeanSquaredError):
        return np.asarray(centre / (1.0 + 2.0 * decay))
    if decay == 0:
        return np.asarray(np.log(centre))
    # softmax(b) + 2 decay b = centre: strongly convex, and Newton's method with halved steps ends at rounding level.
    b = np.zeros(n)
    for _ in range(_MOST_STEPS):
        p = softmax(b)
        slope = p - centre + 2.0 * decay * b
        step = np.linalg.solve(np.diag(p + 2.0 * decay) - np.outer(p, p), slope)
        size = np.linalg.norm(slope)
        while np.linalg.norm(softmax(b - step) - centre + 2.0 * decay * (b - step)) > size * (1.0 - 1e-4) + 1e-15:
            step *= 0.5
        b = b - step
        if size <= 1e-15:
            return np.asarray(b)
    raise SolverError(f"collapse threshold: the best constant logits did not converge in {_MOST_STEPS} steps")


def _largest_on_cone(gram: FloatArray) -> float:
    """``max x' G x`` over nonnegative unit vectors x, for a positive semidefinite G.

    Without angles above 90 degrees it is the largest eigenvalue (Perron), without angles below the largest entry of the
    diagonal; else the maximiser is the positive eigenvector of a principal minor, and all of them are looked at.
    """
    size = gram.shape[0]
    between = gram[~np.eye(size, dtype=np.bool_)]
    if np.all(between >= 0):
        return float(np.linalg.eigvalsh(gram)[-1])
    if np.all(between <= 0):
        return float(np.max(np.diagonal(gram)))
    if size > _MOST_GROUPS:
        raise fail("num_groups", size, f"must be at most {_MOST_GROUPS} for nonnegative features with these labels")
    best = float(np.max(np.diagonal(gram)))
    for count in range(2, size + 1):
        members = np.array(list(combinations(range(size), count)))
        _, vectors = np.linalg.eigh(gram[members[:, :, None], members[:, None, :]])
        x = np.abs(vectors[:, :, -1])  # of either sign; where signs are mixed this is a smaller value of the form
        inside = np.einsum("ij,ijk,ik->i", x, gram[members[:, :, None], members[:, None, :]], x)
        best = max(best, float(np.max(inside)))
    return best


def at_margin_zero(points: Points) -> tuple[FloatArray, FloatArray]:
    """The multiplier nu of the constraint at which the noisy margin is zero, and the memorization that belongs to it."""
    classes = points.classes
    nu = np.asarray(-0.5 * classes.weight_distance**2 * points.loss.profile_derivative(0.0) / classes.margin)
    if not points.loss.shift_invariant:
        return nu, response(points, nu).rho
    return nu, np.hypot(
        classes.margin / classes.weight_distance, points.decay / (points.decay + nu) * classes.centre_norm
    )
