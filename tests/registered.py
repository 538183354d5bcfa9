"""One of every loss and spread of the package, so that one that is added is tested without another test."""

from mdtheory.foundation.parameter import is_required
from mdtheory.losses import LOSSES
from mdtheory.spreads import SPREADS

# In the domain of every parameter that has no default.
_VALUE = 0.4


def losses(*but):
    """Those of the registry whose class is not among those of `but`."""
    return [made(kind) for kind in LOSSES.values() if kind not in {type(loss) for loss in but}]


def spreads(dim, *but):
    """Those of the registry in this dimension whose class is not among those of `but`."""
    return [kind(dim) for kind in SPREADS.values() if kind not in {type(spread) for spread in but}]


def made(kind):
    """A loss with its required parameters."""
    return kind(**{name: _VALUE for name in kind.parameter_names() if is_required(kind, name)})
