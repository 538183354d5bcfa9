"""The entry below the ledger: a half-formed conjecture, given as an inequality or a function, and a search to break it."""

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Integers, Interval, Point, components
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.ledger import check_claim, row_of
from mdtheory.claims.model import THIS_PROJECT, Claim, Quantity, Source, Verdict
from mdtheory.claims.records import Report, Settings
from mdtheory.claims.relation import Relation, at_least
from mdtheory.claims.sampled import counts_of, draw, generator, search, shrink, unrefuted
from mdtheory.claims.trial import UNDEFINED_HERE, Evaluator, Trial
from mdtheory.claims.verification import verified
from mdtheory.claims.wellformed import CONDITIONS, is_domain, require, require_whole
from mdtheory.foundation.errors import SolverError
from mdtheory.foundation.validation import fail
from mdtheory.numerics.ball_precision import precision

MOST_VERIFIED = 8

Slack = Any
"""A sympy relational or expression, or a callable."""

Range = tuple[float, float] | tuple[float, float, str] | range | Domain


def falsify(
    slack: Slack,
    variables: Mapping[str, Range],
    *,
    assumptions: Sequence[sp.Basic] = (),
    samples: int = 1000,
    seed: int = 0,
) -> Report:
    r"""Search for a point where a conjecture fails.

    Parameters
    ----------
    slack : sympy relational, sympy expression, or callable
        The conjecture. An expression or the value of a callable (of the variables as keywords) must be ``>= 0``.
    variables : mapping
        For each variable ``(low, high)``, ``(low, high, "log")``, a `range`, or a domain of `mdtheory.claims`.
    assumptions : sequence of sympy relationals
        In the variables; the conjecture is only made where they hold.
    samples : int
        Admissible draws, about a third of them at or next to edges. A search from the worst of them follows.
    seed : int

    Returns
    -------
    Report
        On one row. ``report.verdict`` is REFUTED with ``report.counterexample``, shrunk to simple numbers and verified
        in ball arithmetic (expressions; functions that only use arithmetic and the functions of `math` and NumPy that
        `mdtheory.claims.ball_numbers` lists with the same meaning; functions that return an Arb ball, for example by
        `mdtheory.models.dilation.balls.solve_noisy`), in whole numbers, or at 50 and 100 digits (functions that use `mpmath` alone).
        A violation that can be evaluated in double precision
        only leaves the verdict UNDECIDED, and is reported all the same. A ball that holds both signs is unknown. Otherwise SUPPORTED, with the smallest slack
        seen in ``report.rows[0].evidence[0].slack`` and ``.where``; VACUOUS if no draw satisfied the assumptions.

    Raises
    ------
    AssumptionError
        If a range is none, the conjecture has a variable without a range, or a function does not take the variables as
        keywords or does not return one number.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> import sympy as sp
    >>> x, n = sp.symbols("x n")
    >>> report = mdt.falsify((1 + x) ** n >= 1 + n * x, {"x": (-3, 1), "n": range(1, 8)}, samples=200)
    >>> report.verdict.name, report.counterexample["n"] % 2
    ('REFUTED', 1)
    >>> mdt.falsify(lambda x: x * x - x + 0.25, {"x": (0, 1)}, samples=200).verdict.name
    'SUPPORTED'
    """
    if not isinstance(variables, Mapping) or not variables:
        raise fail("variables", variables, "must name at least one variable and its range")
    for name in variables:
        require("variables", name, str, "names, as strings")
    if not isinstance(assumptions, (tuple, list)):
        raise fail("assumptions", assumptions, "must be a sequence of sympy relationals, such as (sp.Gt(x, 0),)")
    by_name = {name: _domain(name, given) for name, given in variables.items()}
    symbols = _symbols(slack, by_name, assumptions)
    domains = {symbols[name]: domain for name, domain in by_name.items()}
    settings = Settings(level="sampled", samples=samples, seed=seed)
    require_whole("samples", samples, 1)
    require_whole("seed", seed, 0)
    if isinstance(slack, sp.Basic):
        claim = _claim(domains, (_relation(slack),), tuple(assumptions), {}, str(slack))
        Evaluator(claim)  # refuses functions that have no balls
        return Report(rows=(check_claim(claim, settings, _HOW),), settings=settings)
    if not callable(slack):
        raise fail("slack", slack, "must be a sympy relational, a sympy expression or a callable")
    _require_names(slack, variables)
    value = sp.Symbol("value of the function", real=True)
    name = getattr(slack, "__name__", "slack")
    quantities = {value: Quantity(at=slack, rigorous=False, route=name)}
    claim = _claim(domains, (at_least(value, 0),), tuple(assumptions), quantities, f"{name} >= 0")
    start = time.perf_counter()
    evidence = _break(slack, _InDoubles(claim), samples, seed, start)
    return Report(
        rows=(row_of(claim, settings, (evidence,), reproduce=_HOW, seconds=time.perf_counter() - start),),
        settings=settings,
    )


