"""The HTML page of the report: one self-contained file."""

import base64
from collections.abc import Sequence
from html import escape

from mdtheory.command.tables import number
from mdtheory.models.model import Record

Table = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[bool]]

DILATION_CAPTION = "Dilation r of the class clusters against the noise level, both on logarithmic axes, for every loss."

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1, h2 { line-height: 1.2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; }
th { border-bottom: 2px solid #888; }
.number { text-align: right; }
figure { margin: 2rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { max-width: 50rem; color: #444; }
p { max-width: 50rem; }
.claim { border-top: 1px solid #ccc; padding: 0.6rem 0; }
.claim h3 { margin: 0.4rem 0; }
.claim .math { vertical-align: middle; }
.verdict { font-size: 0.8rem; font-weight: 600; padding: 0.1rem 0.5rem; border-radius: 0.3rem; color: #fff; }
.PROVED { background: #00563f; } .CERTIFIED { background: #0072b2; } .SUPPORTED { background: #6b6b6b; }
.REFUTED { background: #9c3d00; } .UNDECIDED, .VACUOUS, .ERROR { background: #000; }
summary { cursor: pointer; }
pre, code { background: #f4f4f4; font-size: 0.86rem; overflow-x: auto; }
"""

_INTRODUCTION = """
<p>Two classes with balanced, clean labels collapse to the class means h<sub>1</sub>, h<sub>2</sub> and the classifier
of the unconstrained features model. Label noise then has two effects: the features u of noisy examples move towards
their wrong label (memorisation, &rho; = &#8214;u<sub>1</sub> &minus; h<sub>2</sub>&#8214;), and clean examples spread
around their class mean (dilation, r), linked by &eta;&rho; &le; C r/D<sup>q</sup> with
D = &#8214;h<sub>1</sub> &minus; h<sub>2</sub>&#8214;, q = 1 for absolute and q = 0 for relative scaling.</p>
<p>ND = r/D is the normalised dilation. The noisy margin t is the margin of a noisy example for its wrong label: it is
memorised where t is positive. The test error is the error rate of unseen clean examples. The gap is the objective
minus a lower bound recomputed from the answer alone. The last column but two of the table is the distance of the dilation from
that of an independent conic programme, solved by cvxpy without assuming symmetry; it says why where there is none.</p>
<p>In the last two columns class means and classifier are optimal <em>together</em> with the noisy features, all of which then decay alike: the
normalised dilation, and the distance of the class means over that without noise. Losses whose slope is not continuous, or that are not
convex, are not covered, nor is the squared error without a bias.</p>
"""


def render(
    parameters: Record,
    solved: Table,
    solutions: Sequence[Record],
    figures: Sequence[tuple[bytes, str]],
    sections: Sequence[str] = (),
) -> str:
    """The page as a string; figures are PNG images with their captions, sections HTML of their own."""
    body = [
        "<h1>Memorization and dilation under label noise</h1>",
        _INTRODUCTION,
        "<h2>Parameters</h2>",
        table(("parameter", "value"), [(name, number(value)) for name, value in parameters.items()], (False, False)),
        "<h2>Solutions</h2>",
        table(*solved),
        _legend(solutions),
        "<h2>Figures</h2>",
        *(_figure(image, caption) for image, caption in figures),
        "<h2>Class means and noisy features</h2>",
        "<p>Columns are h<sub>1</sub>, h<sub>2</sub> and u<sub>1</sub>, u<sub>2</sub>; u<sub>n</sub> is the feature of "
        "an example labelled n that looks like the other class. Up to rotation.</p>",
        _matrices(solutions),
        *sections,
    ]
    return document("mdtheory report", body)


def document(title: str, body: Sequence[str]) -> str:
    """A whole HTML page, with the style in it."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """An HTML table; columns of numbers stand to the right."""
    kinds = [' class="number"' if r else "" for r in right]
    head = "".join(f"<th{kind}>{escape(cell)}</th>" for cell, kind in zip(header, kinds, strict=True))
    lines = (
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n' + "\n".join(lines) + "\n</table></div>"


def _legend(solutions: Sequence[Record]) -> str:
    meanings = {record["status"]: record["status_message"] for record in solutions}
    return "<p>" + "<br>".join(f"{escape(name)}: {escape(text)}." for name, text in meanings.items()) + "</p>"


def _figure(image: bytes, caption: str) -> str:
    data = base64.b64encode(image).decode("ascii")
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}">\n<figcaption>{text}</figcaption></figure>'


def _matrices(solutions: Sequence[Record]) -> str:
    header = ("loss", "h1", "h2", "u1", "u2")
    rows = [
        [record["label"], *_columns(record["class_means"]), *_columns(record["noisy_features"])] for record in solutions
    ]
    return table(header, rows, (False, False, False, False, False))


def _columns(matrix: list[list[float]] | None) -> list[str]:
    if matrix is None:
        return ["undefined", "undefined"]
    return ["(" + ", ".join(number(entry) for entry in column) + ")" for column in zip(*matrix, strict=True)]
