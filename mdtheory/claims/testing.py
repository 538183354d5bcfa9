"""Claims in a test suite: one pytest case for each claim and level."""

from os import PathLike
from typing import Any

from mdtheory.claims.finding import load
from mdtheory.claims.ledger import check
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.records import Level


def cases(*claims: str | PathLike[str] | Claim, quick: bool = False) -> list[Any]:
    """Pairs of a claim and a level for ``pytest.mark.parametrize``: the levels that say something about the claim.

    Parameters
    ----------
    *claims : str, path or Claim
        As in `mdtheory.check`; none means the whole library.
    quick : bool
        Leave out boxes that a claim calls slow.

    Returns
    -------
    list of pytest.param

    Examples
    --------
    A test file::

        import pytest
        from mdtheory.claims.testing import assert_as_expected, cases

        @pytest.mark.parametrize(("claim", "level"), cases("my_claims.py"))
        def test_claim(claim, level):
            assert_as_expected(claim, level)

    >>> from mdtheory.claims.testing import cases
    >>> [case.id for case in cases("collapse-to-zero-nonnegative")]
    ['collapse-to-zero-nonnegative-symbolic', 'collapse-to-zero-nonnegative-sampled']
    """
    import pytest

    found = []
    for item in load(claims):
        found += [
            pytest.param(item.claim, level, id=f"{item.claim.id}-{level}") for level in _levels(item.claim, quick)
        ]
    return found


def assert_as_expected(claim: Claim, level: Level, *, samples: int = 40) -> None:
    """Fail unless the claim gets at least the verdict expected of it at this level.

    Raises
    ------
    AssertionError
        With the verdict, the evidence and any counterexample; or with the traceback of a checker that failed.
    """
    report = check(claim, level=level, samples=samples)
    row = report.rows[0]
    if row.error is not None:
        raise AssertionError(row.error)
    if row.standing != "as expected":
        raise AssertionError(str(report))


def _levels(claim: Claim, quick: bool) -> list[Level]:
    levels: list[Level] = []
    if claim.symbolic or claim.derivation is not None or claim.expected is Verdict.REFUTED or claim.existence:
        levels.append("symbolic")
    if not claim.existence:
        levels.append("sampled")
    if claim.box is not None and not (quick and claim.box.slow):
        levels.append("certified")
    return levels
