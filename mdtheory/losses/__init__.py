"""The losses, one file each; `Loss` in base.py says what a loss owes."""

from mdtheory.losses.base import Loss
from mdtheory.losses.cross_entropy import CrossEntropy
from mdtheory.losses.focal import Focal
from mdtheory.losses.hinge import Hinge, SquaredHinge
from mdtheory.losses.label_relaxation import LabelRelaxation
from mdtheory.losses.margin_loss import MarginLoss
from mdtheory.losses.mean_squared_error import MeanSquaredError

#: The losses by name.
LOSSES: dict[str, type[Loss]] = {
    kind.name(): kind for kind in (CrossEntropy, MeanSquaredError, LabelRelaxation, Focal, Hinge, SquaredHinge)
}

__all__ = [
    "LOSSES",
    "CrossEntropy",
    "Focal",
    "Hinge",
    "LabelRelaxation",
    "Loss",
    "MarginLoss",
    "MeanSquaredError",
    "SquaredHinge",
]
