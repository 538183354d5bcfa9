"""The plan of the package: modules import downwards only, without circles, and at the top of the file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mdtheory"

# From the bottom up. A module may import what stands before it; what stands together does not meet.
ORDER = (
    {"foundation"},
    {"numerics"},
    {"special", "conventions", "spreads", "losses", "optimisers", "neural_collapse"},
    {"expectation"},
    {"models"},
    {"models.features"},
    {"models.dilation", "models.max_margin"},
    {"models.registry"},
    {"symbolic", "questions"},
    {"sweeps", "drawing"},
    {"phase", "claims"},
    {"mdtheory"},
    {"command"},
    {"__main__"},
)
# The registry names every problem type, and these follow from it.
ABOVE_THE_REGISTRY = {"mdtheory.models.registry", "mdtheory.models.parameters", "mdtheory.models.solving"}
# Modules whose functions import modules of the package: doors that open on first use, because what is behind loads much.
LAZY_DOORS = {
    "mdtheory.command.main",
    "mdtheory.command.phase",
    "mdtheory.command.report",
    "mdtheory.drawing.pictures",
    "mdtheory.losses.cross_entropy",
    "mdtheory.losses.focal",
    "mdtheory.losses.hinge",
    "mdtheory.losses.label_relaxation",
    "mdtheory.losses.mean_squared_error",
    "mdtheory.models.dilation.global_bound",
    "mdtheory.models.dilation.record",
    "mdtheory.models.features.certificate",
    "mdtheory.models.features.free",
    "mdtheory.models.features.logits_solution",
    "mdtheory.models.features.nonnegative",
    "mdtheory.models.features.record",
    "mdtheory.models.max_margin.solving",
    "mdtheory.numerics.branch_and_bound",
    "mdtheory.numerics.means_in_balls",
    "mdtheory.numerics.straight_line",
    "mdtheory.phase.labelling",
}
MOST_MODULES_IN_THE_ROOT = 8


def modules() -> dict[str, Path]:
    named = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


MODULES = modules()


def imported(node: ast.stmt) -> Iterator[str]:
    """The modules of the package that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in MODULES)
    elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in MODULES else node.module


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """What a module imports when it runs, and whether it does so inside a function. Imports for type checkers are none."""

    def visit(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield from ((name, inside) for name in imported(child))
            yield from visit(child, inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    yield from visit(ast.parse(MODULES[module].read_text()), False)


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


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_of_the_package_are_imported_at_the_top(module):
    late = [other for other, inside in imports(module) if inside]
    assert late if module in LAZY_DOORS else late == []


def test_few_modules_stand_in_the_root():
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_MODULES_IN_THE_ROOT
