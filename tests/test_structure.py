"""The plan of the package: modules import downwards only, without circles, and at the top of the file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mdtheory"

# From the bottom up. A module may import what stands before it; what stands together does not meet.
ORDER = (
    {"foundation"},
    {"numerics"},
    {"special", "conventions", "spreads", "losses", "optimisers", "neural_collapse"},
    {"expectation", "sphere_expectation"},
    {"class_expectation"},
    {"models"},
    {"models.features"},
    {"models.dilation", "models.max_margin", "models.joint", "models.deep"},
    {"models.registry"},
    {"symbolic", "questions", "networks"},
    {"sweeps", "drawing"},
    {"phase", "claims"},
    {"mdtheory"},
    {"command"},
    {"__main__"},
)
# The registry names every problem type, and these follow from it.
ABOVE_THE_REGISTRY = {"mdtheory.models.registry", "mdtheory.models.parameters", "mdtheory.models.solving"}
# What costs more to import than the rest together: modules that load these may be imported where they are needed.
HEAVY = {"cvxpy", "matplotlib", "sympy", "xarray"}
MOST_MODULES_IN_THE_ROOT = 8


def modules() -> dict[str, Path]:
    named = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


MODULES = modules()


@cache
def statements(module: str) -> tuple[tuple[ast.Import | ast.ImportFrom, bool], ...]:
    """The imports of a module that run, and whether they do so inside a function. Those for type checkers do not."""

    def visit(node: ast.AST, inside: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield child, inside
            yield from visit(child, inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    return tuple(visit(ast.parse(MODULES[module].read_text()), False))


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """The modules of the package that a module imports, and whether inside a function."""
    for statement, inside in statements(module):
        if isinstance(statement, ast.Import):
            yield from ((alias.name, inside) for alias in statement.names if alias.name in MODULES)
        elif statement.module in MODULES:
            for alias in statement.names:
                inner = f"{statement.module}.{alias.name}"
                yield (inner if inner in MODULES else statement.module), inside


def packages(module: str) -> Iterator[tuple[str, bool]]:
    """The packages that a module imports, and whether inside a function."""
    for statement, inside in statements(module):
        names = (
            [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else [statement.module or ""]
        )
        yield from ((name.partition(".")[0], inside) for name in names)


def place(module: str) -> int:
    """The storey of a module."""
    if module in ABOVE_THE_REGISTRY:
        return storey("models.registry")
    inner = module.removeprefix("mdtheory.")
    parts = inner.split(".")
    if parts[0] == "models" and len(parts) > 1 and (PACKAGE / "models" / parts[1]).is_dir():
        return storey(f"models.{parts[1]}")
    return storey(parts[0])


def storey(name: str) -> int:
    return next(level for level, names in enumerate(ORDER) if name in names)


def unit(module: str) -> str:
    parts = module.split(".")
    if parts[:2] == ["mdtheory", "models"]:
        return ".".join(parts[:3])
    return ".".join(parts[:2])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_import_downwards(module):
    for other, _ in imports(module):
        if unit(other) != unit(module):
            assert (
                place(other) < place(module)
                or (place(other) == place(module) == storey("models"))
                or ({module, other} <= ABOVE_THE_REGISTRY)
            ), f"{module} imports {other}"


def test_there_are_no_circles():
    waiting = {module: {other for other, _ in imports(module)} - {module} for module in MODULES}
    while free := [module for module, needed in waiting.items() if not needed & set(waiting)]:
        for module in free:
            del waiting[module]
    assert not waiting, f"circles among {sorted(waiting)}"


def loads(module: str, seen: set[str]) -> set[str]:
    """The heavy packages that a module loads when it is imported."""
    seen.add(module)
    found = {name for name, inside in packages(module) if not inside} & HEAVY
    for other, inside in imports(module):
        if not inside and other not in seen:
            found |= loads(other, seen)
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_what_loads_a_heavy_package_is_imported_late(module):
    for other in {other for other, inside in imports(module) if inside}:
        assert loads(other, set()), f"{module} imports {other} inside a function"


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, mdtheory; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert HEAVY.isdisjoint(name.partition(".")[0] for name in loaded)
    assert "scipy.optimize" not in loaded


def test_few_modules_stand_in_the_root():
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_MODULES_IN_THE_ROOT
