"""From claims to verdicts: which checkers run, what they add up to, and whether that is what was expected."""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from mdtheory.claims.certified import check_certified, check_witness
from mdtheory.claims.convex import check_convex
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.finding import Located, fingerprint, load, sources_digest
from mdtheory.claims.model import STRENGTH, Claim, Verdict
from mdtheory.claims.mutants import MutantResult, attack
from mdtheory.claims.records import LEVELS, Level, Report, Row, Settings
from mdtheory.claims.sampled import check_sampled
from mdtheory.claims.symbolic import check_symbolic
from mdtheory.foundation.errors import AssumptionError

HEARTBEAT_SECONDS = 15.0
"""How often processes at work are named while none of them finishes."""

Progress = Callable[[str], None]


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
    progress: Progress | None = None,
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
    sources = sources_digest(located)
    done = _kept(path, settings, sources, located) if resume and path is not None else {}
    total = len(located)
    for row in _rows([item for item in located if item.claim.id not in done], settings, jobs, progress):
        done[row.id] = row
        ordered = tuple(done[item.claim.id] for item in located if item.claim.id in done)
        if path is not None:
            _write(path, Report(rows=ordered, settings=settings, sources=sources).to_json())
        if progress is not None:
            progress(f"{len(done)}/{total} {row.id}: {row.verdict.name} ({row.seconds:.1f} s)")
    return Report(rows=tuple(done[item.claim.id] for item in located), settings=settings, sources=sources)


def check_claim(claim: Claim, settings: Settings, reproduce: str = "", progress: Progress | None = None) -> Row:
    """Run the checkers of a level on one claim; a checker that raises makes an error row.

    With one BLAS thread: the matrices are small, and on a busy machine threads that wait for each other take ten times as long.
    """
    start = time.perf_counter()
    evidence: list[Evidence] = []
    found: tuple[MutantResult, ...] = ()
    error: str | None = None
    try:
        with threadpool_limits(1):
            for _, checker in _checkers(claim, settings, progress):
                evidence.append(checker())
            if settings.mutants:
                found = tuple(attack(claim, seed=settings.seed, per_kind=settings.mutants_per_kind))
    except (Exception, SystemExit):  # also of a quantity that leaves
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
    verdict = Verdict.ERROR if error is not None else _combined(claim, evidence)
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
        hypotheses=claim.hypotheses,
    )


def rerun(report: Report, progress: Progress | None = None) -> list[str]:
    """Repeat every certified row of a report on the box or at the witness stored in it.

    The box comes from the report, the relations from the library or the file that the row names; nothing else of the report is
    believed. The number of parts may differ from one machine to another: where to cut is guessed in double precision.

    Returns
    -------
    list of str
        A line for each row that is not certified again, or whose claim or box is not that of the library or file now.

    Raises
    ------
    AssumptionError
        If there is nothing certified to repeat, a row lacks the evidence of a check that its claim and the settings ask for, its
        verdict is not what its evidence adds up to, or its claim is not found.
    """
    if not report.rows:
        raise AssumptionError("report: holds no rows")
    _refuse_twice([row.id for row in report.rows])
    claims = {row.id: _claim_of(row) for row in report.rows}
    for row in report.rows:
        _require_evidence(row, claims[row.id], report.settings)
    different = [
        f"{row.id}: {change}" for row in report.rows for change in _altered(row, claims[row.id], report.settings)
    ]
    certified = [(row, e) for row in report.rows for e in row.evidence if e.verdict is Verdict.CERTIFIED]
    if not certified:
        raise AssumptionError("report: holds no certified evidence, so there is nothing to repeat")
    for row, evidence in certified:
        claim = claims[row.id]
        again, changes = _repeated(claim, evidence)
        if fingerprint(claim) != row.fingerprint:
            changes.append("the claim is no longer the one that was checked")
        if again is not None and again.verdict is not Verdict.CERTIFIED:
            changes.append(f"{again.verdict.name}, {again.message}")
        different += [f"{row.id}: {change}" for change in changes]
        if progress is not None and again is not None:
            progress(f"{row.id}: {again.verdict.name}, {again.message}")
    return different


