r"""Objective and lower bound of a symmetric features model, recomputed from its margin alone; no solver is imported here.

Every bound is weak duality: it holds for any answer, however wrong, and meets the objective at the optimum.
Bounds are computed in double precision, so a gap of a few rounding errors of the objective may have either sign.
"""

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.models.features.problem import UFM


def ufm_lower_bound(problem: UFM, margin: FloatArray) -> FloatArray:
    r"""Lower bound on the UFM objective from the dual point :math:`V = \theta\nabla\ell` at the given margins.

    The dual variable of class n is ``v_n = -tau_n N/(N-1) (e_n - 1/N)`` with ``tau_n = min(|f'(s_n)|, kappa_n)``:
    its operator norm (free features), or that of the diagonal of its Gram matrix (nonnegative features, whose dual
    cone forgives negative off-diagonal entries), is at most ``2 mu``. Then ``-sum pi_n l*(v_n) = -sum pi_n f*(-tau_n)``
    bounds the convex problem in the logits from below, and with it the one in W and H. For focal loss a convex
    minorant stands for f. A loss that is not convex but proves its own minima (`Loss.least`) is bounded by those: see
    `derivations/nonconvex_margins.py`.

    Parameters
    ----------
    problem : UFM
    margin : array
        Margins of the answer, of the shape of the problem.

    Returns
    -------
    array
        The bound, summed over classes where there are class weights.
    """
    loss, n = problem.profile_loss, problem.num_classes
    if not loss.coherent:
        return _weighted_sum(problem, np.full(problem.shape, -np.inf))
    if not loss.is_convex and (proved := _least_bound(problem)) is not None:
        return proved
    tau = ufm_dual_slope(problem, margin)
    bound = -loss.profile_conjugate(-tau, n)
    if problem.pays_for_mean:
        bound = bound + _mean_part(problem)[1]
    return _weighted_sum(problem, bound)


def ufm_dual_slope(problem: UFM, margin: FloatArray) -> FloatArray:
    """The ``tau_n`` of :func:`ufm_lower_bound`, of the shape of the problem."""
    loss, n = problem.profile_loss, problem.num_classes
    tau, kappa = np.abs(loss.profile_derivative(margin, n)), np.asarray(problem.kappa)
    # A slope close to kappa is meant to be kappa; every tau up to kappa gives a bound.
    tau = np.minimum(np.where(np.abs(tau - kappa) <= 1e-14 + 1e-5 * kappa, kappa, tau), kappa)
    tau = np.minimum(tau, loss.steepest_dual)
    if not loss.smooth_slope:
        # A kink hides the subgradient; at a positive margin optimality makes it -kappa, at zero any up to 1 is one.
        tau = np.minimum(np.where(np.asarray(margin) > 0, problem.kappa, tau), loss.critical_cost(n))
    return np.asarray(np.broadcast_to(tau, problem.shape))


def ufm_dual_mean(problem: UFM) -> FloatArray:
    """The dual variable of the mean logit, where it costs: V has the part ``ufm_dual_mean(problem) J/N``."""
    n, mu = np.asarray(problem.num_classes, dtype=np.float64), np.asarray(problem.mu)
    return np.asarray(-np.minimum(2.0 * np.sqrt(n) * mu, 1.0))


def ufm_objective(problem: UFM, margin: FloatArray) -> FloatArray:
    """The UFM objective ``sum pi_n (f(s_n) + kappa_n s_n)`` at given margins, with the balanced factors W and H."""
    value = problem.profile_loss.profile(margin, problem.num_classes) + np.asarray(problem.kappa) * np.abs(margin)
    if problem.pays_for_mean:
        value = value + _mean_part(problem)[0]
    return _weighted_sum(problem, value)


def _least_bound(problem: UFM) -> FloatArray | None:
    r"""The bound of a two-class loss that is not convex, from proved minima of ``phi(t) + kappa |t|`` over all real t.

    With a bias only ``|t_1 + t_2|`` costs, so that ``phi(t) + kappa t`` or ``phi(t) - kappa t`` takes its place. Nonnegative features without a
    bias may share one half of the weights, with margins of opposite signs; then the cost of a unit of margin is at
    least :math:`\sqrt2\mu`, and the better of both bounds counts.
    """
    loss = problem.loss
    if loss.least(None, 0.0) is None:
        return None
    weights = np.full(2, 0.5) if problem.class_weights is None else problem.class_weights
    shape = problem.shape if problem.class_weights is None else problem.shape[:-1]
    kappa = np.asarray(problem.kappa)
    kappa = kappa[..., None] if problem.class_weights is None else kappa
    rows = zip(
        np.broadcast_to(kappa, (*shape, 2)).reshape(-1, 2),
        np.broadcast_to(problem.mu, shape).ravel(),
        np.broadcast_to(weights, (*shape, 2)).reshape(-1, 2),
        strict=True,
    )
    known: dict[tuple[float, ...], float] = {}

    def least(right: float | None, left: float | None) -> float:
        found = loss.least(right, left)
        return -np.inf if found is None else found.bound

    def bound(cost: FloatArray, mu: float, share: FloatArray) -> float:
        if problem.bias:
            return max(float(np.sum(share * [least(k, k) for k in sign * cost])) for sign in (1.0, -1.0))
        alike = float(np.sum(share * [least(k, -k) for k in cost]))
        if not problem.nonnegative:
            return alike
        shared = np.sqrt(2.0) * mu
        up, down = least(shared, None), least(None, -shared)
        return min(alike, float(share @ [up, down]), float(share @ [down, up]))

    values = []
    for cost, mu, share in rows:
        key = (*cost.tolist(), float(mu), *share.tolist())
        if key not in known:
            known[key] = bound(cost, float(mu), share)
        values.append(known[key])
    return np.array(values).reshape(shape)


def _mean_part(problem: UFM) -> tuple[FloatArray, FloatArray]:
    """Primal and dual value of ``min_B (B-1)^2/(2N) + 2 mu B/sqrt N``, the mean logit of the squared error."""
    n, mu = np.asarray(problem.num_classes, dtype=np.float64), np.asarray(problem.mu)
    gain, dual = np.maximum(1.0 - 2.0 * np.sqrt(n) * mu, 0.0), ufm_dual_mean(problem)
    # dual = gain - 1; in this form neither side cancels where the decays are small.
    return 0.5 * dual**2 / n + 2.0 * mu * gain / np.sqrt(n), -dual * (0.5 * dual + 1.0) / n


def _weighted_sum(problem: UFM, per_class: FloatArray) -> FloatArray:
    if problem.class_weights is None:
        return np.asarray(np.broadcast_to(per_class, problem.shape))
    return np.asarray(np.sum(problem.class_weights * per_class, axis=-1))
