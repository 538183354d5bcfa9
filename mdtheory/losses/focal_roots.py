r"""The scalar equations of focal loss, as functions of the log-odds u of the own class.

The negative slope of the profile is :math:`G(p) = (1-p)^\gamma (1 - p - \gamma p\log p)` with ``p = sigma(u)``; focal
loss is :math:`\Psi(x) = x(1-e^{-x})^\gamma` of the cross-entropy ``x = -log p``.
"""

from typing import Any

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.numerics.bracketing import bisect


def log_probabilities(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``log p`` and ``log(1-p)``."""
    return -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u)


def log_slope(u: FloatArray, gamma: FloatArray) -> FloatArray:
    """``log G``, with full relative accuracy of G for p near one."""
    log_p, log_q = log_probabilities(u)
    # 1 - p - gamma p log p = q (1 + gamma p (-log p)/q), and (-log p)/q -> 1.
    ratio = np.exp(log_p + np.log(-log_p, where=log_p < 0, out=np.full_like(log_p, -np.inf)) - log_q)
    ratio = np.where(log_p < 0, ratio, 1.0)
    return np.asarray((1.0 + gamma) * log_q + np.log1p(gamma * ratio))


def peak_log_odds(gamma: FloatArray) -> FloatArray:
    """The log-odds at which G is largest, where the profile turns from concave to convex; -inf for gamma = 0."""
    positive = np.where(gamma > 0, np.maximum(gamma, 1e-150), 1.0)

    def rising(log_p: FloatArray) -> FloatArray:
        """``-(1-p)^(1-gamma) G'(p)``, which rises from negative to positive."""
        return np.asarray(1.0 + 2.0 * positive + positive * log_p - positive**2 * log_p / _expm1(-log_p))

    log_p = bisect(rising, -((1.0 + positive) ** 2) / positive, np.full(positive.shape, -1e-12))
    return np.asarray(np.where(gamma > 0, log_p - np.log(-np.expm1(log_p)), -np.inf))


def log_odds_at_slope(target: FloatArray, gamma: FloatArray) -> FloatArray:
    """The log-odds beyond the peak of G at which G equals `target`: the peak if it is out of reach, inf at 0."""
    log_target = np.log(np.where(target > 0, target, 0.5))
    low = np.maximum(peak_log_odds(gamma), -700.0)
    high = np.maximum(-log_target, 0.0) + np.log1p(gamma) + 2.0
    u = bisect(lambda u: log_target - log_slope(u, gamma), low, high)
    return np.asarray(np.where(target > 0, u, np.inf))


def psi(x: FloatArray, gamma: FloatArray) -> FloatArray:
    """Focal loss as a function of the cross-entropy."""
    return np.asarray(x * (-np.expm1(-x)) ** gamma)


def psi_slope(x: FloatArray, gamma: FloatArray) -> FloatArray:
    """``Psi'(x)`` for x > 0."""
    q = -np.expm1(-x)
    return np.asarray(q**gamma * (1.0 + gamma * x * np.exp(-x) / q))


def tangent_limit(gamma: FloatArray) -> FloatArray:
    """The first x with ``Psi'(x) = 1``: a tangent of Psi left of it lies below Psi. Inf for gamma = 0."""
    positive = np.where(gamma > 0, gamma, 1.0)
    # Psi' rises from 0 to above 1 before it returns to 1: it exceeds 1 by x = 2 + log(1 + gamma).
    x = bisect(lambda x: psi_slope(x, positive) - 1.0, np.full(positive.shape, 1e-9), 2.0 + np.log1p(positive))
    return np.asarray(np.where(gamma > 0, x, np.inf))


def exact_margin(gamma: float, classes: float, kappa: Any) -> float:
    """The global minimiser s >= 0 of ``f(s) + kappa s`` in the working precision of mpmath."""
    from mpmath import mp

    rest, concave_until = mp.mpf(int(classes) - 1), float(peak_log_odds(np.asarray(gamma)))
    start = mp.mpf(concave_until) + mp.log(rest) if concave_until > -100.0 else mp.zero
    exponent = mp.mpf(gamma)

    def excess(s: Any) -> Any:
        p, q = _exact_probabilities(rest, s)
        return kappa - q**exponent * (q - exponent * p * mp.log(p))

    def objective(s: Any) -> Any:
        p, q = _exact_probabilities(rest, s)
        return kappa * s - q**exponent * mp.log(p)

    low = max(start, mp.zero)
    f_low = excess(low)
    if f_low >= 0:
        return 0.0
    high = low + 1
    while (f_high := excess(high)) < 0:
        high = 2 * high
    for step in range(400):
        secant = high - f_high * (high - low) / (f_high - f_low)
        point = secant if step % 3 != 2 and low < secant < high else (low + high) / 2
        value = excess(point)
        if value < 0:
            low, f_low, f_high = point, value, f_high / 2
        else:
            high, f_high, f_low = point, value, f_low / 2
        if value == 0 or high - low <= high * mp.mpf(10) ** -20:
            break
    # Where the profile starts concave the other candidate is s = 0; where both are optimal, 0 is returned.
    return float(high) if start <= 0 or objective(high) < objective(mp.zero) else 0.0


def _exact_probabilities(rest: Any, s: Any) -> tuple[Any, Any]:
    from mpmath import mp

    odds = mp.exp(s) / rest
    return odds / (1 + odds), 1 / (1 + odds)


def _expm1(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(np.expm1(x))
