"""The parameters of a problem by name: how to set them, and how to write them on an axis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.parameter import Parameter, field_names, own_parameters, takes_arrays_by_type
from mdtheory.foundation.validation import fail, instance
from mdtheory.losses import Loss
from mdtheory.models import model, registry
from mdtheory.models.model import EVERY_OUTPUT, Part
from mdtheory.models.registry import model_of
from mdtheory.spreads import Spread

if TYPE_CHECKING:
    from mdtheory.sweeps.axes import Axis

Problem = model.Problem[Any, Any]
"""A problem of any type."""


def paths(problem: Problem) -> tuple[str, ...]:
    """The names of all parameters of a problem that :func:`with_values` can set.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> paths(mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=1e-3, feature_decay=1e-3))[-3:]
    ('decay', 'loss', 'loss.smoothing')
    """
    found = model_of(problem)
    names = [*found.own_names(), *found.aliases]
    for field in found.parts:
        names += [field, *(f"{field}.{name}" for name in field_names(getattr(problem, field)))]
    for field in found.inner:
        names += paths(getattr(problem, field))
    return tuple(dict.fromkeys(names))


def canonical(path: str) -> str:
    """A path without the optional prefix of the features model.

    Examples
    --------
    >>> canonical("ufm.weight_decay"), canonical("noise")
    ('weight_decay', 'noise')
    """
    prefixes = (f"{field}." for entry in registry.MODELS for field in entry.inner)
    for prefix in prefixes:
        path = path.removeprefix(prefix)
    return path


def with_values(problem: Problem, values: Mapping[str, Any]) -> Any:
    """The same problem with other values of some parameters.

    Parameters
    ----------
    problem : UFM, MemorizationDilation or MaxMargin
    values : mapping
        From paths to values. A path is the name of a field of the problem, of its features model (with or
        without the prefix ``ufm.``), ``loss.`` and a parameter of the loss,
        ``spread.dim``, or ``decay`` for weight and feature decay alike. Arrays broadcast like NumPy's.

    Returns
    -------
    UFM, MemorizationDilation or MaxMargin
        Of the type of `problem`.

    Raises
    ------
    AssumptionError
        If a path is unknown (the message lists the right ones), given twice, or a value is outside its domain.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=1e-3, feature_decay=1e-3)
    >>> with_values(ufm, {"loss.smoothing": 0.1, "decay": [1e-3, 1e-2]}).mu
    array([0.001, 0.01 ])
    >>> with_values(ufm, {"smoothing": 0.1})
    Traceback (most recent call last):
        ...
    mdtheory.foundation.errors.AssumptionError: parameter = 'smoothing': must be one of num_classes, weight_decay, ..., loss.smoothing
    """
    if not isinstance(values, Mapping):
        raise fail("values", values, "must map names of parameters to values, for example {'noise': 0.1}")
    check_paths(problem, tuple(values), replacements(problem, {path: [value] for path, value in values.items()}))
    return _changed(problem, {canonical(path): value for path, value in values.items()})


def check_paths(problem: Problem, names: Sequence[str], others: Sequence[object] = ()) -> None:
    """Check that `names` are parameters of a problem, or of one of the losses and spreads that replace its own.

    Raises
    ------
    AssumptionError
        If a path is unknown, or two paths set the same parameter.
    """
    known = list(paths(problem))
    for field, part, _ in _parts(problem):
        instead = [entry for entry in others if isinstance(entry, part.base)]
        if instead:
            known = [name for name in known if not name.startswith(f"{field}.")]
            known += dict.fromkeys(f"{field}.{name}" for entry in instead for name in field_names(entry))
    seen: set[str] = set()
    for path in names:
        if not isinstance(path, str):
            raise fail("parameter", path, "must be named by a string")
        name = canonical(path)
        if name not in known:
            raise fail("parameter", path, "must be one of " + ", ".join(known))
        if name in seen:
            raise AssumptionError(f"parameter = {path!r}: is given twice")
        seen.add(name)
    for alias, targets in _aliases(problem).items():
        for name in targets:
            if alias in seen and name in seen:
                raise AssumptionError(f"parameter = {alias!r}: sets {name} too; give one of them")


def replacements(problem: Problem, axes: Mapping[str, Any]) -> list[Any]:
    """The losses and spreads among the values of the axes."""
    bases = {field: part.base for field, part, _ in _parts(problem)}
    found: list[Any] = []
    for path, values in axes.items():
        base = bases.get(canonical(path)) if isinstance(path, str) else None
        if base is not None and isinstance(values, Iterable):
            found += [value for value in values if isinstance(value, base)]
    return found


def takes_arrays(problem: Problem, path: str, others: Sequence[object] = ()) -> bool:
    """Whether a problem takes an array of values of a parameter, with its own loss or with any of `others`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.Focal(2.0), num_classes=2, weight_decay=1e-3, feature_decay=1e-3)
    >>> [path for path in paths(ufm) if takes_arrays(ufm, path)]
    ['num_classes', 'weight_decay', 'feature_decay', 'decay', 'loss.focusing']
    """
    name = canonical(path)
    for field, part, own in _parts(problem):
        if name.startswith(f"{field}."):
            instead = [entry for entry in others if isinstance(entry, part.base)] or [own]
            return part.takes_arrays and any(name in _paths_of(field, entry) for entry in instead)
    for record in _records(problem):
        targets = model_of(record).aliases.get(name, (name,))
        whole: Any = record
        own_fields = {field.name: field for field in fields(whole)}
        if targets[0] in own_fields:
            return takes_arrays_by_type(own_fields[targets[0]])
    return False


def check_entries(axes: "Sequence[Axis]") -> None:
    """Check that values of an axis are numbers, strings or records, but for parameters that are vectors themselves.

    Raises
    ------
    AssumptionError
        If a value is a list or an array.
    """
    for axis in axes:
        bad = [value for value in axis.values if isinstance(value, (list, tuple, np.ndarray))]
        if bad and parameter(axis.name).kind not in ("vector", "matrix"):
            raise fail(axis.name, bad[0], "must be one value for each point: an axis is one-dimensional")


def is_count(path: str) -> bool:
    """Whether a parameter is a whole number.

    Examples
    --------
    >>> is_count("ufm.num_classes"), is_count("spread.dim"), is_count("noise")
    (True, True, False)
    """
    return parameter(path).kind == "count"


def parameter(path: str) -> Parameter:
    r"""How the parameter called `path` is written; names of no problem stand for themselves.

    Examples
    --------
    >>> parameter("loss.smoothing").symbol, parameter("imbalance_ratio").label
    ('\\alpha', 'imbalance ratio')
    """
    instance("path", path, str, "a string, the name of a parameter")
    path = canonical(path)
    for known in registry.MODELS:
        for entry in known.parameters:
            if entry.path == path:
                return entry
        for field, part in known.parts.items():
            for entry in _of_kinds(part):
                if f"{field}.{entry.path}" == path:
                    return replace(entry, path=path)
    fields_with_dots = {f"{field}." for known in registry.MODELS for field in known.parts}
    words = path
    for prefix in fields_with_dots:
        words = words.removeprefix(prefix)
    return Parameter(path, "", words.replace("_", " ").replace(".", " "))


def output(name: str) -> Parameter:
    r"""How the field `name` of a solution is written; unknown names stand for themselves.

    Examples
    --------
    >>> output("normalized_dilation").axis_label
    'normalised dilation $\\mathrm{ND}$'
    """
    instance("name", name, str, "a string, the name of a field of a solution")
    known = (entry for found in registry.MODELS for entry in found.outputs)
    listed = (entry for entry in (*known, *EVERY_OUTPUT) if entry.path == name)
    return next(listed, Parameter(name, "", name.replace("_", " ")))


def value_label(value: object) -> str:
    """A value of a parameter that is not a number, in words: a loss, a spread, a list of class weights.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> value_label(mdt.CrossEntropy(smoothing=0.1)), value_label(mdt.Sphere(8)), value_label("absolute")
    ('cross-entropy, smoothing 0.1', 'sphere, dim 8', 'absolute')
    """
    if isinstance(value, (Loss, Spread)):
        return value.label
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(value_label(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def part_of(problem: Problem, field: str) -> Any:
    """The loss or spread of a problem, or of the problem inside it; None if there is none.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> part_of(mdt.UFM(mdt.Hinge(), num_classes=2, weight_decay=0.1, feature_decay=0.1), "loss")
    Hinge()
    """
    return next((own for name, _, own in _parts(problem) if name == field), None)


def _records(problem: Problem) -> Iterator[Problem]:
    """The problem and those inside it."""
    yield problem
    for field in model_of(problem).inner:
        yield from _records(getattr(problem, field))


def _parts(problem: Problem) -> Iterator[tuple[str, Part, Any]]:
    """The name, the kind and the value of every loss and spread."""
    for record in _records(problem):
        for field, part in model_of(record).parts.items():
            yield field, part, getattr(record, field)


def _aliases(problem: Problem) -> dict[str, tuple[str, ...]]:
    return {alias: names for record in _records(problem) for alias, names in model_of(record).aliases.items()}


def _paths_of(field: str, part: Any) -> tuple[str, ...]:
    return tuple(f"{field}.{name}" for name in part.parameter_names())


def _of_kinds(part: Part) -> Iterator[Parameter]:
    """The parameters of the losses or spreads of the package."""
    for kind in part.kinds.values():
        yield from own_parameters(kind, kind.parameters)


def _changed(problem: Problem, named: Mapping[str, Any]) -> Any:
    """The problem with the parameters that are its own, and those inside it, replaced."""
    found = model_of(problem)
    own = {name: named[name] for name in (*found.own_names(), *found.parts) if name in named}
    for alias, targets in found.aliases.items():
        if alias in named:
            own |= dict.fromkeys(targets, named[alias])
    used = {*own, *found.aliases}
    for field, part in found.parts.items():
        inner = {name.removeprefix(f"{field}."): v for name, v in named.items() if name.startswith(f"{field}.")}
        used |= {f"{field}.{name}" for name in inner}
        if inner:
            own[field] = _replaced(own.get(field, getattr(problem, field)), field, part, inner)
    rest = {name: value for name, value in named.items() if name not in used}
    own |= {field: _changed(getattr(problem, field), rest) for field in found.inner if rest}
    record: Any = problem
    return replace(record, **own) if own else problem


def _replaced(record: Any, name: str, part: Part, inner: Mapping[str, Any]) -> Any:
    """A loss or spread with some parameters replaced, which must be its own."""
    if not isinstance(record, part.base):
        raise fail(name, record, f"must be a {part.base.__name__}")
    own = field_names(record)
    for key in inner:
        if key not in own:
            listing = ", ".join(f"{name}.{field}" for field in own) or "none"
            raise fail(
                "parameter", f"{name}.{key}", f"is no parameter of {type(record).__name__}; its parameters: {listing}"
            )
    return replace(record, **{key: _single(value) for key, value in inner.items()})


def _single(value: Any) -> Any:
    """NumPy's one-element numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else value