def _refuse_twice(ids: Sequence[str]) -> None:
    for claim_id in ids:
        if ids.count(claim_id) > 1:
            raise AssumptionError(f"report: holds row {claim_id!r} twice")


def _claim_of(row: Row) -> Claim:
    """The claim that a row is about, from the library or the file that the row names."""
    found = next((item.claim for item in load((row.origin,)) if item.claim.id == row.id), None)
    if found is None:
        raise AssumptionError(f"report: row {row.id!r} is about no claim of {row.origin}")
    return found


def _require_evidence(row: Row, claim: Claim, settings: Settings) -> None:
    """Refuse a row that says more, or other things, than the evidence it carries."""
    if row.error is not None:
        return
    wanted = [name for name, _ in _checkers(claim, settings, None)]
    there = [e.checker for e in row.evidence]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise AssumptionError(f"report: row {row.id!r} lacks the evidence of its {missing[0]} check")
    if any(
        e.verdict is Verdict.CERTIFIED and e.checker == "certified" and not e.counts.get("proved") for e in row.evidence
    ):
        raise AssumptionError(f"report: row {row.id!r} is certified with no part proved")
    more = [name for i, name in enumerate(there) if name not in wanted or name in there[:i]]
    if more:
        raise AssumptionError(f"report: row {row.id!r} holds evidence of a {more[0]} check that is not made")
    added_up = _combined(claim, row.evidence)
    if added_up is not row.verdict:
        raise AssumptionError(f"report: row {row.id!r} says {row.verdict.name}, but its evidence {added_up.name}")


def _altered(row: Row, claim: Claim, settings: Settings) -> list[str]:
    """Where a row says of its claim what the claim does not say."""
    own = row_of(claim, settings, row.evidence, reproduce=row.reproduce, seconds=row.seconds, error=row.error)
    names = ("title", "statement", "source", "derivation", "notes", "expected", "target", "standing", "hypotheses")
    return [f"the stored {name} is not the claim's" for name in names if getattr(own, name) != getattr(row, name)]


def _repeated(claim: Claim, evidence: Evidence) -> tuple[Evidence | None, list[str]]:
    """The check of the stored box or witness now, and what is not as stored."""
    try:
        if evidence.checker == "witness":
            moved = [] if evidence.where == claim.counterexample else ["the stored witness is not the claim's"]
            return check_witness(replace(claim, counterexample=evidence.where)), moved
        if claim.box is None:
            raise AssumptionError("the claim states no box now")
        sides = {name: tuple(side) for name, side in evidence.details["box"].items()}
        moved = [] if sides == dict(claim.box.sides) else ["the stored box is not the claim's"]
        again = check_certified(replace(claim, box=replace(claim.box, sides=sides)))
        moved += [
            f"the stored {n} are not those of the check"
            for n in ("bits", "log")
            if evidence.details[n] != again.details[n]
        ]
        if (
            not moved
            and again.verdict is Verdict.CERTIFIED
            and evidence.message.split(":")[0] != again.message.split(":")[0]
        ):
            moved.append("the stored message is about another box")
        return again, moved
    except (KeyError, TypeError, AttributeError):
        return None, ["UNDECIDED, the evidence does not say on which box"]
    except AssumptionError as error:
        return None, [f"UNDECIDED, {error}"]


