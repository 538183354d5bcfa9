"""Proofs: sympy reduces a relation to something evident, or the claim's runnable derivation goes through."""

import ast
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import sympy as sp

from mdtheory.claims.evidence import Evidence
from mdtheory.claims.model import Claim, Verdict
from mdtheory.claims.relation import Relation
from mdtheory.validation import fail

DERIVATION_SECONDS = 300

_PACKAGE = Path(__file__).resolve().parents[1]
DERIVATION_FOLDERS = (_PACKAGE.parent / "derivations", _PACKAGE / "_derivations")

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
    if claim.symbolic:
        proved, message, details = _by_sympy(claim)
    elif claim.derivation is not None:
        proved, message, details = _by_derivation(claim.id, claim.derivation)
    else:
        raise fail("derivation", None, f"claim {claim.id!r} has no proof to run")
    return Evidence(
        checker="symbolic",
        verdict=Verdict.PROVED if proved else Verdict.UNDECIDED,
        message=message,
        details=details,
        seconds=time.perf_counter() - start,
    )


def derivation_path(name: str) -> Path | None:
    """Where a derivation lies: at an absolute path, beside the package in a checkout, inside it when installed."""
    if Path(name).is_absolute():
        return Path(name) if Path(name).is_file() else None
    for folder in DERIVATION_FOLDERS:
        path = folder / Path(name).name
        if path.is_file():
            return path
    return None


def claims_of(derivation: Path) -> tuple[str, ...]:
    """The ids after ``Claims:`` at the end of a derivation's docstring: what it says it proves."""
    text = ast.get_docstring(ast.parse(derivation.read_text(encoding="utf-8"))) or ""
    _, found, listed = text.rpartition("Claims:")
    return tuple(listed.replace(",", " ").rstrip(".").split()) if found else ()


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


def _by_derivation(claim_id: str, name: str) -> tuple[bool, str, dict[str, Any]]:
    path = derivation_path(name)
    if path is None:
        return False, f"{name} is not there", {}
    if claim_id not in claims_of(path):
        return False, f"{name} does not say that it proves {claim_id} (the line 'Claims:' of its docstring)", {}
    code, printed, error = _run(path)
    steps = sum(line.lstrip().startswith("[") and "[   ~]" not in line for line in printed.splitlines())
    if code != 0:
        last = error.strip().splitlines()[-1] if error.strip() else f"exit code {code}"
        return False, f"{name} fails: {last}", {}
    if steps == 0:
        return False, f"{name} checks nothing", {}
    return True, f"{name}: {steps} steps machine-checked, the rest is prose in its docstring", {"derivation": name}


@lru_cache(maxsize=64)
def _run(path: Path) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            [sys.executable, path.name],
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=DERIVATION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"not finished after {DERIVATION_SECONDS} s"
    return done.returncode, done.stdout, done.stderr
