"""Claims on boxes about memorization and dilation: one decay for weights and features, the sphere in dimension 8."""

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from mdtheory.claims.domains import Domain, Integers, Interval
from mdtheory.claims.library._ordering import LOG, Family, Part, first_dilates_more
from mdtheory.claims.library._symbols import decay, dim, noise, slope, smoothing
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import Relation, greater

by_cross_entropy, by_smoothing, by_more_smoothing = sp.symbols("ND_CE ND_LS ND_more", positive=True)
more_smoothing = sp.Symbol("more_smoothing", positive=True)
normalized = sp.Symbol("normalized", positive=True)
noisy_margin = sp.Symbol("noisy_margin", real=True)
ROUTE = "root of a monotone residual, by proved signs"
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


def noisy_box(sides: Sides, decide: Callable[..., bool | None], *, slow: bool = False) -> Box:
    """A box that is split geometrically."""
    return Box(sides=sides, log=tuple(name for name in LOG if name in sides), decide=decide, slow=slow)


def _claim(
    id: str,
    title: str,
    statement: str,
    quantities: Mapping[sp.Symbol, Callable[..., Any]],
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
        quantities={symbol: Quantity(at=at, route=ROUTE) for symbol, at in quantities.items()},
        relations=(relation,),
        expected=Verdict.CERTIFIED,
        box=box,
        notes=notes,
    )


def ordering(
    *,
    id: str,
    title: str,
    statement: str,
    family: Family,
    sides: Sides,
    reversed: bool = False,
    slow: bool = False,
    source: Source,
    notes: str = "False in general: see ordering-in-general.",
) -> Claim:
    """Cross-entropy dilates more than label smoothing on a box, or (``reversed``) less."""
    losses: tuple[str | None, str | None] = ("smoothing", None) if reversed else (None, "smoothing")
    relation = greater(by_smoothing, by_cross_entropy) if reversed else greater(by_cross_entropy, by_smoothing)
    return _claim(
        id,
        title,
        statement,
        {by_cross_entropy: Part(family), by_smoothing: Part(family, "smoothing")},
        relation,
        noisy_box(sides, first_dilates_more(family, *losses), slow=slow),
        notes,
        source,
    )


def one_loss(
    *,
    id: str,
    title: str,
    statement: str,
    family: Family,
    quantity: sp.Symbol,
    relation: Relation,
    sides: Sides,
    decide: Callable[..., bool | None],
    notes: str = "",
) -> Claim:
    """A claim on a box about one number of the solution, for label smoothing or (no such side) cross-entropy."""
    loss = "smoothing" if "smoothing" in sides else None
    return _claim(
        id,
        title,
        statement,
        {quantity: Part(family, loss, quantity.name)},
        relation,
        noisy_box(sides, decide),
        notes,
        Source("this project", "signs of the stationarity residual on a box"),
    )
