"""A claim is data: what is said, about which variables, under which assumptions, from where, and how it may be checked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Point, components
from mdtheory.claims.relation import Relation
from mdtheory.claims.wellformed import require, require_box, require_consistent, require_quantity, require_types
from mdtheory.foundation.validation import fail
from mdtheory.numerics.decimals import with_rationals

THIS_PROJECT = "this project"


class Verdict(Enum):
    """How strongly a claim is supported. Only PROVED and CERTIFIED are proofs, and CERTIFIED only on its box."""

    PROVED = "proved for all values allowed"
    CERTIFIED = "proved in ball arithmetic on the stated box"
    SUPPORTED = "every draw agrees; nothing is proved"
    UNDECIDED = "not settled either way"
    VACUOUS = "no draw satisfied the assumptions"
    REFUTED = "false: there is a counterexample"
    ERROR = "the check itself failed"


STRENGTH: Mapping[Verdict, int] = MappingProxyType(
    {Verdict.PROVED: 3, Verdict.CERTIFIED: 2, Verdict.SUPPORTED: 1, Verdict.UNDECIDED: 0, Verdict.VACUOUS: 0}
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a claim comes from: a citation key (or "this project") and a locator inside it."""

    key: str
    locator: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no citation."""
        require("key", self.key, str, "a citation key, or 'this project'")
        require("locator", self.locator, str, "a string")
        if not self.key:
            raise fail("key", self.key, "must name a source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that a claim speaks about and that no formula of the claim defines: an optimum, a root, a solver's answer.

    Attributes
    ----------
    at : callable
        ``at(**point)`` with the claim's variables as keywords (those the function names) gives an `arb` that contains
        the quantity (or an int, which is exact). Floats are to be read as the binary numbers they are. AssumptionError and
        SolverError mean that it is not defined there; anything else that is raised fails the check.
    over : callable, optional
        The same with an `arb` for every variable: a ball that contains the quantity for *all* values in the balls.
    rigorous : bool
        Whether the radius is proved (ball arithmetic, sign of a monotone residual, a duality gap in ball
        arithmetic), or an estimate (a floating-point gap).
    convex : bool
        Whether the number comes from a convex optimiser with a duality gap that knows nothing of the claim.
    route : str
        One line: how it is computed, for the report.
    """

    at: Callable[..., arb]
    over: Callable[..., arb] | None = None
    rigorous: bool = True
    convex: bool = False
    route: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be called."""
        require_quantity(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A region on which a claim is to be proved in ball arithmetic.

    Attributes
    ----------
    sides : mapping
        For each variable a pair of decimal strings, ("0.005", "1"): the region is the product of the intervals, which must
        meet the domains and may reach beyond them, but not past what the symbols assume.
        A tuple of ints is a list of values and no interval: each value is a box of its own.
    decide : callable, optional
        ``decide(**balls)`` returns True (proved on this sub-box), False (refuted everywhere on it) or None (unknown,
        split it). Without it, the relations are evaluated in ball arithmetic with `Quantity.over`.
    log : tuple of str
        Variables that are split at the geometric mean.
    effort : mapping
        How much more readily a variable's side is split (default 1), where one matters more than others.
    budget : int
        The number of sub-boxes after which to give up.
    slow : bool
        Whether it takes more than about a minute; quick runs leave it out.
    """

    sides: Mapping[str, tuple[Any, ...]]
    decide: Callable[..., bool | None] | None = None
    log: tuple[str, ...] = ()
    effort: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    budget: int = 200_000
    slow: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no region."""
        require_box(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of the ledger.

    Attributes
    ----------
    id : str
        Permanent, lower case, words joined by hyphens.
    title, statement : str
        One line; the statement in LaTeX.
    source : Source
    variables : mapping
        From a sympy symbol to its `Domain`. The symbol's name is the keyword its value has in `Quantity.at`. A symbol may
        assume only what every value of its domain satisfies: sympy simplifies with assumptions as it builds.
    relations : tuple of Relation
        All must hold.
    assumptions : tuple of sympy relationals
        In the variables and quantities. A draw counts only if each is certainly true.
    quantities : mapping
        From a sympy symbol to the `Quantity` that gives its value.
    definitions : mapping
        From a symbol to an expression: abbreviations used in relations and assumptions, substituted before anything.
    expected : Verdict
        REFUTED for statements that are known to be false and kept as a warning.
    hypotheses : tuple of str
        The setting in which this is said, in the words that derivations use (``derivations/README.md``): what no assumption on
        the variables expresses, such as ``"free features"`` or ``"cross-entropy"``. A derivation proves the claim only if
        each hypothesis that it needs is here.
    derivation : str, optional
        ``"derivations/....py"``: the runnable proof. Its ``PROVES`` must declare this claim.
    symbolic : bool
        Whether sympy alone should reduce the relations (no quantity may be left after the definitions).
    box : Box, optional
        For level `certified`.
    counterexample : mapping, optional
        A point at which a false statement fails, or (``existence=True``) the witness: a value in its domain for each
        variable, where the assumptions hold.
    existence : bool
        The claim is that there is a point, namely ``counterexample``, at which the relations hold.
    equivalent : mapping, optional
        Names of mutants that are known to say the same, or to be true as well, with the reason.
    resolution : float
        An equality counts as confirmed if both sides agree and their relative uncertainty is at most this.
    most_samples : int, optional
        Never draw more than this, where a single draw is an optimisation of a tenth of a second.
    notes : str
        What a reader should know: what is loose, where the sharp form stands.
    """

    id: str
    title: str
    statement: str
    source: Source
    variables: Mapping[sp.Symbol, Domain]
    relations: tuple[Relation, ...]
    expected: Verdict
    assumptions: tuple[sp.Basic, ...] = ()
    quantities: Mapping[sp.Symbol, Quantity] = field(default_factory=lambda: MappingProxyType({}))
    definitions: Mapping[sp.Symbol, sp.Expr] = field(default_factory=lambda: MappingProxyType({}))
    hypotheses: tuple[str, ...] = ()
    derivation: str | None = None
    symbolic: bool = False
    box: Box | None = None
    counterexample: Point | None = None
    existence: bool = False
    equivalent: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    resolution: float = 1e-6
    most_samples: int | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse a claim that could not be checked, or whose parts contradict each other."""
        require_types(self, source=Source, verdict=Verdict, box=Box, quantity=Quantity)
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise fail("id", self.id, "lower-case words joined by hyphens")
        if not self.relations:
            raise fail("relations", self.relations, "at least one relation")
        known = set(self.variables) | set(self.quantities) | set(self.definitions)
        known |= {part for symbol, domain in self.variables.items() for part in components(symbol, domain)}
        used: set[sp.Basic] = set().union(*(r.symbols for r in self.relations))
        used |= set().union(
            *(a.free_symbols for a in self.assumptions),
            *(sp.sympify(d).free_symbols for d in self.definitions.values()),
        )
        for symbol in sorted(used - known, key=str):
            raise fail(
                "variables", str(symbol), f"only symbols that claim {self.id!r} declares: {sorted(map(str, known))}"
            )
        for word in self.hypotheses if isinstance(self.hypotheses, tuple) else (self.hypotheses,):
            if not isinstance(word, str) or not isinstance(self.hypotheses, tuple):
                raise fail("hypotheses", word, f"a tuple of words, each a text (claim {self.id!r})")
        if self.expected is Verdict.PROVED and not (self.derivation or self.symbolic):
            raise fail(
                "expected", self.expected.name, f"PROVED only with a derivation or symbolic=True (claim {self.id!r})"
            )
        if self.expected is Verdict.CERTIFIED and not (self.box or self.existence):
            raise fail("expected", self.expected.name, f"CERTIFIED only with a box or a witness (claim {self.id!r})")
        require_consistent(self)

    @property
    def estimated(self) -> tuple[str, ...]:
        """The names of the quantities whose error is an estimate: nothing that uses them is a proof."""
        return tuple(symbol.name for symbol, quantity in self.quantities.items() if not quantity.rigorous)

    def expand(self, expression: sp.Basic) -> sp.Basic:
        """The expression with all abbreviations replaced by what they stand for, and decimals by rational numbers."""
        for _ in range(len(self.definitions) + 1):
            expression = expression.subs(dict(self.definitions), simultaneous=True)
            if not expression.free_symbols & set(self.definitions):
                return with_rationals(expression)
        raise fail("definitions", sorted(map(str, self.definitions)), "abbreviations that do not refer to themselves")
