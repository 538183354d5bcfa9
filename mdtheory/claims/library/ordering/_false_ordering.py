"""Statements that cross-entropy dilates more than label smoothing, each at its own configuration, that are false."""

from collections.abc import Mapping

import sympy as sp

from mdtheory.claims.domains import Interval, Value
from mdtheory.claims.library._noisy import by_cross_entropy, by_smoothing
from mdtheory.claims.library._symbols import DIM, decay, dim, noise, slope, smoothing
from mdtheory.claims.library.ordering._ordering import Family
from mdtheory.claims.model import Claim, Source, Verdict
from mdtheory.claims.relation import greater

SHARP = (
    "With noisy features without decay it is a theorem for small noise: see ordering-small-noise. A box where it is "
    "certified: ordering-typical-training."
)


def false_ordering(
    *,
    id: str,
    title: str,
    statement: str,
    counterexample: Mapping[str, Value],
    family: Family,
    assumptions: tuple[sp.Basic, ...] = (),
    notes: str = SHARP,
) -> Claim:
    """``ND_CE > ND_LS`` in one setting, without restriction."""

    return Claim(
        id=id,
        title=title,
        statement=statement,
        source=Source(
            "nguyen2023",
            "abstract: why label smoothing generalises better under noise; that it dilates less, taken without restriction, as recalled",
        ),
        variables={
            decay: Interval(1e-4, 0.1, log=True),
            noise: Interval(1e-3, 0.5, log=True),
            slope: Interval(0.02, 10.0, log=True),
            smoothing: Interval(0.01, 0.9),
            dim: DIM,
        },
        assumptions=(sp.Lt(smoothing + (4 if family.nonnegative else 2 * sp.sqrt(2)) * decay, 1), *assumptions),
        quantities={by_cross_entropy: family.solved(), by_smoothing: family.solved("smoothing")},
        relations=(greater(by_cross_entropy, by_smoothing),),
        expected=Verdict.REFUTED,
        counterexample=counterexample,
        notes=notes,
    )
