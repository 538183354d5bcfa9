"""Phase diagrams: sweeps over parameters as labelled arrays, exact boundaries, labelled regions and pictures.

xarray and matplotlib load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mdtheory.phase.parameters import Parameter, output, parameter, with_values

if TYPE_CHECKING:
    from mdtheory.phase.sweeping import sweep

__all__ = ["Parameter", "output", "parameter", "sweep", "with_values"]

_HOMES = {"sweep": "sweeping"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mdtheory.phase.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mdtheory.phase' has no attribute {name!r}")
