"""Claims on boxes about memorization and dilation: one decay for weights and features, the sphere in dimension 8."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp
from flint import arb

from mdtheory.claims.domains import Domain, Integers, Interval
from mdtheory.claims.library._noisy import by_cross_entropy, by_smoothing
from mdtheory.claims.library._points import Computed
from mdtheory.claims.library._symbols import decay, dim, noise, slope, smoothing
from mdtheory.claims.library.ordering._ordering import BETWEEN, LOG, Family, first_dilates_more
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import Relation, greater

by_more_smoothing = sp.Symbol("ND_more", positive=True)
more_smoothing = sp.Symbol("more_smoothing", positive=True)
excess, noisy_margin = sp.symbols("excess noisy_margin", real=True)
MADE_PRECISE = Source(
    "nguyen2023",
    "abstract: why label smoothing generalises better under noise; that it dilates less, as recalled, made precise",
)
ON_A_BOX = Source("this project", "signs of the stationarity residual on a box")
NAMED = {s.name: s for s in (decay, noise, slope, smoothing, more_smoothing, dim)}

Sides = Mapping[str, tuple[Any, ...]]


def noisy_sides(decay: str, noise: str, slope: str, **others: str) -> Sides:
    """Sides of a box from texts like "0.01 0.2", in dimension 8."""
    texts = {"decay": decay, "noise": noise, "slope": slope, **others}
    return {**{name: tuple(text.split()) for name, text in texts.items()}, "dim": (8,)}


def variables_of(sides: Sides) -> dict[sp.Symbol, Domain]:
    """Draws come from the box itself."""
    found: dict[sp.Symbol, Domain] = {}
    for name, side in sides.items():
        if name == "dim":
            found[NAMED[name]] = Integers(int(side[0]), int(side[-1]))
        else:
            found[NAMED[name]] = Interval(float(side[0]), float(side[1]), log=True)
    return found


def noisy_box(sides: Sides, decide: Callable[..., bool | None]) -> Box:
    """A box that is split geometrically."""
    return Box(sides=sides, log=tuple(name for name in LOG if name in sides), decide=decide)


def _claim(
    id: str,
    title: str,
    statement: str,
    quantities: Mapping[sp.Symbol, Quantity],
    relation: Relation,
    box: Box,
    notes: str,
    source: Source,
) -> Claim:
    return Claim(
        id=id,
        title=title,
        statement=statement,
        source=source,
        variables=variables_of(box.sides),
        quantities=quantities,
        relations=(relation,),
        expected=Verdict.CERTIFIED,
        box=box,
        notes=notes,
    )


def comparison(
    *,
    id: str,
    title: str,
    statement: str,
    family: Family,
    losses: Mapping[sp.Symbol, str | None],
    relation: Relation,
    sides: Sides,
    between: tuple[float, float] = BETWEEN,
    source: Source = ON_A_BOX,
    notes: str = "",
) -> Claim:
    """The first of two losses dilates more on a box; each is a symbol and the variable of its smoothing (None: none)."""
    first, second = losses.values()
    return _claim(
        id,
        title,
        statement,
        {symbol: family.solved(loss) for symbol, loss in losses.items()},
        relation,
        noisy_box(sides, first_dilates_more(family, first, second, between)),
        notes,
        source,
    )


def ordering(
    *,
    id: str,
    title: str,
    statement: str,
    family: Family,
    sides: Sides,
    reversed: bool = False,
    between: tuple[float, float] = BETWEEN,
    source: Source = ON_A_BOX,
    notes: str = "False in general: see ordering-in-general.",
) -> Claim:
    """Cross-entropy dilates more than label smoothing on a box, or (``reversed``) less."""
    losses: dict[sp.Symbol, str | None] = {by_cross_entropy: None, by_smoothing: "smoothing"}
    if reversed:
        losses = {by_smoothing: "smoothing", by_cross_entropy: None}
    return comparison(
        id=id,
        title=title,
        statement=statement,
        family=family,
        losses=losses,
        relation=greater(*losses),
        sides=sides,
        between=between,
        source=source,
        notes=notes,
    )


def over_half(dilation: Quantity) -> Quantity:
    """ND - 1/2: positive where clean examples cross the decision boundary."""
    return replace(dilation, at=Computed(lambda point: dilation.at(**point) - arb(1) / 2))


def one_loss(
    *,
    id: str,
    title: str,
    statement: str,
    quantity: Mapping[sp.Symbol, Quantity],
    relation: Relation,
    sides: Sides,
    decide: Callable[..., bool | None],
    notes: str = "",
) -> Claim:
    """A claim on a box about one number of the solution."""
    return _claim(
        id,
        title,
        statement,
        quantity,
        relation,
        noisy_box(sides, decide),
        notes,
        ON_A_BOX,
    )
