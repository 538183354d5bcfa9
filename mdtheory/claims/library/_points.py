"""Numbers of a whole point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flint import arb


@dataclass(frozen=True, slots=True)
class Computed:
    """A number computed from all variables of a point."""

    function: Callable[[Mapping[str, Any]], arb]

    def __call__(self, **point: Any) -> arb:
        """The number at a point."""
        return self.function(point)
