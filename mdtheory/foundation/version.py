"""The version, in one place: the package, its files and its distribution say the same."""

__version__ = "0.1.0"
