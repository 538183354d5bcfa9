r"""The neural-collapse measures of a last layer: NC1 to NC4 and their companions, from features or from class means."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, choice, fail, finite, one_integer
from mdtheory.foundation.validation import proportions as checked_proportions
from mdtheory.neural_collapse import matrices as of
from mdtheory.neural_collapse.samples import Layout, Samples, labelled_samples, means_as_samples

Variability = Literal["papyan", "weighted", "balanced", "traces"]
VARIABILITIES: tuple[Variability, ...] = ("papyan", "weighted", "balanced", "traces")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CollapseMeasures(Frozen):
    r"""The neural-collapse properties as numbers; see `collapse_measures`. At a collapsed simplex ETF all are 0, NC4 is 1.

    K classes *present*, which have a sample, of N classifiers; :math:`\pi` their proportions, :math:`h_k` their means,
    :math:`h_G = \sum_k \pi_k h_k` the global mean, :math:`\bar H` the class means minus :math:`h_G`,
    :math:`\Sigma_k = \mathrm{mean}_i (h_{ki} - h_k)(h_{ki} - h_k)^\top`, :math:`C_K = I - J/K`. Classifiers are never
    centred. A normalisation leaves a matrix of zeros as it is: its distance from a normalised matrix is 1, its equinorm
    is 0. Arrays over classes have N entries, NaN for those that are *absent*: without a sample there is nothing to measure.

    Attributes
    ----------
    definition : {"papyan", "weighted", "balanced", "traces"}
        The definition of NC1:

        - "papyan": :math:`\mathrm{tr}(\Sigma_W\Sigma_B^+)/K` with :math:`\Sigma_W = \sum_k \pi_k\Sigma_k` and the global
          mean pooled over samples, and :math:`\Sigma_B = \frac1K\sum_k \bar h_k\bar h_k^\top` uniform over classes (Papyan
          et al. 2020).
        - "weighted": the same with :math:`\Sigma_B = \sum_k\pi_k\bar h_k\bar h_k^\top`, so that
          :math:`\Sigma_W + \Sigma_B` is the covariance of all samples (Fisher's discriminant).
        - "balanced": every class counts the same, :math:`\Sigma_W = \frac1K\sum_k\Sigma_k`, the global mean is the mean
          of the class means, and :math:`\Sigma_B` is uniform, whatever the numbers of samples (Zhu et al. 2021 define NC1
          for balanced data so).
        - "traces": :math:`\mathrm{tr}\,\Sigma_W/\mathrm{tr}\,\Sigma_B` of "papyan", not divided by K (Tirer, Huang,
          Niles-Weed 2023, :math:`\widetilde{NC}_1`).

        With as many samples in every class the first three agree.
    ddof : int
        Of the deviations in the equinorms: 0 divides by the number of classes, 1 by one less.
    within_class_variability : float
        NC1. Without features 0.
    class_variabilities : array (N,)
        NC1 class by class, with :math:`\Sigma_k` for :math:`\Sigma_W`: their mean with weights :math:`\pi` ("balanced":
        without) is NC1.
    class_distance_normalized_variance, largest_class_distance_normalized_variance : float
        CDNV, mean and maximum over pairs of :math:`(v_j + v_k)/(2\|h_j - h_k\|^2)` with :math:`v_k = \mathrm{tr}\,\Sigma_k`
        (Galanti et al. 2022). Infinite if two classes that vary have one mean; two that do not vary count 0.
    class_mean_equinorm, weight_equinorm : float
        NC2, standard deviation over mean of :math:`\|\bar h_k\|`, and of :math:`\|w_n\|` (Papyan et al. 2020).
    class_mean_equiangularity, weight_equiangularity : float
        NC2, mean over pairs of :math:`|\cos + 1/(K-1)|` between columns of :math:`\bar H`, and with N between all
        classifiers (Papyan et al. 2020). A zero vector has cosine 0 with every other.
    class_mean_gram_deviation, weight_gram_deviation : float
        NC2, :math:`\|G/\|G\|_F - C/\|C\|_F\|_F` with :math:`G = \bar H^\top \bar H`, and with :math:`G = W W^\top` as
        Zhu et al. 2021 do.
    self_duality : float
        NC3, :math:`\|W^\top/\|W\|_F - \bar H/\|\bar H\|_F\|_F`, not squared (Papyan et al. 2020), over present classes.
    logit_deviation : float
        NC3, :math:`\|W \bar H/\|W \bar H\|_F - C_K/\|C_K\|_F\|_F` (Zhu et al. 2021), over present classes.
    bias_deviation : float
        :math:`\|W h_G + b\|`: a bias that centres the logits makes it 0 (Zhu et al. 2021). In units of the logits.
    nearest_centre_agreement : float
        NC4, share of samples for which :math:`\arg\max_n \langle w_n, h\rangle + b_n`, over all N, is
        :math:`\arg\min_k \|h - h_k\|`, over present classes (Papyan et al. 2020 plot one minus it); ties go to the
        smaller index. Without features the class means are the samples.
    class_mean_norms, weight_norms : array (N,)
        :math:`\|h_k\|`, not centred, and :math:`\|w_n\|`.
    class_mean_cosines, weight_cosines : array (N, N)
        Between the class means, not centred, and between the classifiers.
    rank : int
        The rank of W H: singular values below 1e-7 of the largest count as zero.
    absent : tuple of int
        The classes without a sample.

    References
    ----------
    Papyan, Han, Donoho, PNAS 2020 (NC1 to NC4); Zhu et al., NeurIPS 2021 (deviations from C, the bias); Galanti, György,
    Hutter, ICLR 2022 (CDNV); Tirer, Huang, Niles-Weed, ICML 2023 ("traces").
    """

    definition: Variability
    ddof: int
    within_class_variability: float
    class_variabilities: FloatArray
    class_distance_normalized_variance: float
    largest_class_distance_normalized_variance: float
    class_mean_equinorm: float
    weight_equinorm: float
    class_mean_equiangularity: float
    weight_equiangularity: float
    class_mean_gram_deviation: float
    weight_gram_deviation: float
    self_duality: float
    logit_deviation: float
    bias_deviation: float
    nearest_centre_agreement: float
    class_mean_norms: FloatArray
    weight_norms: FloatArray
    class_mean_cosines: FloatArray
    weight_cosines: FloatArray
    rank: int
    absent: tuple[int, ...]

    def __repr__(self) -> str:
        numbers = ((field.name, getattr(self, field.name)) for field in fields(self))
        shown = [f"{name}={value:.6g}" for name, value in numbers if isinstance(value, float)]
        classes = f"classes={self.weight_norms.size}, rank={self.rank}, absent={len(self.absent)}"
        return f"CollapseMeasures(definition={self.definition!r}, {classes}, {', '.join(shown)})"


def collapse_measures(
    weights: ArrayLike,
    class_means: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    features: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    samples: Layout | None = None,
    proportions: ArrayLike | None = None,
    variability: Variability = "papyan",
    ddof: Literal[0, 1] = 0,
) -> CollapseMeasures:
    """The neural-collapse measures of a last layer, as defined in `CollapseMeasures`.

    Give features with labels, of a data set of any size, or class means alone. Features are read block by block, in
    double precision whatever their own; the measures do not depend on scales or offsets, also at 1e-200 and 1e200.

    Parameters
    ----------
    weights : array (N, M)
        W, one classifier a row.
    class_means : array (M, N), optional
        H, one class mean a column. Omitted, they are the means of `features`; with features they replace these, for
        features of a test set for example.
    bias : array (N,), optional
        b, zero if omitted. NC4 and the bias metric depend on it.
    features : array (n, M) or (M, n), optional
        One feature vector a row, or a column, of any real type.
    labels : array (n,) of int
        The class of each feature, from 0 to N-1; with `features` only. At least two classes must occur.
    samples : {"rows", "columns"}, optional
        Where the feature vectors are. Omitted, the one that fits the shapes of weights and labels; needed if both do,
        for a square matrix.
    proportions : array (N,), optional
        The class proportions, positive with sum 1 up to rounding; those of absent classes are divided among the others.
        If omitted those of the labels, without features balanced.
    variability : {"papyan", "weighted", "balanced", "traces"}, default "papyan"
        The definition of NC1.
    ddof : {0, 1}, default 0
        Population or sample deviation in the equinorms. ``torch.std`` and notebooks that use it have 1.

    Returns
    -------
    CollapseMeasures

    Raises
    ------
    AssumptionError
        If an array is not finite or has the wrong shape, there are fewer than two classes, or the class means all
        coincide while the features do not: NC1 is then infinite.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.eye(3) - 1 / 3
    >>> measures = collapse_measures(frame, 2 * frame)
    >>> round(measures.self_duality, 12), measures.nearest_centre_agreement, measures.rank
    (0.0, 1.0, 2)
    >>> round(collapse_measures(frame, np.diag([1.0, 2.0, 3.0])).class_mean_equinorm, 4)
    0.1793

    Features in rows; class 2 has no sample:

    >>> h = np.array([[3.0, 0, 0], [5, 0, 0], [0, 1, 0], [0, 3, 0]])
    >>> measures = collapse_measures(frame, features=h, labels=[0, 0, 1, 1])
    >>> round(measures.within_class_variability, 12), measures.absent, measures.class_mean_norms
    (0.05, (2,), array([ 4.,  2., nan]))
    """
    w = of.matrix("weights", weights)
    if w.shape[0] < 2:
        raise fail("weights", w.shape, "must have at least two rows, one for each class")
    choice("variability", variability, VARIABILITIES)
    given = None if class_means is None else _means_for("class_means", class_means, w)
    data = _data(features, labels, samples, w, given)
    pi = _proportions(proportions, w.shape[0], data, features is not None)
    offset = np.zeros(w.shape[0]) if bias is None else _one_per_class("bias", bias, w.shape[0])
    # Relative to the pivot of the data: columns, one for each class present.
    means = data.means() if given is None else of.scaled(given, data.power)[:, data.present] - data.pivot[:, None]
    centre = means @ pi
    centred = means - centre[:, None]
    nc1, each, variances = _variability(variability, data, means, pi, "features" if given is None else "class_means")
    ratios = _normalised_variances(means, variances)
    whole, own = means + data.pivot[:, None], w[data.present]
    simplex, full = (of.normalised(np.eye(k) - 1.0 / k) for k in (data.present.size, w.shape[0]))
    with np.errstate(over="ignore", under="ignore"):
        norms = np.ldexp(np.linalg.norm(whole, axis=0), data.power)
        weight_norms = np.ldexp(np.linalg.norm(of.scaled(w, of.exponent(w)), axis=1), of.exponent(w))
        shift = _bias_deviation(w, centre + data.pivot, offset, data.power)
    return CollapseMeasures(
        definition=variability,
        ddof=(degrees := one_integer("ddof", ddof, 0, 1)),
        within_class_variability=nc1,
        class_variabilities=_spread_out(each, data.present, w.shape[0]),
        class_distance_normalized_variance=float(np.mean(ratios)),
        largest_class_distance_normalized_variance=float(np.max(ratios)),
        class_mean_equinorm=of.equinorm(centred, degrees),
        weight_equinorm=of.equinorm(w.T, degrees),
        class_mean_equiangularity=of.equiangularity(centred),
        weight_equiangularity=of.equiangularity(w.T),
        class_mean_gram_deviation=of.distance(of.gram(centred), simplex),
        weight_gram_deviation=of.distance(of.gram(w.T), full),
        self_duality=of.distance(own.T, of.normalised(centred)),
        logit_deviation=of.distance(of.normalised(own) @ of.normalised(centred), simplex),
        bias_deviation=shift,
        nearest_centre_agreement=_agreement(w, offset, means, data),
        class_mean_norms=_spread_out(norms, data.present, w.shape[0]),
        weight_norms=weight_norms,
        class_mean_cosines=_spread_out(of.cosines_between(whole), data.present, w.shape[0]),
        weight_cosines=of.cosines_between(w.T),
        rank=of.rank_of(of.normalised(w) @ of.normalised(whole)),
        absent=tuple(sorted(set(range(w.shape[0])) - set(data.present.tolist()))),
    )


def _data(
    features: ArrayLike | None, labels: ArrayLike | None, layout: Layout | None, w: FloatArray, means: FloatArray | None
) -> Samples:
    if (features is None) != (labels is None):
        raise fail("labels", labels, "must come with features, and features with labels")
    if features is not None and labels is not None:
        return labelled_samples(features, labels, layout, w.shape, means)
    if layout is not None:
        raise fail("samples", layout, "must come with features")
    if means is None:
        raise fail("class_means", None, "must be given, or features with labels")
    return means_as_samples(means)


def _variability(
    kind: Variability, data: Samples, means: FloatArray, pi: FloatArray, name: str
) -> tuple[float, FloatArray, FloatArray]:
    """NC1, of each class, and the trace of the covariance of each class."""
    count = pi.size
    uniform = np.full(count, 1.0 / count)
    of_samples = uniform if kind == "balanced" else pi
    of_means = pi if kind == "weighted" else uniform
    between = (means - (means @ of_samples)[:, None]) * np.sqrt(of_means)
    left, singular, _ = np.linalg.svd(between, full_matrices=False)
    # Centred means have rank at most K - 1; what rounding adds must not be inverted.
    kept = int(np.sum(singular[: count - 1] > of.RANK_TOLERANCE * singular[0]))
    variances, projected = data.variances(means, left[:, :kept] / singular[:kept])
    if kept == 0:
        if np.any(variances > 0):
            raise fail(name, "all equal", "class means must not all coincide when the features vary around them")
        return 0.0, projected, variances
    each = variances / float(np.sum(singular**2)) if kind == "traces" else projected / count
    return float(each @ of_samples), each, variances


def _normalised_variances(means: FloatArray, variances: FloatArray) -> FloatArray:
    """CDNV of all pairs of classes."""
    pairs = []
    for k in range(variances.size - 1):
        # From differences: the Gram matrix would see no small distance.
        squared = np.sum((means[:, k + 1 :] - means[:, k : k + 1]) ** 2, axis=0)
        total = 0.5 * (variances[k + 1 :] + variances[k])
        apart = squared > 0
        ratio = total / np.where(apart, squared, 1.0)
        pairs.append(np.where(apart, ratio, np.where(total > 0, np.inf, 0.0)))
    return np.concatenate(pairs)


def _agreement(w: FloatArray, bias: FloatArray, means: FloatArray, data: Samples) -> float:
    """NC4 with logits in a unit in which neither the products nor the bias leave the range of doubles."""
    # A constant bias decides nothing.
    bias = bias - bias[0]
    own, other = int(np.frexp(np.max(np.abs(w)))[1]), int(np.frexp(np.max(np.abs(bias)))[1])
    unit = own + data.power
    # With a bias far above the products, these must give way.
    lift = max(other - unit - 500, 0) if np.any(bias) else 0
    with np.errstate(under="ignore"):
        weights, offset = np.ldexp(w, -own - lift), np.ldexp(bias, -unit - lift)
    return data.agreement(weights, offset + weights @ data.pivot, means)


def _bias_deviation(w: FloatArray, centre: FloatArray, bias: FloatArray, power: int) -> float:
    """The norm of ``W h_G + b`` for h_G in units of 2**power."""
    own = of.exponent(w)
    logits = of.scaled(w, own) @ centre
    unit = max(own + power, of.exponent(bias))
    total = np.ldexp(logits, own + power - unit) + np.ldexp(bias, -unit)
    return float(np.ldexp(np.linalg.norm(total), unit))


def _spread_out(values: FloatArray, present: NDArray[np.int64], count: int) -> FloatArray:
    """Values of present classes at their places among all `count`, NaN elsewhere."""
    full = np.full((count,) * values.ndim, np.nan)
    full[np.ix_(*(present,) * values.ndim)] = values
    return full


def _means_for(name: str, value: ArrayLike, w: FloatArray) -> FloatArray:
    means = of.matrix(name, value)
    if means.shape[1] < 2:
        raise fail(name, means.shape, "must have at least two columns")
    if w.shape != means.T.shape:
        raise fail("weights", w.shape, f"must have shape {means.T.shape}, that of the transposed class means")
    return means


def _proportions(given: ArrayLike | None, count: int, data: Samples, counted: bool) -> FloatArray:
    """Of the classes that are present."""
    if given is None and counted:
        return np.asarray(data.counts / np.sum(data.counts))
    share = checked_proportions("proportions", given, count, counted="the number of classifiers")[data.present]
    return np.asarray(share / np.sum(share)) if share.size < count else share


def _one_per_class(name: str, value: ArrayLike, count: int) -> FloatArray:
    array = np.asarray(finite(name, value))
    if array.shape != (count,):
        raise fail(name, array.shape, f"must have shape {(count,)}")
    return array
