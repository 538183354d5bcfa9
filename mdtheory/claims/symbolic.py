"""Proofs: sympy reduces a relation to something evident, or the claim's runnable derivation goes through."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import sympy as sp

from mdtheory.claims.declarations import NAME, beyond, declarations, derivation_path, shortfall
from mdtheory.claims.defined import not_everywhere_defined
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.finding import library_claims
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import Relation
from mdtheory.claims.sampled import admissible_point, check_sampled
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import fail

DERIVATION_SECONDS = 300
PROOF_DRAWS = 50
"""What is proved must hold at so many draws, and at simple points: sympy's rules are for formulas that are defined, and a
derivation of one's own may print what it likes."""

_STEP = re.compile(r"\s*\[[^]~]+\]\s*\S")
"""A line for a step; those with ``~`` compare numbers, which proves nothing."""

_ATTEMPTS: tuple[Callable[[Any], Any], ...] = (
    lambda e: e,
    sp.expand,
    lambda e: sp.factor(sp.together(e)),
    lambda e: sp.cancel(sp.together(sp.expand(sp.expand_log(sp.logcombine(e))))),
    sp.simplify,
)


def check_symbolic(claim: Claim) -> Evidence:
    """Prove a claim with sympy alone (``symbolic=True``), or by running its derivation."""
    start = time.perf_counter()
    if admissible_point(claim) is None:
        return Evidence(
            checker="symbolic",
            verdict=Verdict.VACUOUS,
            message="no draw satisfied the assumptions",
            seconds=time.perf_counter() - start,
        )
    if claim.symbolic:
        proved, message, details = _by_sympy(claim)
    elif claim.derivation is not None:
        proved, message, details = _by_derivation(claim, claim.derivation)
    else:
        raise fail("derivation", None, f"claim {claim.id!r} has no proof to run")
    return Evidence(
        checker="symbolic",
        verdict=Verdict.PROVED if proved else Verdict.UNDECIDED,
        message=message,
        details=details,
        seconds=time.perf_counter() - start,
    )


def reduces_to_zero(expression: sp.Expr) -> bool:
    """Whether sympy simplifies the expression to zero."""
    return any(attempt(expression) == 0 for attempt in _ATTEMPTS)


def _by_sympy(claim: Claim) -> tuple[bool, str, dict[str, Any]]:
    reduced = {}
    for i, relation in enumerate(claim.relations, 1):
        difference = claim.expand(relation.left) - claim.expand(relation.right)
        if not _evident(relation, difference):
            return False, f"sympy does not settle relation {i}: {difference}", {}
        reduced[f"relation {i}"] = str(difference)
    doubt = not_everywhere_defined(claim)
    if doubt is not None:
        return False, f"sympy reduces the relations, but {doubt}", {}
    drawn = check_sampled(claim, samples=PROOF_DRAWS)
    if drawn.verdict is not Verdict.SUPPORTED or drawn.counts["undefined"]:
        return False, f"sympy reduces the relations, but of draws {drawn.message}", {}
    what = (
        "the difference reduces to zero" if all(r.operator == "==" for r in claim.relations) else "the sign is evident"
    )
    return True, f"sympy: {what}", {"differences": reduced}


def _evident(relation: Relation, difference: sp.Expr) -> bool:
    if relation.operator == "==":
        return reduces_to_zero(difference)
    predicate = {">": "is_positive", ">=": "is_nonnegative", "<": "is_negative", "<=": "is_nonpositive"}
    name = predicate.get(relation.operator)
    return name is not None and any(getattr(attempt(difference), name) for attempt in _ATTEMPTS)


def _by_derivation(claim: Claim, name: str) -> tuple[bool, str, dict[str, Any]]:
    path = derivation_path(name)
    if path is None:
        return False, f"{name} is not there", {}
    another = another_statement(claim, name, path)
    if another is not None:
        return False, another, {}
    code, printed, error = _run(path, path.stat().st_mtime_ns)
    steps = sum(_STEP.match(line) is not None for line in printed.splitlines())
    if code != 0:
        last = error.strip().splitlines()[-1] if error.strip() else f"exit code {code}"
        return False, f"{name} fails: {last}", {}
    if not printed.endswith(_AT_THE_END):
        return False, f"{name} leaves before its last statement", {}
    if steps == 0:
        return False, f"{name} checks nothing", {}
    if library_claims().get(claim.id) is not claim:
        drawn = check_sampled(claim, samples=PROOF_DRAWS)
        if drawn.verdict is Verdict.REFUTED:
            return False, f"{name} goes through, but the claim is false: {drawn.message}", {}
    return (
        True,
        f"{name}: {steps} steps machine-checked, the rest is prose in its docstring",
        {"derivation": name, "hypotheses": list(claim.hypotheses)},
    )


def another_statement(claim: Claim, name: str, path: Path) -> str | None:
    """Why what the derivation declares is not what the claim says, on one line; None if it is."""
    own = library_claims().get(claim.id)
    different = None if own is None else beyond(claim, own)
    if different is not None:
        return f"{name} proves the library's {claim.id}; this claim has {different}"
    try:
        declared = declarations(path).get(claim.id)
        if declared is None:
            return f"{name} does not say that it proves {claim.id} (in {NAME})"
        gap = shortfall(claim, declared)
    except (AssumptionError, UnicodeDecodeError) as error:
        return f"{name} cannot be compared with the claim: {error}"
    return None if gap is None else f"{name} proves another statement: {gap}"


_AT_THE_END = "the last statement was reached\n"
_TO_THE_END = f"""
import ast, os, runpy, sys, traceback
path = sys.argv[0] = sys.argv[1]
del sys.argv[1]
sys.path[0] = os.getcwd()
last = ast.parse(open(path, encoding="utf-8").read()).body[-1].lineno
try:
    runpy.run_path(path, run_name="__main__")
except SystemExit as left:
    if left.code not in (None, 0):
        raise
    lines = [frame.lineno for frame in traceback.extract_tb(left.__traceback__) if frame.filename == path]
    if lines[0] < last:
        sys.exit(0)
print({_AT_THE_END!r}, end="")
"""
"""A script may leave with exit code 0 before the step that fails."""


@lru_cache(maxsize=64)
def _run(path: Path, changed: int) -> tuple[int, str, str]:
    """Run a derivation once; again if the file has changed since."""
    # Python skips assertions where this is set.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TO_THE_END, path.name],
            cwd=path.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=DERIVATION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"not finished after {DERIVATION_SECONDS} s"
    return done.returncode, done.stdout, done.stderr
