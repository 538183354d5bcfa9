"""Theorems as data, what checks them, and what tries to break them.

A `Claim` is a statement with variables, assumptions and relations between sympy expressions and `Quantity` values.
`check` turns claims into verdicts, `falsify` attacks a conjecture that is not a claim yet. The library is in
`mdtheory.claims.library`, one claim a file; a file of one's own works the same.
"""

from mdtheory.claims.conjecture import falsify
from mdtheory.claims.domains import Integers, Interval, Proportions
from mdtheory.claims.ledger import check
from mdtheory.claims.model import Box, Claim, Quantity, Source, Verdict
from mdtheory.claims.records import Report
from mdtheory.claims.relation import (
    Relation,
    asymptotic,
    at_least,
    at_most,
    equal,
    greater,
    less,
    positive_iff,
)

__all__ = [
    "Box",
    "Claim",
    "Integers",
    "Interval",
    "Proportions",
    "Quantity",
    "Relation",
    "Report",
    "Source",
    "Verdict",
    "asymptotic",
    "at_least",
    "at_most",
    "check",
    "equal",
    "falsify",
    "greater",
    "less",
    "positive_iff",
]
