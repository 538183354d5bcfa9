"""Problems: frozen records that validate themselves."""

from mdtheory.problems.memorization_dilation import Configuration, MemorizationDilation
from mdtheory.problems.ufm import UFM

__all__ = ["UFM", "Configuration", "MemorizationDilation"]
