"""A report as text for a terminal."""

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mdtheory.claims.records import Report, Row


def report_text(report: "Report") -> str:
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


def _mark(row: "Row") -> str:
    return "" if row.standing == "as expected" else f"[{row.standing}, expected {row.target.name}] "


def _mutants(report: "Report") -> list[str]:
    refuted, counted = report.mutant_rate
    share = 100.0 * refuted / counted if counted else 100.0
    lines = [f"mutants: {refuted} of {counted} refuted ({share:.1f} %)"]
    everything = [(row.id, m) for row in report.rows for m in row.mutants]
    kinds = Counter(m.outcome for _, m in everything)
    lines.append("  " + ", ".join(f"{count} {name}" for name, count in sorted(kinds.items())))
    lines += [f"  survivor {i} {m.name} ({m.text}): {m.reason}" for i, m in everything if m.outcome == "survivor"]
    return lines
