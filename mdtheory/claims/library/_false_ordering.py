"""Statements that cross-entropy dilates more than label smoothing, each at its own configuration, that are false."""

from collections.abc import Mapping

import sympy as sp

from mdtheory.claims.domains import Interval, Value
from mdtheory.claims.library._noisy import BY_SIGNS, Setting, Solved
from mdtheory.claims.library._symbols import DIM, decay, dim, noise, slope, smoothing
from mdtheory.claims.model import Claim, Quantity, Source, Verdict
from mdtheory.claims.relation import greater
from mdtheory.spreads import Sphere

by_cross_entropy, by_smoothing = sp.symbols("ND_CE ND_LS", positive=True)
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
    nonnegative: bool = True,
    scaling: str = "absolute",
    equal_decays: bool = False,
    assumptions: tuple[sp.Basic, ...] = (),
    notes: str = SHARP,
) -> Claim:
    """``ND_CE > ND_LS`` in one setting; ``equal_decays``: noisy features decay like the others, else not at all."""

    def dilation(fixed: Mapping[str, float]) -> Quantity:
        setting = Setting(
            spread=Sphere,
            nonnegative=nonnegative,
            scaling=scaling,
            renamed={"noisy_decay": "decay"} if equal_decays else {},
            fixed=fixed,
        )
        return Quantity(at=Solved("normalized", setting), route=BY_SIGNS)

    return Claim(
        id=id,
        title=title,
        statement=statement,
        source=Source("nguyen2023", "the claim that label smoothing dilates less, taken without restriction"),
        variables={
            decay: Interval(1e-4, 0.1, log=True),
            noise: Interval(1e-3, 0.5, log=True),
            slope: Interval(0.02, 10.0, log=True),
            smoothing: Interval(0.01, 0.9),
            dim: DIM,
        },
        assumptions=(sp.Lt(smoothing + (4 if nonnegative else 2 * sp.sqrt(2)) * decay, 1), *assumptions),
        quantities={by_cross_entropy: dilation({"smoothing": 0.0}), by_smoothing: dilation({})},
        relations=(greater(by_cross_entropy, by_smoothing),),
        expected=Verdict.REFUTED,
        counterexample=counterexample,
        notes=notes,
    )
