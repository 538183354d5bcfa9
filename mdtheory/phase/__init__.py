"""Phase diagrams: sweeps over parameters as labelled arrays, exact boundaries, labelled regions and pictures.

xarray and matplotlib load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mdtheory.parameter import Parameter
from mdtheory.phase.parameters import output, parameter, with_values

if TYPE_CHECKING:
    from mdtheory.phase.boundaries import Boundary, boundary
    from mdtheory.phase.canvas import panels, save, style
    from mdtheory.phase.chunks import Cell
    from mdtheory.phase.labels import regions
    from mdtheory.phase.pictures import plot, plot_configuration, plot_losses
    from mdtheory.phase.refinement import refine
    from mdtheory.phase.sweeping import sweep

__all__ = [
    "Boundary",
    "Cell",
    "Parameter",
    "boundary",
    "output",
    "panels",
    "parameter",
    "plot",
    "plot_configuration",
    "plot_losses",
    "refine",
    "regions",
    "save",
    "style",
    "sweep",
    "with_values",
]

_HOMES = {
    "Boundary": "boundaries",
    "Cell": "chunks",
    "boundary": "boundaries",
    "panels": "canvas",
    "plot": "pictures",
    "plot_configuration": "pictures",
    "plot_losses": "pictures",
    "refine": "refinement",
    "regions": "labels",
    "save": "canvas",
    "style": "canvas",
    "sweep": "sweeping",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mdtheory.phase.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mdtheory.phase' has no attribute {name!r}")
