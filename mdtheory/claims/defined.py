"""Whether a formula is a real number on the whole of the domains: sympy's rules for it hold only there.

``(x^2 - 1)/(x - 1) = x + 1`` reduces to zero and says nothing at x = 1. So denominators, arguments of logarithms and bases of
roots get their sign proved, from the assumptions of the symbols or by branch and bound in ball arithmetic.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import sympy as sp
from flint import arb

from mdtheory.claims.agreement import interval_balls
from mdtheory.foundation.errors import AssumptionError
from mdtheory.numerics.ball_precision import precision
from mdtheory.numerics.expressions import compiled, truth

if TYPE_CHECKING:
    from mdtheory.claims.model import Claim

BITS = 64
BUDGET = 4000

Condition = tuple[str, sp.Expr]
"""A name in `_HOLDS`, and the expression it is asked of."""


def not_everywhere_defined(claim: "Claim") -> str | None:
    """What could not be shown about the formulas of a claim without quantities; None if all is well."""
    sides = [claim.expand(side) for relation in claim.relations for side in (relation.left, relation.right)]
    needed = dict.fromkeys(condition for side in sides for condition in _needed(side))
    for kind, expression in needed:
        if not _holds(claim, kind, expression):
            return f"{expression} is not shown to be {kind}"
    for symbol in claim.definitions:
        for kind in getattr(symbol, "_assumptions_orig", symbol.assumptions0):
            if kind != "commutative" and not _declared(claim, symbol, kind):
                return f"{symbol} is not shown to be {kind}={symbol.assumptions0.get(kind)}, as its symbol is declared"
    return None


def _declared(claim: "Claim", symbol: sp.Symbol, kind: str) -> bool:
    expression, wanted = claim.expand(symbol), symbol.assumptions0.get(kind)
    if getattr(expression, f"is_{kind}") is wanted:
        return True
    return wanted is True and kind in _HOLDS and _holds(claim, kind, expression)


def _needed(expression: sp.Basic) -> Iterator[Condition]:
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.Pow):
            yield from _of_power(node)
        elif isinstance(node, (sp.log, sp.gamma, sp.loggamma, sp.digamma)):
            yield "positive", node.args[0]
        elif isinstance(node, sp.factorial):
            yield "positive", node.args[0] + 1
        elif isinstance(node, sp.LambertW):
            yield "nonnegative", sp.E * node.args[0] + 1
        elif isinstance(node, sp.Mod):
            yield "nonzero", node.args[1]
        elif isinstance(node, (sp.asin, sp.acos)):
            yield "nonnegative", 1 - node.args[0] ** 2
        elif isinstance(node, sp.acosh):
            yield "nonnegative", node.args[0] - 1
        elif isinstance(node, sp.atanh):
            yield "positive", 1 - node.args[0] ** 2
        elif isinstance(node, sp.tan):
            yield "nonzero", sp.cos(node.args[0])


def _of_power(node: sp.Pow) -> Iterator[Condition]:
    base, exponent = node.args
    if base == sp.E or base.is_positive:
        return
    if exponent.is_integer:
        if not exponent.is_nonnegative:
            yield "nonzero", base
    else:
        yield ("nonnegative" if exponent.is_nonnegative else "positive"), base


_HOLDS: dict[str, Callable[[arb], bool]] = {
    "positive": lambda ball: bool(ball > 0),
    "nonnegative": lambda ball: bool(ball >= 0),
    "negative": lambda ball: bool(ball < 0),
    "nonpositive": lambda ball: bool(ball <= 0),
    "nonzero": lambda ball: bool(ball != 0),
    "real": lambda ball: bool(ball.is_finite()),
}


def _holds(claim: "Claim", kind: str, expression: sp.Expr) -> bool:
    """Whether a condition is proved, wherever the assumptions hold."""
    if getattr(expression, f"is_{kind}"):
        return True
    try:
        value = compiled(expression)
        closed = [claim.expand(assumption) for assumption in claim.assumptions]
        with precision(BITS):
            return _on_all_parts(claim, lambda balls: _HOLDS[kind](value(balls)), closed)
    except AssumptionError:
        return False


def _on_all_parts(claim: "Claim", holds: Callable[[dict[str, arb]], bool], assumptions: list[sp.Basic]) -> bool:
    whole = interval_balls(claim.variables)
    widths = {name: max(float((high - low).mid()), 1e-300) for name, (low, high) in whole.items()}
    cells, seen = deque([whole]), 0
    while cells:
        seen += 1
        if seen > BUDGET:
            return False
        cell = cells.popleft()
        balls = {name: low.union(high) for name, (low, high) in cell.items()}
        if any(truth(assumption, balls) is False for assumption in assumptions) or holds(balls):
            continue
        name = max(cell, key=lambda n: float((cell[n][1] - cell[n][0]).mid()) / widths[n], default=None)
        if name is None:
            return False
        low, high = cell[name]
        middle = ((low + high) / 2).mid()
        if not (middle > low and middle < high):
            return False
        cells += [{**cell, name: (low, middle)}, {**cell, name: (middle, high)}]
    return True
