"""The errors mdtheory raises on purpose."""


class AssumptionError(ValueError):
    """A parameter lies outside the domain on which the theory holds.

    The message names the parameter, its value and the domain.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> mdt.CrossEntropy(smoothing=1.5)
    Traceback (most recent call last):
        ...
    mdtheory.errors.AssumptionError: smoothing = 1.5: must lie in [0, 1)
    """


class SolverError(RuntimeError):
    """A numerical solver stopped without an answer that can be certified."""


class CertificateError(RuntimeError):
    """A certificate does not hold, belongs to another problem, or cannot be read."""
