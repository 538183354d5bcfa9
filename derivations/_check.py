"""What a derivation may say at the end of a step: "these are equal", "this has this sign", "this is true".

Each function prints one line when the step holds and raises ``NotProved`` when sympy cannot establish it. They raise
explicitly instead of using ``assert``, so ``python -O`` does not switch the proofs off. "Cannot establish" and "false"
are both failures: a proof that needs the benefit of the doubt is not a proof.
"""

import sympy as sp


class NotProved(AssertionError):
    """A step of a derivation that sympy could not confirm."""


def identity(name: str, lhs, rhs=0) -> None:
    """Confirm ``lhs == rhs`` for every value of the symbols, by exact simplification (entrywise for matrices)."""
    difference = sp.sympify(lhs) - sp.sympify(rhs)
    entries = list(difference) if isinstance(difference, sp.MatrixBase) else [difference]
    _conclude(name, "=", all(_is_zero(entry) for entry in entries), difference)


def positive(name: str, expression) -> None:
    """Confirm ``expression > 0`` from the declared signs of its symbols."""
    _conclude(name, "> 0", _has_sign(expression, "is_positive"), expression)


def nonnegative(name: str, expression) -> None:
    """Confirm ``expression >= 0`` from the declared signs of its symbols."""
    _conclude(name, ">= 0", _has_sign(expression, "is_nonnegative"), expression)


def negative(name: str, expression) -> None:
    """Confirm ``expression < 0`` from the declared signs of its symbols."""
    _conclude(name, "< 0", _has_sign(-sp.sympify(expression), "is_positive"), expression)


def holds(name: str, condition) -> None:
    """Confirm a condition that sympy or Python decides outright (a comparison of closed numbers, a set equality)."""
    _conclude(name, "true", bool(condition), condition)


def agrees(name: str, value, reference, tolerance: float) -> None:
    """Compare numbers. This illustrates a proved statement or fixes a printed constant; it proves nothing."""
    gap = abs(sp.Float(sp.N(value, 30), 30) - sp.Float(sp.N(reference, 30), 30))
    _conclude(name, "~", bool(gap <= tolerance), gap)


def _conclude(name: str, kind: str, proved: bool, evidence) -> None:
    if not proved:
        raise NotProved(f"{name}: not established ({kind}), left with {evidence}")
    print(f"  [{kind:>4}] {name}")


def _is_zero(expression) -> bool:
    expression = sp.sympify(expression)
    if expression == 0:
        return True
    if _differs_from_zero(expression):
        return False
    for attempt in (sp.expand, lambda e: sp.cancel(sp.together(e)), _flatten_logs, sp.simplify):
        if attempt(expression) == 0:
            return True
    return False


def _differs_from_zero(expression) -> bool:
    """Whether it is another number at one point that its symbols allow: then no rule need be tried, and false steps fail fast."""
    if expression.has(sp.Integral, sp.Derivative, sp.Sum, sp.Limit, sp.core.function.AppliedUndef):
        return False
    point = {}
    for i, symbol in enumerate(sorted(expression.free_symbols, key=str)):
        value = sp.Integer(3 + i) if symbol.is_integer else sp.Rational(10, 37 + 12 * i)
        point[symbol] = -value if symbol.is_negative or symbol.is_nonpositive else value
    number = expression.evalf(30, subs=point)
    return bool(number.is_number and number.is_finite and abs(number) > sp.Rational(1, 10**10))


def _flatten_logs(expression):
    return sp.cancel(sp.together(sp.expand(sp.powsimp(sp.expand_log(sp.logcombine(expression), force=False)))))


def _has_sign(expression, predicate: str) -> bool:
    expression = sp.sympify(expression)
    for attempt in (lambda e: e, sp.expand, lambda e: sp.factor(sp.together(e)), sp.simplify):
        if getattr(attempt(expression), predicate):
            return True
    return False
