"""Where claims come from: the library, found by walking its package, and files of one's own."""

import hashlib
import importlib.util
import pkgutil
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType

from mdtheory.claims import library
from mdtheory.claims.declarations import DERIVATION_FOLDERS
from mdtheory.claims.model import Claim
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import fail


@dataclass(frozen=True, slots=True)
class Located:
    """A claim and where another process finds it: its id (library), its file, or nowhere."""

    claim: Claim
    origin: str | None

    def command(self, level: str, seed: int) -> str:
        """What to type to check it again."""
        what = shlex.quote(self.origin or self.claim.id)
        return f"mdtheory check {what} --level {level} --seed {seed}"


def load(claims: Sequence[str | PathLike[str] | Claim]) -> list[Located]:
    """The claims that are meant; the whole library for an empty sequence."""
    if not claims:
        return [Located(claim, claim.id) for claim in library_claims().values()]
    found: list[Located] = []
    for item in claims:
        if isinstance(item, Claim):
            found.append(Located(item, None))
        elif not isinstance(item, (str, PathLike)):
            raise fail("claims", item, "must be ids of the library, paths of files or Claim objects")
        elif str(fspath(item)).endswith(".py"):
            path = fspath(item)
            found.extend(Located(claim, str(path)) for claim in file_claims(Path(path)))
        else:
            found.append(Located(_from_library(str(item)), str(item)))
    _refuse_duplicates((entry.claim.id, entry.origin or "a Claim object") for entry in found)
    return found


@lru_cache(maxsize=1)
def library_claims() -> dict[str, Claim]:
    """All claims of the library by id, in alphabetical order."""
    found = [claim for topic in library_topics() for claim in topic.claims]
    return {claim.id: claim for claim in sorted(found, key=lambda claim: claim.id)}


@dataclass(frozen=True, slots=True)
class Topic:
    """A folder of the library: its name, what it is about, and its claims in alphabetical order."""

    name: str
    title: str
    claims: tuple[Claim, ...]


@lru_cache(maxsize=1)
def library_topics() -> tuple[Topic, ...]:
    """The topics of the library, in alphabetical order."""
    found: dict[str, list[tuple[Claim, str]]] = {}
    titles: dict[str, str] = {}
    for info in pkgutil.walk_packages(library.__path__, library.__name__ + "."):
        folder, _, name = info.name.rpartition(".")
        if info.ispkg:
            found[info.name] = []
            titles[info.name] = str(import_module(info.name).__doc__).rstrip(".")
        elif not name.startswith("_"):
            found[folder].extend((claim, info.name) for claim in _claims_in(import_module(info.name)))
    _refuse_duplicates((claim.id, origin) for claims in found.values() for claim, origin in claims)
    return tuple(
        Topic(
            folder.rpartition(".")[2].replace("_", "-"),
            titles[folder],
            tuple(sorted((claim for claim, _ in claims), key=lambda claim: claim.id)),
        )
        for folder, claims in sorted(found.items())
    )


def file_claims(path: Path) -> list[Claim]:
    """The claims that a Python file defines at its top level; their derivations may lie beside it."""
    if not path.is_file():
        raise AssumptionError(f"{path}: no such file")
    root = Path(library.__file__).resolve().parent
    if path.resolve().is_relative_to(root):
        # Loaded a second time, its quantities would be other functions than those the derivation is of.
        inner = path.resolve().relative_to(root).with_suffix("").parts
        own = _claims_in(import_module(".".join((library.__name__, *inner))))
        if not own:
            raise _no_claim(path)
        return own
    name = "claims_of_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise AssumptionError(f"{path}:{error.lineno}: syntax error: {error.msg}") from None
    except (Exception, SystemExit) as error:  # a file that leaves would end the check with exit code 0
        raise AssumptionError(f"{path}: {type(error).__name__}: {error}") from error
    found = _claims_in(module)
    if not found:
        raise _no_claim(path)
    _refuse_duplicates((claim.id, str(path)) for claim in found)
    return [_with_own_derivation(claim, path.resolve().parent) for claim in found]


def _no_claim(path: Path) -> AssumptionError:
    return AssumptionError(f"{path}: defines no claim (a top-level Claim object)")


def fingerprint(claim: Claim) -> str:
    """Changes when what a claim says changes; the code that computes its quantities is in `sources_digest`."""
    parts = [
        *(repr(getattr(claim, name)) for name in ("id", "statement", "relations", "assumptions", "variables")),
        repr(claim.hypotheses),
        *(repr(getattr(claim, name)) for name in ("expected", "derivation", "resolution", "counterexample")),
        *(f"{symbol}: {expression}" for symbol, expression in claim.definitions.items()),
        *(f"{symbol}: {quantity.rigorous} {quantity.convex}" for symbol, quantity in claim.quantities.items()),
        "" if claim.box is None else str(dict(claim.box.sides)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def sources_digest(located: Iterable[Located]) -> str:
    """Changes with any line of the package, of the derivations, or of the files of one's own that claims come from."""
    package = Path(library.__file__).parents[2]
    files = [path for folder in (package, *DERIVATION_FOLDERS) for path in sorted(folder.rglob("*.py"))]
    files += sorted({Path(item.origin) for item in located if item.origin is not None and item.origin.endswith(".py")})
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _with_own_derivation(claim: Claim, folder: Path) -> Claim:
    if claim.derivation is None or not (folder / claim.derivation).is_file():
        return claim
    return replace(claim, derivation=str(folder / claim.derivation))


def _claims_in(module: ModuleType) -> list[Claim]:
    found: list[Claim] = []
    for value in vars(module).values():
        for claim in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(claim, Claim) and all(claim is not other for other in found):
                found.append(claim)
    return found


def _from_library(claim_id: str) -> Claim:
    known = library_claims()
    if claim_id not in known:
        import difflib

        close = difflib.get_close_matches(claim_id, known, n=3)
        hint = f"; close: {', '.join(close)}" if close else "; `mdtheory claims` lists them"
        raise AssumptionError(f"claim = {claim_id!r}: not in the library{hint}")
    return known[claim_id]


def _refuse_duplicates(pairs: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for claim_id, origin in pairs:
        if claim_id in seen:
            raise AssumptionError(f"claim id {claim_id!r}: given twice, in {seen[claim_id]} and {origin}")
        seen[claim_id] = origin
