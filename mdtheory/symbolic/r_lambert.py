"""The r-Lambert function for sympy."""

from typing import Any

import mpmath
import sympy as sp

from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import fail

_GUARD_BITS = 15
_MAX_STEPS = 1000


class LambertR(sp.Function):  # type: ignore[misc]  # sympy has no types
    r"""The r-Lambert function :math:`W_r(y)`: the unique :math:`x \ge 0` with :math:`x e^x + r x = y`, y, r >= 0.

    It simplifies to 0 at y = 0 and to the Lambert W function at r = 0. Its derivatives are

    .. math:: \partial_y W_r(y) = \frac{1}{(1+x)e^x + r}, \qquad \partial_r W_r(y) = \frac{-x}{(1+x)e^x + r}.

    Parameters
    ----------
    y, r : sympy expression
        Nonnegative right-hand side and coefficient.

    Raises
    ------
    AssumptionError
        If y or r is known to be negative.
    SolverError
        If the numerical evaluation stops short of the root. No arguments are known that do this.

    See Also
    --------
    mdtheory.special.lambert_r : the same function of float64 arrays; for ``lambdify`` pass
        ``modules=[{"LambertR": lambert_r}, "numpy"]``.

    Examples
    --------
    >>> import sympy as sp
    >>> from mdtheory.symbolic import LambertR
    >>> LambertR(1, 2).evalf(30)
    0.298678936832200445706765382046
    >>> y, r = sp.symbols("y r", positive=True)
    >>> LambertR(y, 0), LambertR(y, r).is_positive
    (LambertW(y), True)
    >>> print(sp.latex(LambertR(y, r)))
    W_{r}\left(y\right)
    """

    nargs = 2

    @classmethod
    def eval(cls, y: Any, r: Any) -> Any:
        """The value where it is simpler than the function; None otherwise."""
        for name, value in (("y", y), ("r", r)):
            if value.is_negative:
                raise fail(name, value, "must be nonnegative")
        if y.is_zero:
            return sp.S.Zero
        if r.is_zero:
            return sp.LambertW(y)
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        """The derivative in y (1) or r (2)."""
        slope = sp.exp(self) * (1 + self) + self.args[1]
        if argindex == 1:
            return 1 / slope
        if argindex == 2:
            return -self / slope
        raise sp.core.function.ArgumentIndexError(self, argindex)

    def _eval_evalf(self, prec: int) -> Any:
        working = prec + _GUARD_BITS
        if self.free_symbols:
            return None
        try:
            y, r = (arg._to_mpmath(working, allow_ints=False) for arg in self.args)
        except ValueError:
            return None  # an argument is not a number
        if not (isinstance(y, mpmath.mpf) and isinstance(r, mpmath.mpf)) or y < 0 or r < 0:
            return None
        with mpmath.workprec(working):
            root = _root(y, r)
        return sp.Expr._from_mpmath(root, prec)

    def _eval_is_extended_real(self) -> bool | None:
        return True if self._in_domain else None

    def _eval_is_finite(self) -> bool | None:
        return True if self._in_domain and self.args[0].is_finite else None

    def _eval_is_extended_nonnegative(self) -> bool | None:
        return True if self._in_domain else None

    def _eval_is_extended_positive(self) -> bool | None:
        return True if self._in_domain and self.args[0].is_positive else None

    @property
    def _in_domain(self) -> bool:
        return all(arg.is_nonnegative for arg in self.args)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        y, r = (printer._print(arg) for arg in self.args)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"W_{{{r}}}{power}\left({y}\right)"


def _root(y: Any, r: Any) -> Any:
    """Newton's method from above, where it falls monotonically because ``x e^x + r x`` is convex."""
    if y == 0:
        return y
    # x e^x >= x, and log(1+y) e^log(1+y) >= y: both are upper bounds.
    x = min(y / (1 + r), mpmath.log1p(y))
    for _ in range(_MAX_STEPS):
        growth = mpmath.exp(x)
        step = (x * growth + r * x - y) / (growth * (1 + x) + r)
        x -= step
        if abs(step) <= 8 * mpmath.eps * x:
            return x
    raise SolverError(f"the r-Lambert function did not converge in {_MAX_STEPS} Newton steps")
