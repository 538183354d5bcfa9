"""From claims to verdicts: which checkers run, what they add up to, and whether that is what was expected."""

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mdtheory.claims.certified import check_certified, check_witness
from mdtheory.claims.convex import check_convex
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.finding import Located, fingerprint, load
from mdtheory.claims.model import STRENGTH, Claim, Verdict
from mdtheory.claims.mutants import MutantResult, attack, rate
from mdtheory.claims.sampled import check_sampled
from mdtheory.claims.symbolic import check_symbolic
from mdtheory.errors import AssumptionError

Level = Literal["symbolic", "sampled", "certified"]
LEVELS: tuple[Level, ...] = ("symbolic", "sampled", "certified")
MUTANT_RATE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a claim is checked.

    Attributes
    ----------
    level : {"symbolic", "sampled", "certified"}
        Proofs only; draws and certified optima only; or everything.
    samples : int
        Admissible draws per claim.
    seed : int
    mutants : bool
        Whether mutants are attacked too, at most ``mutants_per_kind`` of each kind.
    quick : bool
        Leave out boxes that a claim marks as slow.
    """

    level: Level = "certified"
    samples: int = 1000
    seed: int = 0
    mutants: bool = False
    mutants_per_kind: int | None = None
    quick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim of a report.

    Attributes
    ----------
    target : Verdict
        What was expected, as far as the checkers that ran can show it.
    standing : {"as expected", "contradicted", "undecided"}
    error : str or None
        The traceback of a checker that raised.
    """

    id: str
    title: str
    statement: str
    source: str
    derivation: str | None
    notes: str
    reproduce: str
    fingerprint: str
    verdict: Verdict
    expected: Verdict
    target: Verdict
    standing: str
    evidence: tuple[Evidence, ...]
    mutants: tuple[MutantResult, ...]
    error: str | None
    seconds: float

    @property
    def counterexample(self) -> Mapping[str, Any] | None:
        """The point at which the claim fails, if one was found and verified."""
        return next((e.counterexample for e in self.evidence if e.counterexample is not None), None)

    @property
    def summary(self) -> str:
        """The evidence that decides, on one line."""
        if self.error is not None:
            return self.error.strip().splitlines()[-1]
        deciding = [e for e in self.evidence if e.verdict is self.verdict]
        return (deciding or list(self.evidence))[0].message if self.evidence else "no checker applies at this level"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        record = {f: getattr(self, f) for f in self.__dataclass_fields__}
        for name in ("verdict", "expected", "target"):
            record[name] = record[name].name
        record["evidence"] = [e.to_dict() for e in self.evidence]
        record["mutants"] = [m.to_dict() for m in self.mutants]
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Row":
        """What `to_dict` wrote."""
        fields = dict(record)
        for name in ("verdict", "expected", "target"):
            fields[name] = Verdict[fields[name]]
        fields["evidence"] = tuple(Evidence.from_dict(e) for e in fields["evidence"])
        fields["mutants"] = tuple(MutantResult(**m) for m in fields["mutants"])
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Verdicts on claims.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the claims.
    settings : Settings
    """

    rows: tuple[Row, ...]
    settings: Settings

    @property
    def passed(self) -> bool:
        """Whether every claim got at least the verdict that was expected of the checkers that ran."""
        return self.exit_code == 0

    @property
    def verdict(self) -> Verdict:
        """The verdict, of a report on one claim."""
        if len(self.rows) != 1:
            raise AssumptionError(f"verdict: a report on one claim has one, this one is on {len(self.rows)}")
        return self.rows[0].verdict

    @property
    def counterexample(self) -> Mapping[str, Any] | None:
        """The counterexample, of a report on one claim."""
        return self.rows[0].counterexample if len(self.rows) == 1 else None

    @property
    def mutant_rate(self) -> tuple[int, int]:
        """How many mutants were refuted, of how many that are not equivalent to their claim."""
        return rate([m for row in self.rows for m in row.mutants])

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 contradicted, 3 undecided."""
        standings = {row.standing for row in self.rows}
        if "contradicted" in standings:
            return 1
        refuted, counted = self.mutant_rate
        return 3 if "undecided" in standings or refuted < MUTANT_RATE * counted else 0

    def to_json(self) -> str:
        """The whole report; `from_json` reads it back."""
        from mdtheory import __version__

        record = {
            "mdtheory": __version__,
            "settings": asdict(self.settings),
            "rows": [row.to_dict() for row in self.rows],
        }
        return json.dumps(record, indent=1, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read a report; raises AssumptionError if it is none."""
        try:
            record = json.loads(text)
            rows = tuple(Row.from_dict(row) for row in record["rows"])
            return cls(rows=rows, settings=Settings(**record["settings"]))
        except (ValueError, KeyError, TypeError) as error:
            raise AssumptionError(f"report: not a ledger report ({error})") from None

    def __str__(self) -> str:
        from mdtheory.claims.table import report_text

        return report_text(self)


def check(
    *claims: str | os.PathLike[str] | Claim,
    level: Level = "certified",
    samples: int = 1000,
    seed: int = 0,
    mutants: bool = False,
    mutants_per_kind: int | None = None,
    quick: bool = False,
    jobs: int = 1,
    json_file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Report:
    r"""Try to prove, certify and break claims; the verdict says how strongly each is supported.

    Parameters
    ----------
    *claims : str, path or Claim
        Ids of the library, files of one's own (names ending in ``.py``), or `Claim` objects. None: the whole library.
    level : {"symbolic", "sampled", "certified"}
        Only proofs (sympy, derivations); only draws, a search for violations and certified optima on a grid; or all of
        these and branch and bound in ball arithmetic over the boxes that claims state.
    samples : int
        Admissible draws per claim.
    seed : int
        Of the draws; each claim has a stream of its own.
    mutants : bool
        Also attack every mutant of every claim (``mutants_per_kind`` of each kind, if given).
    quick : bool
        Skip the boxes that take more than a minute.
    jobs : int
        Processes.
    json_file : path, optional
        Written after every claim. With ``resume=True`` rows that are there already, of the same claim checked in the same
        way, are kept.
    progress : callable, optional
        Called with one line per claim.

    Returns
    -------
    Report

    Raises
    ------
    AssumptionError
        If an id is unknown or given twice, a file cannot be read as claims, or an option is out of its domain.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> report = mdt.check("collapse-to-zero-nonnegative", level="sampled", samples=50)
    >>> report.verdict.name, report.passed
    ('SUPPORTED', True)
    """
    settings = Settings(
        level=level, samples=samples, seed=seed, mutants=mutants, mutants_per_kind=mutants_per_kind, quick=quick
    )
    _require_options(settings, jobs)
    located = load(claims)
    path = None if json_file is None else Path(json_file)
    done = _kept(path, settings, located) if resume and path is not None else {}
    total = len(located)
    for row in _rows([item for item in located if item.claim.id not in done], settings, jobs):
        done[row.id] = row
        ordered = tuple(done[item.claim.id] for item in located if item.claim.id in done)
        if path is not None:
            _write(path, Report(rows=ordered, settings=settings).to_json())
        if progress is not None:
            progress(f"{len(done)}/{total} {row.id}: {row.verdict.name} ({row.seconds:.1f} s)")
    return Report(rows=tuple(done[item.claim.id] for item in located), settings=settings)


def check_claim(claim: Claim, settings: Settings, reproduce: str = "") -> Row:
    """Run the checkers of a level on one claim; a checker that raises makes an error row."""
    start = time.perf_counter()
    evidence: list[Evidence] = []
    found: tuple[MutantResult, ...] = ()
    error: str | None = None
    try:
        for checker in _checkers(claim, settings):
            evidence.append(checker())
        if settings.mutants:
            found = tuple(attack(claim, seed=settings.seed, per_kind=settings.mutants_per_kind))
    except Exception:
        error = traceback.format_exc()
    return row_of(
        claim,
        settings,
        tuple(evidence),
        mutants=found,
        error=error,
        reproduce=reproduce or Located(claim, None).command(settings.level, settings.seed),
        seconds=time.perf_counter() - start,
    )


def row_of(
    claim: Claim,
    settings: Settings,
    evidence: tuple[Evidence, ...],
    *,
    reproduce: str,
    seconds: float,
    mutants: tuple[MutantResult, ...] = (),
    error: str | None = None,
) -> Row:
    """The row that the evidence adds up to."""
    verdict = Verdict.ERROR if error is not None else _combined(evidence)
    target = _target(claim, settings)
    source = f"{claim.source.key}, {claim.source.locator}" if claim.source.locator else claim.source.key
    return Row(
        id=claim.id,
        title=claim.title,
        statement=claim.statement,
        source=source,
        derivation=claim.derivation,
        notes=claim.notes,
        reproduce=reproduce,
        fingerprint=fingerprint(claim),
        verdict=verdict,
        expected=claim.expected,
        target=target,
        standing=_standing(verdict, target),
        evidence=evidence,
        mutants=mutants,
        error=error,
        seconds=seconds,
    )


def rerun(report: Report, progress: Callable[[str], None] | None = None) -> list[str]:
    """Repeat every certified row of a report on the box stored in it; returns what differs, a line each.

    The box comes from the report, the relations from the library or the file that the row names.
    """
    different = []
    for row in report.rows:
        for evidence in row.evidence:
            if evidence.verdict is not Verdict.CERTIFIED:
                continue
            origin = row.reproduce.split()[2]
            claim = next(item.claim for item in load((origin,)) if item.claim.id == row.id)
            if evidence.checker == "witness":
                again = check_witness(replace(claim, counterexample=evidence.where))
            else:
                assert claim.box is not None
                sides = {name: tuple(side) for name, side in evidence.details["box"].items()}
                again = check_certified(replace(claim, box=replace(claim.box, sides=sides)))
            if again.verdict is not Verdict.CERTIFIED or dict(again.counts) != dict(evidence.counts):
                different.append(f"{row.id}: {again.verdict.name}, {again.message}")
            if progress is not None:
                progress(f"{row.id}: {again.verdict.name}, {again.message}")
    return different


def _checkers(claim: Claim, settings: Settings) -> Iterator[Callable[[], Evidence]]:
    level = settings.level
    if claim.existence:
        yield lambda: check_witness(claim)
        return
    if level != "sampled" and (claim.symbolic or claim.derivation):
        yield lambda: check_symbolic(claim)
    if level != "symbolic":
        yield lambda: check_sampled(claim, samples=settings.samples, seed=settings.seed)
        if any(q.convex for q in claim.quantities.values()) and claim.expected is not Verdict.REFUTED:
            yield lambda: check_convex(claim)
    elif claim.expected is Verdict.REFUTED:
        yield lambda: check_sampled(claim, samples=0, seed=settings.seed)
    if level == "certified" and claim.box is not None and not (settings.quick and claim.box.slow):
        yield lambda: check_certified(claim)


def _combined(evidence: Sequence[Evidence]) -> Verdict:
    """A counterexample beats everything; then the strongest, but nothing that no draw could exercise."""
    verdicts = [e.verdict for e in evidence]
    for dominant in (Verdict.REFUTED, Verdict.VACUOUS):
        if dominant in verdicts:
            return dominant
    return max(verdicts, key=lambda v: STRENGTH[v], default=Verdict.UNDECIDED)


def _target(claim: Claim, settings: Settings) -> Verdict:
    """The expected verdict, or the strongest that the checkers of this level can reach."""
    if claim.expected in (Verdict.REFUTED, Verdict.VACUOUS) or claim.existence:
        return claim.expected
    proof = claim.symbolic or claim.derivation is not None
    if settings.level == "symbolic":
        reachable = Verdict.PROVED if proof else Verdict.UNDECIDED
    elif settings.level == "sampled":
        reachable = Verdict.SUPPORTED
    else:
        slow = claim.box is not None and settings.quick and claim.box.slow
        reachable = Verdict.SUPPORTED if slow and not proof else claim.expected
    return min(claim.expected, reachable, key=lambda v: STRENGTH[v])


def _standing(verdict: Verdict, target: Verdict) -> str:
    if target is Verdict.REFUTED:
        if verdict is Verdict.REFUTED:
            return "as expected"
        return "contradicted" if verdict in (Verdict.PROVED, Verdict.CERTIFIED) else "undecided"
    if verdict is Verdict.REFUTED:
        return "contradicted"
    if verdict is target:
        return "as expected"
    if verdict in (Verdict.ERROR, Verdict.VACUOUS) or STRENGTH[verdict] < STRENGTH[target]:
        return "undecided"
    return "as expected"


def _rows(located: Sequence[Located], settings: Settings, jobs: int) -> Iterator[Row]:
    if jobs == 1 or len(located) < 2:
        for item in located:
            yield check_claim(item.claim, settings, item.command(settings.level, settings.seed))
        return
    alone = [item for item in located if item.origin is None]
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        waiting = [
            pool.submit(_check_located, item.origin, item.claim.id, settings)
            for item in located
            if item.origin is not None
        ]
        try:
            for item in alone:
                yield check_claim(item.claim, settings)
            for future in as_completed(waiting):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check_located(origin: str, claim_id: str, settings: Settings) -> Row:
    """In another process: claims hold functions and do not travel, so they are loaded again."""
    item = next(found for found in load((origin,)) if found.claim.id == claim_id)
    return check_claim(item.claim, settings, item.command(settings.level, settings.seed))


def _kept(path: Path, settings: Settings, located: Sequence[Located]) -> dict[str, Row]:
    if not path.is_file():
        return {}
    before = Report.from_json(path.read_text(encoding="utf-8"))
    if before.settings != settings:
        return {}
    current = {item.claim.id: fingerprint(item.claim) for item in located}
    return {row.id: row for row in before.rows if row.error is None and current.get(row.id) == row.fingerprint}


def _write(path: Path, text: str) -> None:
    """All or nothing, so that an interruption leaves the rows written before."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _require_options(settings: Settings, jobs: int) -> None:
    if settings.level not in LEVELS:
        raise AssumptionError(f"level = {settings.level!r}: must be one of {', '.join(LEVELS)}")
    for name, value, low in (("samples", settings.samples, 1), ("seed", settings.seed, 0), ("jobs", jobs, 1)):
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise AssumptionError(f"{name} = {value!r}: must be an integer >= {low}")
