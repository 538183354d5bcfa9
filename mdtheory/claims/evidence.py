"""What a checker did and what it concludes: plain data, ready for JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
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
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    slack: float | None = None
    where: Point | None = None
    counterexample: Point | None = None
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        record = asdict(
            self, dict_factory=lambda pairs: {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in pairs}
        )
        return {**record, "verdict": self.verdict.name}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Evidence":
        """What `to_dict` wrote."""
        fields = dict(record)
        fields["verdict"] = Verdict[fields["verdict"]]
        for name in ("where", "counterexample"):
            if fields[name] is not None:
                fields[name] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields[name].items()}
        return cls(**fields)
