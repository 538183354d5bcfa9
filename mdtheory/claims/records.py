"""What a check says: its settings, a row for each claim, and the report, ready for JSON."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mdtheory.claims.evidence import Evidence
from mdtheory.claims.model import Verdict
from mdtheory.claims.mutants import MutantResult, rate
from mdtheory.foundation import strict_json
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.version import __version__

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
    hypotheses : tuple of str
        The setting in which the claim is made.
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
    hypotheses: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The id or file by which the claim was given."""
        return shlex.split(self.reproduce)[2]

    @property
    def counterexample(self) -> Mapping[str, Any] | None:
        """The point at which the claim fails, if one was found and verified."""
        return next((e.counterexample for e in self.evidence if e.counterexample is not None), None)

    @property
    def summary(self) -> str:
        """The evidence that decides, on one line."""
        if self.error is not None:
            return self.error.strip().splitlines()[-1]
        if not self.evidence:
            return "no checker applies at this level"
        deciding = next((e for e in self.evidence if e.verdict is self.verdict), self.evidence[0])
        unsettled = [e for e in self.evidence if e.verdict is Verdict.UNDECIDED and e is not deciding]
        return deciding.message + "".join(f"; but {e.checker} checks are undecided: {e.message}" for e in unsettled)

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
        fields["hypotheses"] = tuple(fields.get("hypotheses", ()))
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
    sources : str
        A digest of the code and the derivations that were at work: rows are only kept where it is the same.
    """

    rows: tuple[Row, ...]
    settings: Settings
    sources: str = ""

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
        record = {
            "mdtheory": __version__,
            "sources": self.sources,
            "settings": asdict(self.settings),
            "rows": [row.to_dict() for row in self.rows],
        }
        return json.dumps(record, indent=1, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read a report; raises AssumptionError if it is none."""
        try:
            record = strict_json.parse(text, constants=True)
            rows = tuple(Row.from_dict(row) for row in record["rows"])
            return cls(rows=rows, settings=Settings(**record["settings"]), sources=record["sources"])
        except (ValueError, KeyError, TypeError) as error:
            raise AssumptionError(f"report: not a ledger report ({error})") from None

    def __str__(self) -> str:
        return _text(self)


# ------------------------------------------------------------------------------ as text for a terminal


def _text(report: Report) -> str:
    """One line per claim, what contradicts or stays open in full, and the totals."""
    width = max((len(row.id) for row in report.rows), default=2)
    lines = [f"{row.id:<{width}}  {row.verdict.name:<9}  {_mark(row)}{row.summary}" for row in report.rows]
    for row in report.rows:
        if row.counterexample is not None:
            point = ", ".join(f"{name} = {value}" for name, value in row.counterexample.items())
            lines.append(f"  {row.id} fails at {point}")
    totals = Counter(row.verdict.name for row in report.rows)
    lines.append(", ".join(f"{count} {name}" for name, count in sorted(totals.items())))
    open_rows = [row.id for row in report.rows if row.standing != "as expected"]
    lines.append("every claim as expected" if not open_rows else "not as expected: " + ", ".join(open_rows))
    if report.settings.mutants:
        lines += _mutants(report)
    return "\n".join(lines)


def _mark(row: Row) -> str:
    return "" if row.standing == "as expected" else f"[{row.standing}, expected {row.target.name}] "


def _mutants(report: Report) -> list[str]:
    refuted, counted = report.mutant_rate
    share = 100.0 * refuted / counted if counted else 100.0
    lines = [f"mutants: {refuted} of {counted} refuted ({share:.1f} %)"]
    everything = [(row.id, m) for row in report.rows for m in row.mutants]
    kinds = Counter(m.outcome for _, m in everything)
    lines.append("  " + ", ".join(f"{count} {name}" for name, count in sorted(kinds.items())))
    lines += [f"  survivor {i} {m.name} ({m.text}): {m.reason}" for i, m in everything if m.outcome == "survivor"]
    return lines
