"""How collapsed a last layer is: the name of an arrangement of class means, and the field's measures (NumPy only)."""

from mdtheory.neural_collapse.arrangements import arrangement
from mdtheory.neural_collapse.measures import CollapseMeasures, collapse_measures

__all__ = ["CollapseMeasures", "arrangement", "collapse_measures"]
