"""The r-Lambert function: the root x of x e^x + r x = y, for y >= 0 and r >= 0.

`lambert_r` takes y and r, `lambert_r_log` their logarithms, and `lambert_r_derivative` is the slope in y. All three
broadcast like NumPy ufuncs and compute in float64, element by element: an array gives what its elements give one at a
time.
"""

from collections.abc import Callable
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import common_shape, fail

_Array: TypeAlias = npt.NDArray[np.float64]
_Kernel: TypeAlias = Callable[[_Array, _Array], _Array]


@overload
def lambert_r(y: float, r: float) -> float: ...
@overload
def lambert_r(y: npt.ArrayLike, r: npt.ArrayLike) -> _Array | float: ...
def lambert_r(y: npt.ArrayLike, r: npt.ArrayLike) -> _Array | float:
    r"""The r-Lambert function :math:`W_r(y)` on its nonnegative branch.

    The unique :math:`x \ge 0` with

    .. math:: x e^x + r x = y, \qquad y \ge 0,\ r \ge 0,

    increasing in y and decreasing in r; :math:`W_0` is the principal branch of the Lambert W function. The limits are
    :math:`x \sim y / (1 + r)` as :math:`y / (1 + r) \to 0`, :math:`x \sim W_0(y)` for :math:`r \ll e^x` and
    :math:`x \sim y / r` for :math:`r \gg e^x`.

    Parameters
    ----------
    y : array_like
        Right-hand side, finite and >= 0.
    r : array_like
        Coefficient of the linear term, finite and >= 0. Broadcast against `y`.

    Returns
    -------
    float or ndarray
        The root, of the broadcast shape; a float if both arguments are scalars. The relative error is at most 2e-15
        (4e-16 is the largest seen); a subnormal root, which no longer has that many digits, is within one spacing, and
        only a root smaller than every subnormal becomes 0.

    Raises
    ------
    AssumptionError
        If `y` or `r` is negative, infinite or NaN. An infinite argument is refused, although W_r(inf) = inf would be
        its limit, because it is nearly always an overflow: use `lambert_r_log`.
    SolverError
        If the iteration stops short of the root. No arguments are known that do this.

    See Also
    --------
    lambert_r_log : the same root when y or r overflows.
    lambert_r_derivative : its slope in y.

    Notes
    -----
    The real inverses of :math:`f(x) = x e^x + r x` on the whole line are as follows [1]_. The slope
    :math:`f'(x) = (1 + x) e^x + r` has its minimum :math:`r - e^{-2}` at x = -2.

    - :math:`r > e^{-2}`: f increases; one branch, on all of R.
    - :math:`r = e^{-2}`: f increases, with f'(-2) = 0; one branch, with a vertical tangent at y = -4/e².
    - :math:`0 < r < e^{-2}`: f' vanishes at :math:`a = W_{-1}(-re) - 1 < -2 < b = W_0(-re) - 1 < -1`, and there are
      three branches: :math:`W_{r,-2}` with values :math:`x \le a`, for :math:`y \le f(a)`; :math:`W_{r,-1}` with values
      in [a, b], for :math:`f(b) \le y \le f(a)`; and :math:`W_{r,0}` with values :math:`x \ge b`, for
      :math:`y \ge f(b)`.
    - :math:`r = 0`: the two branches :math:`W_{-1}` and :math:`W_0` of the Lambert W function.

    Since f(x) < 0 for every x < 0, the branches differ at negative y only. On y >= 0 there is a single real root for
    every r >= 0, the one returned here, and nothing changes at :math:`r = e^{-2}`.

    References
    ----------
    .. [1] I. Mező and Á. Baricz, "On the generalization of the Lambert W function", Transactions of the American
       Mathematical Society 369 (2017), 7917-7934.

    Examples
    --------
    >>> from mdtheory.special import lambert_r
    >>> round(lambert_r(1.0, 0.0), 15)  # the omega constant
    0.567143290409784
    >>> import numpy as np
    >>> x = lambert_r(np.array([0.0, 1.0, 1e300]), 2.0)
    >>> bool(np.allclose(x * np.exp(x) + 2.0 * x, [0.0, 1.0, 1e300], rtol=1e-12, atol=0.0))
    True
    """
    return _map(_root, _nonnegative("y", y), _nonnegative("r", r))


