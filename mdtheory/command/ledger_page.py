"""The ledger as one self-contained HTML file: statements typeset, verdicts, evidence, how to reproduce."""

import base64
import re
from collections import Counter
from functools import lru_cache
from html import escape
from io import BytesIO

from mdtheory.claims.declarations import derivation_path
from mdtheory.claims.evidence import Evidence
from mdtheory.claims.finding import library_topics
from mdtheory.claims.records import Report, Row
from mdtheory.command.page import document

_OWN = "Claims of your own"
_LEGEND = """
<p>PROVED: sympy or a runnable derivation proves it for all values. CERTIFIED: proved in ball arithmetic on the stated box or at
the stated witness. SUPPORTED: every draw and every certified optimum agrees; nothing is proved. REFUTED: there is a counterexample, verified
in ball arithmetic; known-false statements are kept with theirs. A claim passes with at least the verdict expected of it.</p>
"""


def render(report: Report) -> str:
    """The page as a string."""
    totals = Counter(row.verdict.name for row in report.rows)
    settings = report.settings
    body = [
        "<h1>Ledger of claims</h1>",
        _LEGEND,
        f"<p>{len(report.rows)} claims: " + ", ".join(f"{n} {name}" for name, n in sorted(totals.items())) + ". ",
        ("Every claim as expected." if report.passed else "Not everything is as expected.") + "</p>",
        f"<p>Level {settings.level}, {settings.samples} draws a claim, seed {settings.seed}.</p>",
    ]
    if settings.mutants:
        refuted, counted = report.mutant_rate
        body.append(f"<p>Mutants: {refuted} of {counted} that are not equivalent to their claim were refuted.</p>")
    groups = _by_topic(report)
    body.append(_index(groups))
    for title, rows in groups.items():
        body += [f"<h2>{escape(title)}</h2>", *(_claim(row) for row in rows)]
    return document("mdtheory: ledger of claims", body)


def _by_topic(report: Report) -> dict[str, list[Row]]:
    """The rows under the titles of the library's topics; claims of one's own come first."""
    titles = {claim.id: topic.title for topic in library_topics() for claim in topic.claims}
    groups: dict[str, list[Row]] = {_OWN: [], **{topic.title: [] for topic in library_topics()}}
    for row in report.rows:
        groups[titles.get(row.id, _OWN)].append(row)
    return {title: rows for title, rows in groups.items() if rows}


def _index(groups: dict[str, list[Row]]) -> str:
    lines = []
    for title, rows in groups.items():
        lines.append(f'<tr><th colspan="3">{escape(title)}</th></tr>')
        lines += [
            f'<tr><td><a href="#{row.id}">{escape(row.title)}</a></td><td>{_badge(row)}</td>'
            f"<td>{escape(row.expected.name)}</td></tr>"
            for row in rows
        ]
    head = "<tr><th>claim</th><th>verdict</th><th>expected</th></tr>"
    return f'<div class="wide"><table>{head}\n' + "\n".join(lines) + "\n</table></div>"


def _claim(row: Row) -> str:
    parts = [
        f'<div class="claim" id="{row.id}">',
        f"<h3>{escape(row.title)} {_badge(row)}</h3>",
        f"<p>{typeset(row.statement)}</p>",
        f"<p><code>{row.id}</code>, {escape(row.source)}. {escape(row.summary[:1].upper() + row.summary[1:])}.</p>",
    ]
    if row.hypotheses:
        parts.append(f"<p>Setting: {escape(', '.join(row.hypotheses))}.</p>")
    if row.notes:
        parts.append(f"<p>{typeset(row.notes)}</p>")
    if row.counterexample is not None:
        point = ", ".join(f"{name} = {value}" for name, value in row.counterexample.items())
        parts.append(f"<p>Counterexample: {escape(point)}</p>")
    details = [_evidence(e) for e in row.evidence]
    if row.error is not None:
        details.append(f"<pre>{escape(row.error)}</pre>")
    if row.mutants:
        outcomes = Counter(m.outcome for m in row.mutants)
        details.append("<p>Mutants: " + ", ".join(f"{n} {name}" for name, n in sorted(outcomes.items())) + ".</p>")
        details += [
            f"<p>{escape(m.name)} ({escape(m.text[:200])}): {escape(m.outcome)}, {escape(m.reason)}</p>"
            for m in row.mutants
            if m.outcome not in ("refuted", "sharp")
        ]
    details.append(f"<p>Reproduce: <code>{escape(row.reproduce)}</code></p>")
    parts.append("<details><summary>Evidence</summary>" + "\n".join(details) + "</details>")
    parts.append(_derivation(row))
    return "\n".join(parts) + "</div>"


def _evidence(evidence: Evidence) -> str:
    lines = [f"{evidence.checker}: {evidence.verdict.name}, {evidence.message} ({evidence.seconds:.2f} s)"]
    if evidence.counts:
        lines.append("counts: " + ", ".join(f"{value} {name}" for name, value in evidence.counts.items()))
    if evidence.where is not None:
        lines.append("smallest slack at " + ", ".join(f"{k} = {v}" for k, v in evidence.where.items()))
    lines += [f"{name} = {value}" for name, value in evidence.values.items()]
    lines += [f"{name}: {value}" for name, value in evidence.details.items()]
    return "<pre>" + escape("\n".join(lines)) + "</pre>"


def _derivation(row: Row) -> str:
    path = None if row.derivation is None else derivation_path(row.derivation)
    if path is None:
        return ""
    text = escape(path.read_text(encoding="utf-8"))
    return f"<details><summary>Derivation: {escape(str(row.derivation))}</summary><pre>{text}</pre></details>"


def _badge(row: Row) -> str:
    return f'<span class="verdict {row.verdict.name}">{row.verdict.name}</span>'


def typeset(text: str) -> str:
    """HTML for text with formulas between dollar signs; what cannot be typeset stays as it is."""
    pieces = re.split(r"(\$[^$]+\$)", text)
    return "".join(_formula(piece) if piece.startswith("$") else escape(piece) for piece in pieces)


@lru_cache(maxsize=1024)
def _formula(source: str) -> str:
    from matplotlib import mathtext, rc_context
    from matplotlib.font_manager import FontProperties

    image = BytesIO()
    try:
        with rc_context({"mathtext.fontset": "cm", "svg.hashsalt": "mdtheory"}):
            depth = mathtext.math_to_image(source, image, prop=FontProperties(size=12), dpi=72, format="svg")
    except ValueError:
        return f"<code>{escape(source)}</code>"
    data = base64.b64encode(image.getvalue()).decode("ascii")
    alt = escape(source.strip("$"), quote=True)
    style = f"vertical-align: {-float(depth):.1f}pt"
    return f'<img class="math" style="{style}" alt="{alt}" src="data:image/svg+xml;base64,{data}">'
