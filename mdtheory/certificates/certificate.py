"""Certificates: data that proves ``lower <= optimum <= upper``, checked by anyone without a solver."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.certificates import duality
from mdtheory.errors import CertificateError
from mdtheory.frozen import Frozen
from mdtheory.losses import CrossEntropy, Hinge, LabelRelaxation, MeanSquaredError, SquaredHinge
from mdtheory.problems import UFM
from mdtheory.validation import FloatArray, fail

LOSSES = (CrossEntropy, MeanSquaredError, LabelRelaxation, Hinge, SquaredHinge)

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Enclosure:
    """What a verified certificate proves: ``lower <= optimum <= upper``."""

    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Certificate(Frozen):
    r"""Factors and a dual point that prove ``lower <= optimum <= upper`` for one unconstrained features model.

    The objective at the factors bounds the optimum from above, and the dual value from below: see
    `mdtheory.certificates.duality`. The problem is the one with exactly the stored numbers, except that every label
    column is divided by its sum.

    Attributes
    ----------
    problem : UFM
    weights : array (N, M)
    class_means : array (M, K)
    bias : array (N,)
    dual : array (N, terms)
        One vector for each term of the loss, see `mdtheory.label_loss.LabelLoss`.
    multiplier : array (K, K) or None
        For nonnegative features: the multiplier of the nonnegative Gram matrix.
    lower, upper : float
        The claim.

    Raises
    ------
    AssumptionError
        If the problem is not one point, or its loss has no certificates (`Focal`, `MarginLoss`).
    CertificateError
        If a shape is wrong, or a number is not finite.

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
        width = np.shape(self.weights)[-1] if np.ndim(self.weights) == 2 else -1
        shapes = {"weights": (n, width), "class_means": (width, groups), "bias": (n,)}
        shapes |= {"dual": (n, _num_terms(self.problem))}
        if self.multiplier is not None:
            shapes |= {"multiplier": (groups, groups)}
        for name, shape in shapes.items():
            object.__setattr__(self, name, _array(name, getattr(self, name), shape))
        for name in ("lower", "upper"):
            object.__setattr__(self, name, float(_array(name, getattr(self, name), ())))

    def verify(self, problem: UFM | None = None, *, rigorous: bool = False) -> Enclosure:
        """Recompute both bounds and compare them with the claim; no solver is involved.

        Parameters
        ----------
        problem : UFM, optional
            The problem the certificate should be about.
        rigorous : bool, default False
            Recompute in ball arithmetic, so that success is a proof, rather than in double precision.

        Raises
        ------
        CertificateError
            If the claim does not follow from the data, or the problem is another one.
        """
        if problem is not None and problem != self.problem:
            raise CertificateError("problem: the certificate belongs to another problem")
        _check_feasible(self)
        if rigorous:
            from mdtheory.certificates import balls

            above = balls.upper_holds(self.problem, self.weights, self.class_means, self.bias, self.upper)
            below = above and balls.lower_holds(self.problem, self.dual, self.multiplier, self.lower)
        else:
            with np.errstate(all="ignore"):
                value = duality.objective(self.problem, self.weights, self.class_means, self.bias)
                bound = duality.lower_bound(self.problem, self.dual, self.multiplier)
            above, below = bool(value <= self.upper), bool(bound >= self.lower)
        if not above:
            raise CertificateError(f"upper = {self.upper!r}: the objective at the stored factors is larger")
        if not below:
            raise CertificateError(f"lower = {self.lower!r}: the stored dual point does not prove it")
        return Enclosure(self.lower, self.upper)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate as JSON; every float is restored exactly."""
        from mdtheory.certificates.storage import save

        save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Certificate":
        """Read what `save` wrote; it is not verified yet. Raises `CertificateError` for any other file."""
        from mdtheory.certificates.storage import load

        return load(path)


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
        One point, with one of the losses `LOSSES`.
    weights, class_means, bias, dual, multiplier : arrays
        As in `Certificate`.
    """
    _check_problem(problem)
    given = (weights, class_means, bias, dual, multiplier)
    raw = Certificate(problem, *given, 0.0, 0.0)  # type: ignore[arg-type]  # a starred tuple loses its entries' types
    _check_feasible(raw)
    point, forgiven = _clean_dual(problem, raw.dual, raw.multiplier)
    upper = duality.objective(problem, raw.weights, raw.class_means, raw.bias)
    lower = duality.lower_bound(problem, point, forgiven)
    if not np.isfinite(upper) or not np.isfinite(lower):
        raise CertificateError(f"bounds = ({lower!r}, {upper!r}): must be finite")
    return Certificate(
        problem,
        raw.weights,
        raw.class_means,
        raw.bias,
        point,
        forgiven,
        lower - _lower_slack(problem, lower),
        upper + _upper_slack(raw, upper),
    )


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
    problem, loss = certificate.problem, certificate.problem.loss
    proportions = duality.group_weights(problem)
    if not isinstance(loss, (CrossEntropy, MeanSquaredError)):
        return np.full(proportions.shape, np.inf), np.inf
    gap = max(certificate.upper - certificate.lower, 0.0)
    logits = certificate.weights @ certificate.class_means + certificate.bias[:, None]
    centre = loss.target(duality.label_columns(problem).T).T + _feasible(problem, certificate)
    if isinstance(loss, MeanSquaredError):
        radius = np.sqrt(2.0 * gap / proportions)
        if problem.nonnegative or problem.feature_dim is not None:
            columns = radius + np.linalg.norm(logits - centre, axis=0)
            total = float(np.linalg.norm(columns))
        else:
            columns, total = radius, float(np.sqrt(2.0 * gap / np.min(proportions)))
        noise = 8.0 * _EPS * logits.shape[0] * (1.0 + np.linalg.norm(logits, axis=0))
        return columns + noise, total + float(np.linalg.norm(noise))
    shifted = logits - np.max(logits, axis=0)
    stored = shifted - np.log(np.sum(np.exp(shifted), axis=0))
    low, high = _log_intervals(np.clip(centre, 0.0, 1.0), gap / proportions)
    reach = np.maximum(np.maximum(stored - low, high - stored), 0.0) + 64.0 * _EPS * (1.0 + np.abs(stored))
    columns = np.linalg.norm(reach, axis=0)
    return columns, float(np.linalg.norm(columns))


