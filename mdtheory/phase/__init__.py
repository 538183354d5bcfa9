"""Phase diagrams: sweeps over parameters as labelled arrays, exact boundaries, labelled regions and pictures.

xarray and matplotlib load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mdtheory.foundation.parameter import Parameter
from mdtheory.models.parameters import output, parameter, with_values

if TYPE_CHECKING:
    from mdtheory.drawing.canvas import panels, save, style
    from mdtheory.drawing.pictures import plot, plot_configuration, plot_losses
    from mdtheory.phase.boundaries import Boundary, boundary
    from mdtheory.phase.labelling import regions
    from mdtheory.phase.refinement import refine
    from mdtheory.sweeps.chunks import Cell
    from mdtheory.sweeps.sweeping import sweep

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
    "Boundary": "phase.boundaries",
    "Cell": "sweeps.chunks",
    "boundary": "phase.boundaries",
    "panels": "drawing.canvas",
    "plot": "drawing.pictures",
    "plot_configuration": "drawing.pictures",
    "plot_losses": "drawing.pictures",
    "refine": "phase.refinement",
    "regions": "phase.labelling",
    "save": "drawing.canvas",
    "style": "drawing.canvas",
    "sweep": "sweeps.sweeping",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mdtheory.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mdtheory.phase' has no attribute {name!r}")