_HOW = "call falsify again with the same arguments"


def _symbols(slack: Slack, domains: Mapping[str, Domain], assumptions: Sequence[sp.Basic]) -> dict[str, sp.Symbol]:
    """The symbols of the conjecture by name, so that their sign assumptions are kept."""
    for assumption in assumptions:
        if not isinstance(assumption, CONDITIONS):
            raise fail("assumptions", assumption, "must be sympy relationals, such as sp.Gt(x, 0)")
    used: set[sp.Symbol] = set().union(*(a.free_symbols for a in assumptions))
    if isinstance(slack, sp.Basic):
        used |= slack.free_symbols
    parts = {part: name for name, domain in domains.items() for part in components(sp.Symbol(name), domain)}
    by_name = {symbol.name: symbol for symbol in used if symbol not in parts}
    for name in sorted(set(by_name) - set(domains)):
        raise fail("variables", name, f"the conjecture uses it, but it has no range; given: {sorted(domains)}")
    seen = set(by_name) | {parts[symbol] for symbol in used if symbol in parts}
    for name in sorted(set(domains) - seen) if isinstance(slack, sp.Basic) else ():
        raise fail(
            "variables", name, f"does not occur in {slack} (any more: sympy simplifies with a symbol's assumptions)"
        )
    return {name: by_name.get(name, sp.Symbol(name, real=True)) for name in domains}


def _domain(name: str, given: Range) -> Domain:
    form = "must be (low, high), (low, high, 'log') or a range of integers"
    if isinstance(given, range):
        if given.step != 1 or not given:
            raise fail(name, given, form + " with step 1")
        return Integers(given.start, given.stop - 1)
    if isinstance(given, tuple):
        if len(given) not in (2, 3) or (len(given) == 3 and given[2] != "log"):
            raise fail(name, given, form)
        if any(isinstance(end, (bool, np.bool_)) for end in given):
            raise fail(name, given, form)
        try:
            return Interval(float(given[0]), float(given[1]), log=len(given) == 3)
        except (TypeError, ValueError) as error:
            raise fail(name, given, f"{form} ({error})") from None
    if is_domain(given):
        return given
    raise fail(name, given, form)


def _relation(slack: sp.Basic) -> Relation:
    operators = {
        sp.GreaterThan: ">=",
        sp.StrictGreaterThan: ">",
        sp.LessThan: "<=",
        sp.StrictLessThan: "<",
        sp.Equality: "==",
    }
    if type(slack) in operators:
        return Relation(slack.lhs, operators[type(slack)], slack.rhs)  # type: ignore[arg-type]  # one of the operators
    if not isinstance(slack, sp.Expr):
        raise fail("slack", str(slack), "must be an expression or one comparison (True, False: sympy has evaluated it)")
    return at_least(slack, 0)


def _claim(
    domains: Mapping[sp.Symbol, Domain],
    relations: tuple[Relation, ...],
    assumptions: tuple[sp.Basic, ...],
    quantities: Mapping[sp.Symbol, Quantity],
    statement: str,
) -> Claim:
    return Claim(
        id="conjecture",
        title="conjecture",
        statement=statement,
        source=Source(THIS_PROJECT),
        variables=domains,
        relations=relations,
        assumptions=assumptions,
        quantities=quantities,
        expected=Verdict.SUPPORTED,
    )


