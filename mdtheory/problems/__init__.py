"""Problems: frozen records that validate themselves."""

from mdtheory.problems.max_margin import MaxMargin
from mdtheory.problems.memorization_dilation import Configuration, MemorizationDilation
from mdtheory.problems.ufm import UFM

__all__ = ["UFM", "Configuration", "MaxMargin", "MemorizationDilation"]
