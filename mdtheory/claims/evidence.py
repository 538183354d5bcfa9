"""What a checker did and what it concludes: plain data, ready for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from mdtheory.claims.domains import Point
from mdtheory.claims.model import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The outcome of one checker on one claim.

    Attributes
    ----------
    checker : str
        "symbolic", "certified", "convex", "sampled" or "witness".
    verdict : Verdict
    message : str
        One line for a person.
    counts : mapping
        Of draws that were true, unknown, false, skipped; or of boxes.
    slack : float or None
        The smallest relative slack seen, and ``where``.
    counterexample : mapping or None
        A point, and ``values``: what the quantities and sides are there, as decimal balls.
    details : mapping
        Whatever else is needed to repeat the check.
    seconds : float
    """

    checker: str
    verdict: Verdict
    message: str
    counts: Mapping[str, int] = field(default_factory=dict)
    slack: float | None = None
    where: Point | None = None
    counterexample: Point | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Points become plain dictionaries, which travel between processes."""
        for name in ("where", "counterexample"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, dict(getattr(self, name)))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**record, "verdict": self.verdict.name}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Evidence":
        """What `to_dict` wrote."""
        values = dict(record)
        values["verdict"] = Verdict[values["verdict"]]
        for name in ("counts", "details", "values"):
            if not isinstance(values[name], Mapping):
                raise TypeError(f"{name} of evidence must be a mapping")
        for name in ("where", "counterexample"):
            if values[name] is not None:
                values[name] = {k: _value(v) for k, v in values[name].items()}
        return cls(**values)


def _value(stored: Any) -> Any:
    """A value of a point as it was: JSON knows neither tuples nor fractions, which are written as text."""
    if isinstance(stored, list):
        return tuple(map(_value, stored))
    return Fraction(stored) if isinstance(stored, str) else stored
