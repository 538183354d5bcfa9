r"""The closed forms as sympy expressions.

Nothing else in the package imports sympy at load time: write ``import mdtheory.symbolic``. A function takes a loss
instance, whose parameters become the exact rationals of their decimal form (0.1 is 1/10), or a loss class, whose
parameter stays the symbol alpha or gamma. Everything else is a symbol of this module: substitute with ``subs``, with
the symbols and not their names as keys, and evaluate with ``evalf`` to any number of digits.

Notation: lambda_W and lambda_H are the decays, eta the noise, C the memorization-dilation slope, d the dimension of the
spread, lam the decay of noisy features, q the exponent of the scaling, s a margin.
"""

from mdtheory.symbolic.dilation import dilation_expansion, small_noise
from mdtheory.symbolic.features_model import (
    kappa,
    margin,
    margin_equation,
    objective,
    probability,
    scales,
    threshold,
)
from mdtheory.symbolic.formulas import latex
from mdtheory.symbolic.r_lambert import LambertR
from mdtheory.symbolic.symbols import C, N, alpha, d, eta, gamma, lam, lambda_H, lambda_W, q, s

__all__ = [
    "C",
    "LambertR",
    "N",
    "alpha",
    "d",
    "dilation_expansion",
    "eta",
    "gamma",
    "kappa",
    "lam",
    "lambda_H",
    "lambda_W",
    "latex",
    "margin",
    "margin_equation",
    "objective",
    "probability",
    "q",
    "s",
    "scales",
    "small_noise",
    "threshold",
]