@overload
def lambert_r_log(log_y: float, log_r: float) -> float: ...
@overload
def lambert_r_log(log_y: npt.ArrayLike, log_r: npt.ArrayLike) -> _Array | float: ...
def lambert_r_log(log_y: npt.ArrayLike, log_r: npt.ArrayLike) -> _Array | float:
    r"""The r-Lambert function of the logarithms of its arguments.

    The unique :math:`x \ge 0` with

    .. math:: x e^x + e^{\log r} x = e^{\log y},

    without forming y or r, either of which may overflow or underflow. In logarithms it reads
    :math:`\log x + \log(e^x + r) = \log y`.

    Parameters
    ----------
    log_y : array_like
        Logarithm of the right-hand side: any float below +inf; -inf stands for y = 0.
    log_r : array_like
        Logarithm of the coefficient: any float below +inf; -inf stands for r = 0. Broadcast against `log_y`.

    Returns
    -------
    float or ndarray
        The root for exactly these logarithms, of the broadcast shape; a float if both arguments are scalars. The
        relative error is at most 2e-15; a subnormal root is within two spacings, and only a root smaller than every
        subnormal becomes 0.

    Raises
    ------
    AssumptionError
        If an argument is +inf or NaN.
    SolverError
        If the iteration stops short of the root. No arguments are known that do this.

    See Also
    --------
    lambert_r : the same function of y and r, and the source.

    Examples
    --------
    >>> from mdtheory.special import lambert_r_log
    >>> x = lambert_r_log(5000.0, 4000.0)
    >>> round(x, 6)
    4991.484511
    >>> import math
    >>> abs(math.log(x) + x + math.log1p(math.exp(4000.0 - x)) - 5000.0) < 1e-11
    True
    """
    return _map(_root_of_logs, _below_infinity("log_y", log_y), _below_infinity("log_r", log_r))


@overload
def lambert_r_derivative(y: float, r: float) -> float: ...
@overload
def lambert_r_derivative(y: npt.ArrayLike, r: npt.ArrayLike) -> _Array | float: ...
def lambert_r_derivative(y: npt.ArrayLike, r: npt.ArrayLike) -> _Array | float:
    r"""The derivative of the r-Lambert function in y.

    .. math:: \frac{dx}{dy} = \frac{1}{e^x (1 + x) + r} \quad\text{at}\quad x = W_r(y),

    positive and decreasing in y, from :math:`1 / (1 + r)` at y = 0. The derivative in r is
    :math:`-x` times this.

    Parameters
    ----------
    y, r : array_like
        As in `lambert_r`.

    Returns
    -------
    float or ndarray
        The derivative, of the broadcast shape; a float if both arguments are scalars. The relative error is at most
        2e-15 max(1, x / 4); the derivative itself changes by up to x / 4 times the relative change of y.

    Raises
    ------
    AssumptionError, SolverError
        As in `lambert_r`, which is also the source.

    Examples
    --------
    >>> from mdtheory.special import lambert_r_derivative
    >>> lambert_r_derivative(0.0, 3.0)
    0.25
    """
    return _map(_slope, _nonnegative("y", y), _nonnegative("r", r))


# Elements per chunk: a dozen float64 temporaries of this length stay in the second-level cache.
_CHUNK = 16384

# Below this root e^x rounds to 1 and the first-order limit y / (1 + r) is exact to rounding.
_SMALL = 2.0**-54

# The transition between x = W_0(y) and x = y / r is about 40 wide (log x), so that above this root the smaller of the
# two is exact to rounding.
_HUGE = 2.0**55

# Halley steps. The last one is also the error estimate: convergence is cubic, so a last step below _LAST_STEP leaves
# an error below rounding.
_STEPS = 3
_LAST_STEP = 1e-5


def _nonnegative(name: str, value: npt.ArrayLike) -> _Array:
    return _checked(name, value, 0.0, "must be >= 0 and finite")


def _below_infinity(name: str, value: npt.ArrayLike) -> _Array:
    return _checked(name, value, -np.inf, "must lie in [-inf, inf)")


def _checked(name: str, value: npt.ArrayLike, low: float, domain: str) -> _Array:
    try:
        array = np.asarray(value)
        # NumPy would parse strings, and drop an imaginary part with no more than a warning.
        if array.dtype.kind not in "biufO" or np.ma.is_masked(value):
            raise TypeError
        array = array.astype(np.float64, copy=False)
    except Exception:  # whatever an array-like of someone else's raises
        raise fail(name, value, domain) from None
    holds = (array >= low) & (array < np.inf)
    if not np.all(holds):
        raise fail(name, float(array[~holds].flat[0]), domain)
    return array