# ---------------------------------------------------------------------- functions


class _InDoubles(Evaluator):
    """Evaluates a function of floats; what it finds is verified separately."""

    floats = True

    def trial(self, point: Point, relations: Sequence[Relation] | None = None) -> Trial:
        """The sign of the function: exact where it returns an integer or a ball, else in double precision."""
        (quantity,) = self.claim.quantities.values()
        try:
            with np.errstate(all="ignore"), precision(self.bits):
                given = quantity.at(**point)
        except (ArithmeticError, ValueError, SolverError) as error:
            return Trial(point, None, math.nan, f"{UNDEFINED_HERE}: {error}")
        except (Exception, SystemExit) as error:
            text = f"a function of floats; at {dict(point)} it raises {type(error).__name__}: {error}"
            raise fail("slack", self.claim.statement, text) from error
        return _trial_of(point, given)


def _trial_of(point: Point, given: Any) -> Trial:
    if isinstance(given, arb):
        known = None if not given.is_finite() else True if given >= 0 else False if given < 0 else None
        slack = float(given.mid()) if given.is_finite() else math.nan
        reason = (
            "" if known is not None else "the ball cannot tell" if given.is_finite() else f"{UNDEFINED_HERE}: no number"
        )
        return Trial(point, known, slack, reason)
    if isinstance(given, (complex, np.complexfloating)):
        return Trial(point, None, math.nan, f"{UNDEFINED_HERE}: not real")
    value = _one_number(given)
    if not math.isfinite(value) and not isinstance(given, (int, Fraction)):
        return Trial(point, None, math.nan, f"{UNDEFINED_HERE}: not a finite number")
    return Trial(point, bool(given >= 0), value)


def _one_number(given: Any) -> float:
    if isinstance(given, (bool, np.bool_)):
        raise fail("slack", given, "must return a number, not a truth value: of a >= b return a - b")
    if isinstance(given, (str, bytes)) or np.ndim(given) > 0:
        raise fail("slack", given, "must return one number")
    try:
        return float(given)
    except OverflowError:
        return math.inf if given > 0 else -math.inf
    except (TypeError, ValueError):
        raise fail("slack", given, "must return one number") from None


def _require_names(slack: Callable[..., Any], names: Mapping[str, Range]) -> None:
    """Refuse a function that does not take the variables as keywords."""
    try:
        signature = inspect.signature(slack)
    except ValueError:
        return  # some builtins have none
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise fail("variables", sorted(names), f"must be the arguments of the function: {error}") from None


def _break(slack: Callable[..., Any], evaluator: _InDoubles, samples: int, seed: int, start: float) -> Evidence:
    rng = generator(evaluator.claim, seed)
    sample = draw(evaluator, rng, samples)
    trials = sample.trials
    if trials and not any(t.truth is False for t in trials):
        trials += search(evaluator, trials, rng)
    counts = counts_of(trials, sample.skipped)
    failures = sorted((t for t in trials if t.truth is False), key=lambda t: t.slack)
    if not failures:
        return unrefuted(trials, counts, time.perf_counter() - start, sample.simple)
    # The worst in doubles may be noise where another is not.
    for candidate in (shrink(evaluator, failures[0]), *failures[:MOST_VERIFIED]):
        how = verified(slack, candidate.point)
        if how is not None:
            break
    if how is None:
        candidate = failures[0]
    message = f"violated by {-candidate.slack:.3g}, " + (how or "in double precision only: not verified")
    return Evidence(
        checker="sampled",
        verdict=Verdict.UNDECIDED if how is None else Verdict.REFUTED,
        message=message,
        counts=counts,
        slack=candidate.slack,
        where=candidate.point,
        counterexample=candidate.point,
        seconds=time.perf_counter() - start,
    )
