"""Every derivation holds, and none would hold with a sign of its theorem flipped."""

import ast
import contextlib
import importlib.util
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "derivations"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
MUTANTS_PER_SCRIPT = 6
MARKER = "# claim"


def claimed_lines(source: str) -> set[int]:
    """Numbers of the lines that state a formula of the theorem."""
    return {number for number, line in enumerate(source.splitlines(), 1) if line.rstrip().endswith(MARKER)}


def signs(tree: ast.AST, lines: set[int]) -> list[ast.BinOp | ast.UnaryOp]:
    """The additions, subtractions and negations on these lines, in source order.

    A sum is placed where its right operand starts. Only formulas of the theorem belong on a claimed line, so that
    every flip makes a false statement.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and node.right.lineno in lines:
            found.append((node.right.lineno, node.right.col_offset, node))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and node.lineno in lines:
            found.append((node.lineno, node.col_offset, node))
    return [node for _, _, node in sorted(found, key=lambda item: item[:2])]


def flip(node: ast.BinOp | ast.UnaryOp) -> None:
    """Turn + into -, - into +, and a negation into nothing."""
    if isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    else:
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()


def quick(count: int) -> list[int]:
    """At most MUTANTS_PER_SCRIPT indices below count, evenly spaced and always the same; the others are slow."""
    kept = min(count, MUTANTS_PER_SCRIPT)
    return sorted({round(i * (count - 1) / max(kept - 1, 1)) for i in range(kept)})


def mutants() -> Iterator[object]:
    """One test parameter per mutant, named after the script and the line."""
    for path in SCRIPTS:
        source = path.read_text(encoding="utf-8")
        lines = claimed_lines(source)
        nodes = signs(ast.parse(source), lines)
        for index, node in enumerate(nodes):
            marks = () if index in quick(len(nodes)) else (pytest.mark.slow,)
            yield pytest.param(path, index, id=f"{path.stem}-line{node.lineno}-sign{index}", marks=marks)


def run(code: object, name: str) -> None:
    """Execute a script's code under a name of its own and call main(), without its output."""
    namespace = {"__name__": name}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, namespace)
        namespace["main"]()


@pytest.fixture(autouse=True)
def helpers_on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripts import their private helpers from their own folder; forget those modules afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for path in FOLDER.glob("_*.py"):
        sys.modules.pop(path.stem, None)


def test_there_are_derivations() -> None:
    assert len(SCRIPTS) >= 13


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_derivation_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location(f"derivation_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()
    printed = capsys.readouterr().out
    assert printed.count("[") >= 3, "a derivation checks at least three steps"
    assert printed.count("[   ~]") < printed.count("[") / 2, "most steps are proofs, not illustrations"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_derivation_marks_its_claims_and_needs_no_package(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert len(claimed_lines(source)) >= 2
    assert len(signs(tree, claimed_lines(source))) >= 2
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(name.split(".")[0] == "mdtheory" for name in imported)
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), "assert vanishes under python -O"


@pytest.mark.parametrize(("path", "index"), list(mutants()))
def test_derivation_fails_with_a_sign_flipped(path: Path, index: int) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    flip(signs(tree, claimed_lines(source))[index])
    code = compile(ast.fix_missing_locations(tree), str(path), "exec")
    with pytest.raises(AssertionError, match="not established"):
        run(code, f"mutant_of_{path.stem}")


def test_unmutated_source_passes_the_mutant_runner() -> None:
    path = SCRIPTS[0]
    run(compile(path.read_text(encoding="utf-8"), str(path), "exec"), "unmutated")


def test_readme_lists_every_derivation() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in SCRIPTS if f"`{path.name}`" not in text] == []


@pytest.mark.parametrize(
    "statement",
    [
        "identity('false', x, x + 1)",
        "identity('branch', sp.sqrt(z**2), z)",
        "positive('unknown sign', z)",
        "nonnegative('negative', -x)",
        "negative('positive', x)",
        "holds('false', 1 > 2)",
        "agrees('far', 1, 2, 0.5)",
    ],
)
def test_checks_reject_what_is_false_or_unknown(statement: str) -> None:
    prelude = (
        "import sympy as sp\n"
        "from _check import agrees, holds, identity, negative, nonnegative, positive\n"
        "x, z = sp.Symbol('x', positive=True), sp.Symbol('z', real=True)\n"
    )
    with pytest.raises(AssertionError, match="not established"):
        exec(prelude + statement, {})
