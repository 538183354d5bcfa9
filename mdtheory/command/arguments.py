"""Problems from the words of a command line: the options of every problem type, and what is made of them."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mdtheory.command.array_files import read_matrix, read_vector
from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.parameter import Parameter, field_names, is_required, own_parameters
from mdtheory.models.model import Model, Part, Problem

_TYPES: dict[str, Callable[[str], Any]] = {"number": float, "count": int, "vector": str, "matrix": str, "word": str}
_METAVARS = {"number": "X", "count": "N", "vector": "X1,X2,...|FILE", "matrix": "FILE"}
_READ: dict[str, Callable[[str, str], Any]] = {"vector": read_vector, "matrix": read_matrix}


def add_problem(
    parser: argparse.ArgumentParser, models: Sequence[Model[Any]], defaults: Mapping[str, Any] | None = None
) -> None:
    """The options of one or several problem types, each once.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    models : sequence of Model
    defaults : mapping, optional
        The options to add, by the names of their values, and what stands in their place where they are not given. By
        default all of them: then None stands there, so that :func:`problem_from` sees what was given.
    """
    seen = set()
    for model in models:
        for name, option in _options(model):
            if name not in seen and (defaults is None or name in defaults):
                seen.add(name)
                standing = option.default if defaults is None else defaults[name]
                _add(parser, name, option, standing, None if defaults is None else standing)


def problem_from(model: Model[Any], given: Mapping[str, Any]) -> Problem[Any, Any]:
    """The problem that the values of the options say; what is None takes the default of its parameter.

    Raises
    ------
    AssumptionError
        If a parameter is missing, or given to a loss or spread that has none of its name.
    """
    values: dict[str, Any] = {}
    for entry in model.own_parameters():
        name = entry.path
        value: Any = given.get(name)
        if name in model.inner:
            value = problem_from(model.inner[name], given)
        elif name in model.parts:
            value = part_from(model, name, given)
        elif value is not None and entry.kind in _READ:
            value = _READ[entry.kind](name, value)
        elif value is None:
            value = entry.default
        if value is not None:
            values[name] = value
    values = model.completed(values)
    for name in field_names(model.problem):
        if name not in values and is_required(model.problem, name):
            raise AssumptionError(f"{name}: {model.name} needs {_flag(name)}")
    problem: Problem[Any, Any] = model.problem(**values)
    return problem


def part_from(model: Model[Any], field: str, given: Mapping[str, Any]) -> Any:
    """The loss or spread that the values of the options say: given parameters must be its own, and required ones there."""
    part = model.parts[field]
    name = given.get(field) or part.default
    kind = part.kinds[name]
    own = {entry.path: entry for entry in _of_kind(kind)}
    values = {}
    for key in _of_part(part):
        value = given.get(_option_name(model, field, key))
        if value is not None and key not in own:
            raise AssumptionError(f"{key} = {value!r}: {name} has no parameter {key}")
        if key in own:
            values[key] = own[key].default if value is None else value
    values = {key: value for key, value in values.items() if value is not None}
    for key in own:
        if key not in values and is_required(kind, key):
            raise AssumptionError(f"{key}: {name} needs {_flag(_option_name(model, field, key))}")
    return kind(**values)


def option_of(model: Model[Any], path: str, given: Mapping[str, Any]) -> str | None:
    """The option for a parameter of the chosen loss or spread, such as ``loss.smoothing``; None for any other path."""
    field, _, key = path.partition(".")
    for owner in _owners(model):
        if field in owner.parts:
            part = owner.parts[field]
            chosen = part.kinds[given.get(field) or part.default]
            return _option_name(owner, field, key) if key in field_names(chosen) else None
    return None


def refuse_foreign(model: Model[Any], models: Sequence[Model[Any]], given: Mapping[str, Any]) -> None:
    """Refuse options of other problem types that were given.

    Raises
    ------
    AssumptionError
        That names the first of them.
    """
    own = {name for name, _ in _options(model)}
    for name in dict.fromkeys(name for other in models for name, _ in _options(other)):
        if name not in own and given.get(name) is not None:
            raise AssumptionError(f"{name} = {given[name]!r}: {model.name} has no option {_flag(name)}")


def _options(model: Model[Any]) -> Iterator[tuple[str, Parameter]]:
    """The options of a problem type by name, in the order of its fields."""
    for entry in model.own_parameters():
        if entry.path in model.inner:
            yield from _options(model.inner[entry.path])
        elif entry.path in model.parts:
            part = model.parts[entry.path]
            choices = tuple(part.kinds)
            yield entry.path, Parameter(entry.path, "", part.help, default=part.default, kind="word", choices=choices)
            for key, option in _of_part(part).items():
                yield _option_name(model, entry.path, key), option
        elif entry.kind != "other":
            yield entry.path, entry


def _owners(model: Model[Any]) -> Iterator[Model[Any]]:
    yield model
    for inner in model.inner.values():
        yield from _owners(inner)


def _of_part(part: Part) -> dict[str, Parameter]:
    """The parameters of all losses or spreads of the package; the help names those that have one."""
    found: dict[str, Parameter] = {}
    owners: dict[str, list[str]] = {}
    for name, kind in part.kinds.items():
        for entry in _of_kind(kind):
            found.setdefault(entry.path, entry)
            owners.setdefault(entry.path, []).append(name)
    for key, entry in found.items():
        if len(owners[key]) < len(part.kinds):
            text = f"{entry.help or entry.label}: {', '.join(owners[key])}"
            found[key] = Parameter(key, entry.symbol, entry.label, help=text, default=entry.default, kind=entry.kind)
    return found


def _of_kind(kind: type[Any]) -> tuple[Parameter, ...]:
    return own_parameters(kind, kind.parameters)


def _option_name(model: Model[Any], field: str, key: str) -> str:
    """That of a parameter of a part: its own, unless the problem has one of that name."""
    return f"{field}_{key}" if key in field_names(model.problem) else key


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _add(parser: argparse.ArgumentParser, name: str, option: Parameter, shown: Any, standing: Any) -> None:
    text = option.help or option.label
    if shown is not None and shown is not False:
        text += f" (default: {shown})"
    text = text.replace("%", "%%")
    if option.kind == "flag":
        parser.add_argument(_flag(name), action=argparse.BooleanOptionalAction, default=standing, help=text)
        return
    parser.add_argument(
        _flag(name),
        type=_TYPES[option.kind],
        metavar=_METAVARS.get(option.kind),
        choices=option.choices or None,
        default=standing,
        help=text,
    )
