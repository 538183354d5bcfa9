"""Certificates: data that proves ``lower <= optimum <= upper``, checked by anyone without a solver."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.errors import AssumptionError, CertificateError
from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, fail, instance
from mdtheory.losses.base import TargetLoss, no_certificates
from mdtheory.models.features import balls, duality, storage
from mdtheory.models.features.problem import UFM

_EPS = float(np.finfo(np.float64).eps)
# Doubles state a bound where they know it this well, relative to itself; elsewhere balls do.
_PRECISE = 1e-11
# Multiplications of balls up to which they are asked.
_MOST_BALLS = 2_000_000
# A stored dual point may leave the domain of the conjugates by so much, relative to its largest entry.
_DOMAIN = 1e-9


@dataclass(frozen=True)
class Enclosure:
    """What a verified certificate proves: ``lower <= optimum <= upper``."""

    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Certificate(Frozen):
    r"""Factors and a dual point that prove ``lower <= optimum <= upper`` for one unconstrained features model.

    The objective at the factors bounds the optimum from above, and the dual value from below: see
    `mdtheory.models.features.duality`. The problem is the one with exactly the stored numbers, except that every label
    column is divided by its sum.

    Attributes
    ----------
    problem : UFM
    weights : array (N, M)
    class_means : array (M, K)
    bias : array (N,)
    dual : array (N, terms)
        One vector for each term of the loss, see `mdtheory.losses.label_loss.LabelLoss`.
    multiplier : array (K, K) or None
        For nonnegative features: the multiplier of the nonnegative Gram matrix.
    lower, upper : float
        The claim.

    Raises
    ------
    AssumptionError
        If the problem is not one point, or its loss does not state its own proof faces (`Focal`, `MarginLoss`, and every
        subclass that only inherits them).
    CertificateError
        If a shape is wrong, a number is not finite, or the factors are not feasible: negative features or a bias where
        there are none, more than `feature_dim` features, or with ``feature_dim=None`` and nonnegative features more
        than max(N, K). Free features of every width have the same optimum from width min(N, K) on.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.MeanSquaredError(), num_classes=2, weight_decay=0.05, feature_decay=0.05)
    >>> shrunk = 1 - 0.1 * 2**0.5                 # Z = shrunk I, since Z D has the singular values 1/sqrt(2) - 0.1
    >>> weights, means = np.eye(2) * (shrunk / 2**0.5) ** 0.5, np.eye(2) * (shrunk * 2**0.5) ** 0.5
    >>> cert = certify(ufm, weights, means, np.zeros(2), (shrunk - 1) * np.eye(2))
    >>> bounds = cert.verify(rigorous=True)       # the optimum is 0.2/sqrt(2) - 0.01
    >>> round(bounds.lower, 9), bounds.upper - bounds.lower < 1e-11
    (0.131421356, True)
    """

    problem: UFM
    weights: FloatArray
    class_means: FloatArray
    bias: FloatArray
    dual: FloatArray
    multiplier: FloatArray | None
    lower: float
    upper: float

    def __post_init__(self) -> None:
        _check_problem(self.problem)
        n, groups = int(self.problem.num_classes), self.problem.num_groups
        object.__setattr__(self, "weights", _array("weights", self.weights, (n, None)))
        shapes: dict[str, tuple[int | None, ...]] = {"class_means": (self.weights.shape[1], groups), "bias": (n,)}
        shapes |= {"dual": (n, _num_terms(self.problem))}
        if self.multiplier is not None:
            shapes |= {"multiplier": (groups, groups)}
        for name, shape in shapes.items():
            object.__setattr__(self, name, _array(name, getattr(self, name), shape))
        for name in ("lower", "upper"):
            object.__setattr__(self, name, float(_array(name, getattr(self, name), ())))
        _check_feasible(self)

    def verify(self, problem: UFM | None = None, *, rigorous: bool = False) -> Enclosure:
        """Recompute both bounds and compare them with the claim; no solver is involved.

        Parameters
        ----------
        problem : UFM, optional
            The problem the certificate should be about.
        rigorous : bool, default False
            Recompute in ball arithmetic, so that success is a proof, rather than in double precision. A claim that
            doubles cannot tell from a false one, because rounding blurs them, is decided by balls either way.

        Raises
        ------
        CertificateError
            If the claim does not follow from the data, or the problem is another one.
        """
        if problem is not None and problem != self.problem:
            raise CertificateError("problem: the certificate belongs to another problem")
        try:
            _check_dual(self)
            above = _upper_holds(self, rigorous=rigorous)
            below = above and _lower_holds(self, rigorous=rigorous)
        except (np.linalg.LinAlgError, ArithmeticError, ValueError) as error:
            # Numbers so large that sums of them are none.
            raise CertificateError(f"certificate: its bounds cannot be evaluated ({_first_line(error)})") from None
        if not above:
            raise CertificateError(f"upper = {self.upper!r}: the objective at the stored factors is larger")
        if not below:
            raise CertificateError(f"lower = {self.lower!r}: the stored dual point does not prove it")
        return Enclosure(self.lower, self.upper)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate as JSON; every float is restored exactly."""
        storage.save(self.problem, {name: getattr(self, name) for name in storage.CONTENTS}, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Certificate":
        """Read what `save` wrote; it is not verified yet. Raises `CertificateError` for any other file."""
        problem, values = storage.load(path)
        try:
            return cls(problem, **values)
        except (CertificateError, AssumptionError) as error:
            raise CertificateError(f"{path}: {_first_line(error)}") from None


def certify(
    problem: UFM,
    weights: ArrayLike,
    class_means: ArrayLike,
    bias: ArrayLike,
    dual: ArrayLike,
    multiplier: ArrayLike | None = None,
) -> Certificate:
    """The certificate of an answer, with bounds rounded outward so that rigorous verification succeeds.

    Rounding errors of the dual point are repaired first: entries outside the domain of the conjugates, sums, the
    condition of an unregularised bias, and the norm. A bad answer gives a true certificate with a wide enclosure.

    Parameters
    ----------
    problem : UFM
        One point, with a loss that states its proof faces.
    weights, class_means, bias, dual, multiplier : arrays
        As in `Certificate`.
    """
    _check_problem(problem)
    given = (weights, class_means, bias, dual, multiplier)
    raw = Certificate(problem, *given, 0.0, 0.0)  # type: ignore[arg-type]  # a starred tuple loses its entries' types
    with np.errstate(all="ignore"):
        point, forgiven = _clean_dual(problem, raw.dual, raw.multiplier)
        bounds = _lower_claim(problem, point, forgiven), _upper_claim(raw)
    if not np.all(np.isfinite(bounds)):
        raise CertificateError(f"bounds = {bounds!r}: must be finite")
    return Certificate(problem, raw.weights, raw.class_means, raw.bias, point, forgiven, *bounds)


def logits_error(certificate: Certificate) -> tuple[FloatArray, float]:
    r"""Bounds on the distance of the certificate's logits to the optimal ones, from the gap ``upper - lower``.

    Every column of the gap's decomposition into Fenchel-Young terms is nonnegative, at the stored factors and at an
    optimum. For cross-entropy ``sum pi_k KL(q_k || softmax z_k) <= gap`` with ``q_k = y_k + v_k``; the binary
    divergence of each entry confines each log-probability to an interval. Only centred logits are determined. For the
    squared error ``sum pi_k ||z_k - z_k*||^2 / 2 <= gap`` with free features of full dimension, and otherwise
    ``sum pi_k ||z_k - y_k - v_k||^2 / 2 <= gap`` for both. Logits include the bias. The other losses are not strictly
    convex: the bounds are infinite.

    Returns
    -------
    columns : array (K,)
        Bounds on the Euclidean norm of each column's error, of centred columns for cross-entropy.
    total : float
        A bound on the Frobenius norm.
    """
    instance("certificate", certificate, Certificate, "a Certificate")
    problem, loss = certificate.problem, certificate.problem.loss
    proportions = problem.proportions
    if "logits_reach" not in vars(type(loss)):  # not inherited, like a proof face
        return np.full(proportions.shape, np.inf), np.inf
    budget = max(certificate.upper - certificate.lower, 0.0) / proportions
    logits = certificate.weights @ certificate.class_means + certificate.bias[:, None]
    mean = duality.label_loss(problem)
    dual = mean.combine(duality.feasible_dual(problem, certificate.dual, certificate.multiplier))
    columns = loss.logits_reach(logits.T, mean.targets.T + dual.T, budget)
    total = float(np.linalg.norm(columns))
    if loss.strong_convexity > 0 and not problem.nonnegative and problem.feature_dim is None:
        noise = 8.0 * _EPS * logits.shape[0] * (1.0 + np.linalg.norm(logits, axis=0))
        radius = np.sqrt(2.0 * budget / loss.strong_convexity)
        columns, total = radius + noise, min(total, float(np.max(radius) + np.linalg.norm(noise)))
    return columns, total


# ---------------------------------------------------------------------- what a certificate is about


def _check_problem(problem: UFM) -> None:
    instance("problem", problem, UFM, "a UFM")
    if not problem.loss.has_certificates:
        raise no_certificates(problem.loss)
    numbers = [problem.num_classes, problem.weight_decay, problem.feature_decay]
    numbers += [getattr(problem.loss, name) for name in problem.loss.parameter_names()]
    if any(np.ndim(number) > 0 for number in numbers) or (
        problem.class_weights is not None and problem.class_weights.ndim > 1
    ):
        raise fail("problem", problem.shape, "must be one point to have a certificate; loop over the points")


def _is_admissible(problem: UFM, dual: FloatArray) -> bool:
    with np.errstate(all="ignore"):
        moved = duality.admissible_dual(problem, dual) - dual
    return bool(np.max(np.abs(moved), initial=0.0) <= _DOMAIN * np.max(np.abs(dual), initial=0.0))


def _num_terms(problem: UFM) -> int:
    """How many dual vectors there are, before anything of the size of the labels is built."""
    one_each = isinstance(problem.loss, TargetLoss) and problem.loss.sees_targets
    if one_each or problem.label_distribution is None:
        return problem.num_groups
    return int(np.count_nonzero(problem.label_distribution))


def _check_feasible(certificate: Certificate) -> None:
    problem = certificate.problem
    if problem.nonnegative and np.any(certificate.class_means < 0):
        raise CertificateError("class_means: must be nonnegative in this problem")
    if not problem.bias and np.any(certificate.bias != 0):
        raise CertificateError("bias: must be zero in a problem without a bias")
    width = certificate.weights.shape[1]
    if problem.feature_dim is not None and width > problem.feature_dim:
        raise CertificateError(f"weights: must have at most feature_dim = {problem.feature_dim} columns, not {width}")
    room = max(int(problem.num_classes), problem.num_groups)
    if problem.nonnegative and problem.feature_dim is None and width > room:
        raise CertificateError(
            f"weights: must have at most max(N, K) = {room} columns without a feature_dim, not {width}"
        )
    if certificate.multiplier is not None and not problem.nonnegative:
        raise CertificateError("multiplier: belongs to problems with nonnegative features")


def _check_dual(certificate: Certificate) -> None:
    """Bounds hold for whatever is made of the stored point; one that needs more than rounding was not meant."""
    if not _is_admissible(certificate.problem, certificate.dual):
        raise CertificateError(
            "dual: the stored point leaves the domain of the conjugates, or its mean does not vanish"
        )


def _array(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> FloatArray:
    """Finite numbers of a shape, in which None stands for any length."""
    wanted = str(shape).replace("None", "M")
    try:
        array = np.array(value, dtype=np.float64)
    except Exception:  # whatever an array-like of someone else's raises
        raise CertificateError(f"{name}: must be an array of numbers of shape {wanted}") from None
    if array.ndim != len(shape) or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        raise CertificateError(f"{name}: must have shape {wanted}, not {array.shape}")
    if not np.all(np.isfinite(array)):
        raise CertificateError(f"{name}: must be finite")
    array.setflags(write=False)
    return array


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


# ---------------------------------------------------------------------- the dual point


def _clean_dual(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    """A dual point inside every constraint up to rounding, with its norm below ``2 mu`` by a margin for its proof."""
    point = duality.admissible_dual(problem, dual)
    if not _is_admissible(problem, point):
        # Nothing but rounding was left after the mean was taken out; zero satisfies every constraint.
        point = np.zeros(point.shape)
    size = duality.dual_size(problem, duality.label_loss(problem).combine(point), multiplier)
    scale = duality.shrink_factor(problem, size / (1.0 - 4e-14 * (sum(point.shape) + 10)))
    forgiven = None if multiplier is None else duality.forgiveness(multiplier) * scale**2
    return scale * point, forgiven


# ---------------------------------------------------------------------- bounds, and how well doubles know them


def _upper(certificate: Certificate) -> tuple[float, float]:
    """The objective in doubles, and a bound on its error."""
    factors = certificate.weights, certificate.class_means, certificate.bias
    return duality.objective(certificate.problem, *factors), duality.objective_error(certificate.problem, *factors)


def _lower(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> tuple[float, float]:
    """The dual value in doubles, and a bound on its error; not a number where doubles overflow."""
    try:
        point = duality.feasible_dual(problem, dual, multiplier)
        return duality.dual_value(problem, point), duality.bound_error(problem, point)
    except np.linalg.LinAlgError:
        return np.nan, np.nan


def _upper_holds(certificate: Certificate, *, rigorous: bool) -> bool:
    if not rigorous:
        with np.errstate(all="ignore"):
            value, error = _upper(certificate)
        if abs(value - certificate.upper) > error:  # false where one of them is not a number
            return value < certificate.upper
    factors = certificate.weights, certificate.class_means, certificate.bias
    return balls.upper_holds(certificate.problem, *factors, certificate.upper)


def _lower_holds(certificate: Certificate, *, rigorous: bool) -> bool:
    if not rigorous:
        with np.errstate(all="ignore"):
            value, error = _lower(certificate.problem, certificate.dual, certificate.multiplier)
        if abs(value - certificate.lower) > error:
            return value > certificate.lower
    return balls.lower_holds(certificate.problem, certificate.dual, certificate.multiplier, certificate.lower)


def _upper_claim(raw: Certificate) -> float:
    """The objective, rounded up so far that doubles confirm it, or as well as balls can tell."""
    value, error = _upper(raw)
    if _stated_by_doubles(raw.problem, raw.weights.shape[1], value, error):
        return value + 3.0 * error
    return balls.least_upper(raw.problem, raw.weights, raw.class_means, raw.bias)


def _lower_claim(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> float:
    value, error = _lower(problem, dual, multiplier)
    if _stated_by_doubles(problem, dual.shape[1], value, error):
        return value - 3.0 * error
    return balls.greatest_lower(problem, dual, multiplier)


def _stated_by_doubles(problem: UFM, inner: int, value: float, error: float) -> bool:
    sizes = int(problem.num_classes), problem.num_groups, inner
    dear = sizes[0] * sizes[1] * max(sizes) > _MOST_BALLS
    return bool(np.isfinite(value) and (error <= _PRECISE * abs(value) or dear))