def _checkers(
    claim: Claim, settings: Settings, progress: Progress | None
) -> Iterator[tuple[str, Callable[[], Evidence]]]:
    """The checks of a claim at the level of the settings, by the name that their evidence has."""
    level = settings.level
    if claim.existence:
        yield "witness", lambda: check_witness(claim)
        return
    if level != "sampled" and (claim.symbolic or claim.derivation):
        yield "symbolic", lambda: check_symbolic(claim)
    if level != "symbolic":
        yield "sampled", lambda: check_sampled(claim, samples=settings.samples, seed=settings.seed)
        if any(q.convex for q in claim.quantities.values()) and claim.expected is not Verdict.REFUTED:
            yield "convex", lambda: check_convex(claim)
    elif claim.expected is Verdict.REFUTED:
        yield "sampled", lambda: check_sampled(claim, samples=0, seed=settings.seed)
    if level == "certified" and claim.box is not None and not (settings.quick and claim.box.slow):
        yield "certified", lambda: check_certified(claim, progress=progress)


def _combined(claim: Claim, evidence: Sequence[Evidence]) -> Verdict:
    """A counterexample beats everything; then the strongest, but nothing that no draw could exercise.

    What sympy reduces is not proved where a draw finds a side undefined.
    """
    verdicts = [e.verdict for e in evidence]
    if claim.symbolic and any(e.counts.get("undefined") for e in evidence):
        verdicts = [Verdict.UNDECIDED if v is Verdict.PROVED else v for v in verdicts]
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
    if target is Verdict.VACUOUS and STRENGTH.get(verdict, 0) > 0:
        return "contradicted"
    if verdict is target:
        return "as expected"
    if verdict in (Verdict.ERROR, Verdict.VACUOUS) or STRENGTH[verdict] < STRENGTH[target]:
        return "undecided"
    return "as expected"


def _rows(located: Sequence[Located], settings: Settings, jobs: int, progress: Progress | None) -> Iterator[Row]:
    # Claims that other processes cannot find are checked here.
    here = located if jobs == 1 or len(located) < 2 else [item for item in located if item.origin is None]
    elsewhere = {item.claim.id: item.origin for item in located if item.origin is not None and item not in here}
    for item in here:
        yield check_claim(item.claim, settings, item.command(settings.level, settings.seed), progress)
    if not elsewhere:
        return
    pool = ProcessPoolExecutor(max_workers=jobs, initializer=_prepare_process)
    try:
        running = {
            pool.submit(_check_located, origin, claim_id, settings): claim_id for claim_id, origin in elsewhere.items()
        }
        yield from _finished(running, progress)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


def _finished(waiting: dict[Future[Row], str], progress: Progress | None) -> Iterator[Row]:
    """The rows as they come, with a sign of life in between."""
    while waiting:
        done, _ = wait(waiting, timeout=HEARTBEAT_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            del waiting[future]
            yield future.result()
        if not done and progress is not None:
            progress("still checking " + ", ".join(name for future, name in waiting.items() if future.running()))


def _prepare_process() -> None:
    """A silent end: an interrupt from the keyboard reaches all processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _check_located(origin: str, claim_id: str, settings: Settings) -> Row:
    """In another process: claims hold functions and do not travel, so they are loaded again."""
    item = next(found for found in load((origin,)) if found.claim.id == claim_id)
    return check_claim(item.claim, settings, item.command(settings.level, settings.seed))


def _kept(path: Path, settings: Settings, sources: str, located: Sequence[Located]) -> dict[str, Row]:
    if not path.is_file():
        return {}
    before = Report.from_json(path.read_text(encoding="utf-8"))
    if before.settings != settings or before.sources != sources:
        return {}
    # The code of a claim that came from no file cannot be compared.
    current = {item.claim.id: item.claim for item in located if item.origin is not None}
    return {row.id: row for row in before.rows if row.id in current and _holds(row, current[row.id], settings)}


def _holds(row: Row, claim: Claim, settings: Settings) -> bool:
    """Whether a stored row is about this claim and says what its evidence adds up to."""
    if row.error is not None or fingerprint(claim) != row.fingerprint:
        return False
    try:
        _require_evidence(row, claim, settings)
    except AssumptionError:
        return False
    return not _altered(row, claim, settings)


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
