"""LaTeX of the closed forms."""

from typing import Any

import sympy as sp

from mdtheory.foundation.validation import choice
from mdtheory.symbolic.dilation import dilation_expansion, small_noise
from mdtheory.symbolic.features_model import margin, margin_equation, objective, probability, threshold
from mdtheory.symbolic.symbols import LossLike

_QUANTITIES: dict[str, Any] = {
    "dilation_expansion": dilation_expansion,
    "margin": margin,
    "margin_equation": margin_equation,
    "objective": objective,
    "probability": probability,
    "small_noise": small_noise,
    "threshold": threshold,
}


def latex(loss: LossLike, quantity: str, **options: Any) -> str:
    """A closed form in LaTeX.

    Parameters
    ----------
    loss : Loss or loss class
    quantity : str
        Name of the function: "margin", "margin_equation", "probability", "threshold", "objective",
        "dilation_expansion" or "small_noise".
    **options
        Keyword arguments of that function.

    Returns
    -------
    str

    Raises
    ------
    AssumptionError
        If the quantity is unknown, or has no closed form.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> from mdtheory.symbolic import latex
    >>> print(latex(mdt.CrossEntropy, "threshold"))
    \\frac{1 - \\alpha}{2 \\sqrt{N}}
    """
    choice("quantity", quantity, tuple(_QUANTITIES))
    return str(sp.latex(_QUANTITIES[quantity](loss, **options)))