# ---------------------------------------------------------------------- what a certificate is about


def _check_problem(problem: UFM) -> None:
    if type(problem.loss) not in LOSSES:
        names = ", ".join(loss.__name__ for loss in LOSSES)
        raise fail("loss", problem.loss, f"must be one of {names} to have certificates")
    numbers = [problem.num_classes, problem.weight_decay, problem.feature_decay]
    numbers += [getattr(problem.loss, name) for name in problem.loss.parameter_names()]
    if any(np.ndim(number) > 0 for number in numbers) or (
        problem.class_weights is not None and problem.class_weights.ndim > 1
    ):
        raise fail("problem", problem.shape, "must be one point to have a certificate; loop over the points")


def _num_terms(problem: UFM) -> int:
    if isinstance(problem.loss, (CrossEntropy, MeanSquaredError)) or problem.label_distribution is None:
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
    if certificate.multiplier is not None and not problem.nonnegative:
        raise CertificateError("multiplier: belongs to problems with nonnegative features")


def _array(name: str, value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise CertificateError(f"{name}: must be an array of numbers of shape {shape}") from None
    if array.shape != shape:
        raise CertificateError(f"{name}: must have shape {shape}, not {array.shape}")
    if not np.all(np.isfinite(array)):
        raise CertificateError(f"{name}: must be finite")
    array.setflags(write=False)
    return array


# ---------------------------------------------------------------------- the dual point


def _clean_dual(problem: UFM, dual: FloatArray, multiplier: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    """A dual point inside every constraint up to rounding, with its norm below ``2 mu`` by a margin for its proof."""
    loss = duality.mean_loss(problem)
    point = _in_domain(problem, dual)
    if problem.bias and problem.bias_decay == 0:
        point = duality.balanced_dual(loss, point, lambda columns: columns @ loss.weights)
        point = _in_domain(problem, point)
    size = duality.dual_size(problem, loss.combine(point), multiplier)
    room = 2.0 * float(problem.mu) * (1.0 - 4e-14 * (sum(point.shape) + 10))
    scale = min(1.0, room / size) if size > 0 else 1.0
    forgiven = None if multiplier is None else np.maximum(0.5 * (multiplier + multiplier.T), 0.0) * scale**2
    return scale * point, forgiven


def _in_domain(problem: UFM, dual: FloatArray) -> FloatArray:
    """The point with nonnegative entries where the conjugate demands them, and the right sums."""
    loss, mean = problem.loss, duality.mean_loss(problem)
    if isinstance(loss, MeanSquaredError):
        return dual
    if isinstance(loss, CrossEntropy):
        target = loss.target(mean.labels.T).T
        q = np.maximum(dual + target, 0.0)
        total = np.sum(q, axis=0)
        return np.where(total > 0, q / np.where(total > 0, total, 1.0), target) - target
    rest = np.arange(dual.shape[0])[:, None] != mean.term_labels
    others = np.where(rest, np.maximum(dual, 0.0), 0.0)
    tau = np.sum(others, axis=0)
    if not isinstance(loss, SquaredHinge):
        steepest = 1.0 if isinstance(loss, Hinge) else 1.0 - float(loss.relaxation)  # type: ignore[attr-defined]  # label relaxation is what is left
        factor = np.where(tau > steepest, steepest / np.where(tau > 0, tau, 1.0), 1.0)
        if problem.bias and problem.bias_decay == 0:
            # One factor for all terms, or their mean would move.
            factor = np.full(factor.shape, np.min(factor))
        others, tau = others * factor, tau * factor
    return np.where(rest, others, -tau)


def _feasible(problem: UFM, certificate: Certificate) -> FloatArray:
    """The columns (N, K) of the dual point that the lower bound evaluates."""
    loss = duality.mean_loss(problem)
    columns = certificate.dual
    if problem.bias and problem.bias_decay == 0:
        columns = duality.balanced_dual(loss, columns, lambda c: c @ loss.weights)
    size = duality.dual_size(problem, columns, certificate.multiplier)
    return columns * min(1.0, 2.0 * float(problem.mu) / size) if size > 0 else columns


# ---------------------------------------------------------------------- rounding


def _upper_slack(certificate: Certificate, value: float) -> float:
    """Above the rounding errors of the objective: inner products of M numbers, sums of N and K."""
    problem = certificate.problem
    size = np.abs(certificate.weights) @ np.abs(certificate.class_means) + np.abs(certificate.bias)[:, None]
    largest = np.max(size, axis=0)
    scale = 1.0 + abs(value) + float(duality.group_weights(problem) @ largest)
    if isinstance(problem.loss, (MeanSquaredError, SquaredHinge)):
        scale += float(duality.group_weights(problem) @ np.sum((1.0 + size) ** 2, axis=0))
    rounding = 4.0 * _EPS * (sum(certificate.weights.shape) + size.shape[1] + 20)
    return float((rounding + 4.0 * _label_defect(problem)) * scale)


def _lower_slack(problem: UFM, value: float) -> float:
    """Above the rounding errors of the dual value, and what the exact repair of the dual point costs."""
    n, groups = int(problem.num_classes), problem.num_groups
    rounding = 8.0 * _EPS * (n + groups + 20)
    if problem.bias and problem.bias_decay == 0:
        frequency = duality.label_columns(problem) @ duality.group_weights(problem)
        rounding *= 1.0 + 1.0 / (n * max(float(np.min(frequency)), 1e-4))
    return float((rounding + 40.0 * _label_defect(problem)) * (1.0 + abs(value) + np.log(n)))


def _label_defect(problem: UFM) -> float:
    """How far the label columns are from the sum one that the theory gives them."""
    return float(np.max(np.abs(np.sum(duality.label_columns(problem), axis=0) - 1.0)))


def _log_intervals(q: FloatArray, budget: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The log-probabilities t with ``kl(q, e^t) <= budget``, rounded outward by bisection."""
    allowed = budget + 64.0 * _EPS
    with np.errstate(all="ignore"):
        log_q, rest = np.log(q), np.where(q < 1, (1.0 - q) * np.log1p(-q), 0.0)

        def divergence(t: FloatArray) -> FloatArray:
            own = np.where(q > 0, q * (log_q - t), 0.0)
            other = np.where(q < 1, rest - (1.0 - q) * np.log(-np.expm1(t)), 0.0)
            return np.asarray(own + other)

        low = np.where(q > 0, log_q - (allowed - rest) / q - 1.0, -np.inf)
        high, inside_low, inside_high = np.zeros(q.shape), log_q, np.where(q > 0, log_q, -745.0)
        for _ in range(100):
            middle = 0.5 * (low + inside_low)
            out = divergence(middle) > allowed
            low, inside_low = np.where(out, middle, low), np.where(out, inside_low, middle)
            middle = 0.5 * (high + inside_high)
            out = divergence(middle) > allowed
            high, inside_high = np.where(out, middle, high), np.where(out, inside_high, middle)
    return np.where(q > 0, low, -np.inf), high
