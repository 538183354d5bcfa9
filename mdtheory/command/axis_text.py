"""What the command line says in words: axes and boundaries of a phase diagram."""

from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.errors import AssumptionError
from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import LOSSES, Loss
from mdtheory.models.parameters import is_count

_AXIS_FORM = "must be NAME:LOW:HIGH:COUNT, on a logarithmic axis NAME:LOW:HIGH:COUNT:log, for example {example}"
_BOUNDARY_FORM = "must be KIND or KIND=LEVEL, for example memorization or normalized-dilation=0.1"
_LOSS_FORM = "must be a loss with its parameter, for example equal-dilation=cross-entropy:0.1"
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class AxisText:
    """The name of a parameter, its values, and whether they are spaced like logarithms."""

    name: str
    values: FloatArray | NDArray[np.int64]
    log: bool

    @property
    def range(self) -> tuple[Any, ...]:
        """Its ends, as `boundary` takes them."""
        ends = (float(self.values[0]), float(self.values[-1]))
        return (*ends, "log") if self.log else ends


def parse_axis(option: str, text: str) -> AxisText:
    """An axis, from ``NAME:LOW:HIGH:COUNT[:log]``.

    Parameters
    ----------
    option : str
        What the text was given for ("x" or "y"), for the message.
    text : str

    Returns
    -------
    AxisText
        Equally spaced values, or equally spaced logarithms; of parameters that are counts, the different integers
        among them rounded.

    Raises
    ------
    AssumptionError
        In one line that shows the right form.

    Examples
    --------
    >>> parse_axis("x", "noise:1e-3:0.1:3:log").values
    array([0.001, 0.01 , 0.1  ])
    >>> parse_axis("x", "spread.dim:2:8:4").values
    array([2, 4, 6, 8])
    >>> parse_axis("x", "noise:0.1")
    Traceback (most recent call last):
        ...
    mdtheory.foundation.errors.AssumptionError: x = 'noise:0.1': must be NAME:LOW:HIGH:COUNT, ..., for example noise:0.001:0.4:200:log
    """
    example = "loss.smoothing:0:0.5:200" if option == "y" else "noise:0.001:0.4:200:log"
    form = _AXIS_FORM.format(example=example)
    name, *rest = text.split(":")
    if not name or len(rest) not in (3, 4) or (len(rest) == 4 and rest[3] not in ("log", "linear")):
        raise AssumptionError(f"{option} = {text!r}: {form}")
    try:
        low, high, count = float(rest[0]), float(rest[1]), int(rest[2])
    except ValueError:
        raise AssumptionError(f"{option} = {text!r}: {form}") from None
    log = len(rest) == 4 and rest[3] == "log"
    for wrong, why in (
        (not (np.isfinite(low) and np.isfinite(high)), "LOW and HIGH must be finite"),
        (not low < high, "LOW must be below HIGH"),
        (not 2 <= count <= _MOST, f"COUNT must lie in 2..{_MOST}"),
        (log and low <= 0, "LOW must be positive on a logarithmic axis"),
    ):
        if wrong:
            raise AssumptionError(f"{option} = {text!r}: {why}; the form {form.removeprefix('must be ')}")
    values: FloatArray | NDArray[np.int64] = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
    # The ends as given: a logarithm and back may miss them.
    values[[0, -1]] = low, high
    if is_count(name):
        values = np.unique(np.rint(values).astype(np.int64))
    return AxisText(name, values, log)


def parse_boundary(text: str) -> tuple[str, float | None, Loss | None]:
    """The kind of a boundary, its level and the other loss, from ``KIND``, ``KIND=LEVEL`` or ``KIND=LOSS[:PARAMETER]``.

    Raises
    ------
    AssumptionError
        In one line that shows the right form.

    Examples
    --------
    >>> parse_boundary("memorization"), parse_boundary("test-error=0.01")
    (('memorization', None, None), ('test-error', 0.01, None))
    >>> parse_boundary("equal-dilation=label-relaxation:0.1")[2]
    LabelRelaxation(relaxation=0.1)
    """
    kind, equals, rest = text.partition("=")
    if not kind or (equals and not rest):
        raise AssumptionError(f"boundary = {text!r}: {_BOUNDARY_FORM}")
    if not equals:
        return kind, None, None
    if rest.split(":")[0] in LOSSES:
        return kind, None, _loss(text, rest)
    try:
        level = float(rest)
    except ValueError:
        raise AssumptionError(f"boundary = {text!r}: {_BOUNDARY_FORM}; a loss {_LOSS_FORM}") from None
    if not np.isfinite(level):
        raise AssumptionError(f"boundary = {text!r}: LEVEL must be finite")
    return kind, level, None


def _loss(text: str, words: str) -> Loss:
    """A loss with at most one parameter, the only number of parameters there is."""
    name, colon, number = words.partition(":")
    kind = LOSSES[name]
    own = [(field.name, field.default is MISSING) for field in fields(kind)]  # type: ignore[arg-type]  # every loss is a dataclass
    try:
        given = {own[0][0]: float(number)} if colon else {}
    except (ValueError, IndexError):
        raise AssumptionError(f"boundary = {text!r}: {_LOSS_FORM}") from None
    if not given and any(required for _, required in own):
        raise AssumptionError(f"boundary = {text!r}: {name} needs its {own[0][0]}; {_LOSS_FORM}")
    return kind(**given)