def _map(kernel: _Kernel, a: _Array, b: _Array) -> _Array | float:
    """Apply a kernel on contiguous one-dimensional arrays to the broadcast of `a` and `b`, chunk by chunk."""
    common_shape(y=a, r=b)
    a, b = np.broadcast_arrays(a, b)
    shape, a, b = a.shape, a.ravel(), b.ravel()
    result = np.empty(a.size)
    # Overflow and underflow to the right limits are part of the formulas below, as is log(0) = -inf.
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        for start in range(0, a.size, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            result[chunk] = kernel(a[chunk], b[chunk])
    return result.reshape(shape) if shape else float(result[0])


def _root(y: _Array, r: _Array) -> _Array:
    x = y / (1.0 + r)
    todo = np.flatnonzero(x > _SMALL)
    y, r = y[todo], r[todo]
    x[todo] = _polish(_first_guess(np.log(y), np.log(r), x[todo]), y, r)
    return x


def _polish(x: _Array, y: _Array, r: _Array) -> _Array:
    """Halley's iteration on (x e^x + r x) / y - 1, which is convex in x."""
    step = x
    for _ in range(_STEPS):
        # Everything is over y: x e^x itself may overflow at an iterate above the root.
        exp_x = np.exp(x)
        product = (exp_x + r) / y
        exp_x /= y
        slope = product + x * exp_x
        newton = (x * product - 1.0) / slope
        step = newton / (1.0 - 0.5 * newton * (2.0 + x) * exp_x / slope)
        x = x - step
    _require_converged(step, x, y=y, r=r)
    return x


def _root_of_logs(log_y: _Array, log_r: _Array) -> _Array:
    # Divide the equation by e^m, m = max(log r, 0): x (e^(x - m) + c) = e^(log y - m) with c = min(r, 1). The
    # difference is kept exactly, as high + low, because its exponential turns absolute errors into relative ones.
    m = np.maximum(log_r, 0.0)
    high, low = _two_difference(log_y, m)
    target = np.exp(high) * (1.0 + low)
    x = target / (1.0 + np.exp(-np.abs(log_r)))
    todo = np.flatnonzero(x > _SMALL)
    guess = _first_guess(log_y[todo], log_r[todo], x[todo])
    x[todo] = guess
    todo = todo[guess < _HUGE]
    x[todo] = _polish_logs(x[todo], log_y[todo], log_r[todo], m[todo], target[todo])
    return x


def _two_difference(a: _Array, b: _Array) -> tuple[_Array, _Array]:
    """a - b as an unevaluated sum, exact while it matters: `low` is 0 where exp(high) is 0 or infinite anyway."""
    high = a - b
    near = np.abs(high) < 1024.0
    a, b, difference = np.where(near, a, 0.0), np.where(near, b, 0.0), np.where(near, high, 0.0)
    part = difference - a
    return high, (a - (difference - part)) - (b + part)


def _polish_logs(x: _Array, log_y: _Array, log_r: _Array, m: _Array, target: _Array) -> _Array:
    """Halley's iteration on log x + log(e^x + r) - log y.

    If x <= m + 1, log y can be as low as -37, and its rounding is worth several units in the last place of x: the last
    residual is formed without it, from the equation over e^m. If x > m + 1, x has the size of log y and is as good.
    """
    step = x
    for k in range(_STEPS):
        decay = np.exp(-np.abs(x - log_r))
        share = np.where(x > log_r, 1.0, decay) / (1.0 + decay)  # e^x / (e^x + r)
        residual = np.log(x) + (np.maximum(x, log_r) - log_y) + np.log1p(decay)
        if k == _STEPS - 1:
            plain = x * (np.exp(np.minimum(x - m, 1.0)) + np.exp(np.minimum(log_r, 0.0))) / target - 1.0
            residual = np.where(x <= m + 1.0, np.log1p(plain), residual)
        slope = 1.0 + x * share
        newton = residual / slope
        step = x * (newton / (1.0 - 0.5 * newton * (x * (x * share * (1.0 - share)) - 1.0) / slope))
        x = x - step
    _require_converged(step, x, log_y=log_y, log_r=log_r)
    return x


def _first_guess(log_y: _Array, log_r: _Array, linear: _Array) -> _Array:
    """The root to within about 0.1 in log x + log(e^x + r).

    Both W_0(y) and `linear` = y / (1 + r) are upper bounds, and the smaller is good unless they are close. Then
    z = y / r - x solves z e^z = x e^(y / r) / r exactly, and is insensitive to the x on the right.
    """
    lambert = _omega_guess(log_y)
    x = np.minimum(lambert, linear)
    i = np.flatnonzero((linear < 2.0 * lambert) & (lambert < 2.0 * linear) & (x > 2.0) & (x < _HUGE))
    if i.size:
        x[i] = linear[i] - _omega_guess(linear[i] - log_r[i] + np.log(x[i]))
    return x


def _omega_guess(t: _Array) -> _Array:
    """W_0(e^t) within 2 percent, after R. Iacono and J. P. Boyd, Adv. Comput. Math. 43 (2017), 1403-1436."""
    log1p_exp: _Array = np.maximum(t, 0.0) + np.log1p(np.exp(-np.abs(t)))
    correction: _Array = np.log1p(log1p_exp) / (2.0 + log1p_exp)
    return log1p_exp * (1.0 - correction)


def _require_converged(step: _Array, x: _Array, **arguments: _Array) -> None:
    # Written so that NaN fails; the second term is rounding, which the last step cannot go below.
    failed = np.flatnonzero(~(np.abs(step) <= _LAST_STEP * np.minimum(x, 1.0) + 1e-14 * x))
    if failed.size:
        where = ", ".join(f"{name} = {float(value[failed[0]])!r}" for name, value in arguments.items())
        raise SolverError(f"the r-Lambert iteration did not converge at {where}")


def _slope(y: _Array, r: _Array) -> _Array:
    x = _root(y, r)
    exp_x = np.exp(x)
    share = exp_x / (exp_x + r)
    slope: _Array = 1.0 / ((exp_x + r) * (1.0 + x * share))
    # e^x carries x times the rounding of x. Where x e^x is not small beside y, y - r x has less.
    i = np.flatnonzero(x * share > 1.0)
    x, y, r = x[i], y[i], r[i]
    slope[i] = (x / y) / (1.0 + x * (1.0 - r * (x / y)))
    return slope
