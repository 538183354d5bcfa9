"""How a quantity is called: in code, in mathematics, in words, on an axis and in the shell."""

from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal, get_args, get_origin

import numpy as np

Kind = Literal["number", "count", "flag", "word", "vector", "matrix", "part", "other"]
"""What its values are: "part" is a loss or a spread, "other" what cannot be written in a word."""


@dataclass(frozen=True, slots=True)
class Parameter:
    r"""How a quantity is written on an axis, and given in the shell.

    Attributes
    ----------
    path : str
        Its name in code.
    symbol : str
        Its symbol in mathtext, without dollar signs.
    label : str
        Its name in words.
    unit : str
        Always "1": every quantity of the theory is dimensionless.
    log : bool
        Whether it is best shown on a logarithmic axis.
    help : str
        What the shell says of it; the label if there is no more to say.
    default : object
        Its value in the shell where none is given; None where the problem has one, or needs one.
    kind : str
        What its values are, see `Kind`.
    choices : tuple of str
        The values of a "word".

    Examples
    --------
    >>> Parameter("noise", r"\eta", "noise level").axis_label
    'noise level $\\eta$'
    """

    path: str
    symbol: str
    label: str
    unit: str = "1"
    log: bool = False
    help: str = ""
    default: Any = None
    kind: Kind = "number"
    choices: tuple[str, ...] = ()

    @property
    def axis_label(self) -> str:
        """Words and symbol, for the label of an axis."""
        return f"{self.label} ${self.symbol}$" if self.symbol else self.label


def field_names(record: Any) -> tuple[str, ...]:
    """The fields of a dataclass, or of a record of it, that it is made from."""
    return tuple(field.name for field in fields(record) if field.init and field.name != "_")


def own_parameters(kind: type[Any], declared: tuple[Parameter, ...] = ()) -> tuple[Parameter, ...]:
    """A parameter for every field of a dataclass: the declared one, or what its name and its type say.

    Examples
    --------
    >>> @dataclass
    ... class Law:
    ...     tail_index: float
    ...     dim: int
    >>> [(entry.label, entry.kind) for entry in own_parameters(Law)]
    [('tail index', 'number'), ('dim', 'count')]
    """
    known = {entry.path: entry for entry in declared}
    made = (field for field in fields(kind) if field.init and field.name != "_")
    return tuple(known.get(field.name) or _undeclared(field) for field in made)


def is_required(kind: type[Any], name: str) -> bool:
    """Whether a dataclass cannot be made without this field."""
    (field,) = (field for field in fields(kind) if field.name == name)
    return field.default is MISSING and field.default_factory is MISSING


def takes_arrays_by_type(field: Field[Any]) -> bool:
    """Whether the type of a field is a number or an array of them."""
    kinds = get_args(field.type)
    return bool({int, float} & set(kinds)) and any(get_origin(kind) is np.ndarray for kind in kinds)


def _undeclared(field: Field[Any]) -> Parameter:
    kinds = {field.type, *get_args(field.type)}
    names: tuple[tuple[Kind, tuple[object, ...]], ...] = (
        ("flag", (bool, "bool")),
        ("number", (float, "float", "Real")),
        ("count", (int, "int")),
    )
    kind: Kind = next((name for name, types in names if any(entry in kinds for entry in types)), "other")
    return Parameter(field.name, "", field.name.replace("_", " "), kind=kind)
