r"""Decays and noise levels of other papers, and of trainers, in the conventions of this library, and back.

The number n of samples is that over which the loss is a mean where the feature penalty is formed: of the data set in the
papers, of the batch for a trainer that adds :math:`\|h\|^2` summed over the batch to a loss averaged over it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from mdtheory.foundation.validation import (
    FloatArray,
    Real,
    choice,
    common_shape,
    fail,
    integer,
    one_integer,
    positive,
    real,
    scalar_or_array,
)


@dataclass(frozen=True, kw_only=True)
class Convention:
    r"""How a paper writes the objective that `UFM` writes as a mean over samples without halves.

    With n samples in all, the paper's objective is a multiple of

    .. math:: \frac1n \sum_i [\ell(W h_i + b, y_i) + \lambda_H \|h_i\|^2] + \lambda_W \|W\|_F^2 + \lambda_b \|b\|^2.

    Attributes
    ----------
    name : str
    citation : str
        Papers that use it.
    objective : str
        The objective as LaTeX, without the bias; primes mark the paper's decays.
    factor : float
        In front of both penalties: 1/2 or 1.
    summed_features : bool
        Whether the feature penalty is a sum over samples, not a mean.
    summed_loss : bool
        Whether the loss is a sum over samples, so that the paper's objective is n times this library's.
    """

    name: str
    citation: str
    objective: str
    factor: float
    summed_features: bool
    summed_loss: bool

    @property
    def needs_samples(self) -> bool:
        """Whether the number of samples enters the conversion."""
        return self.summed_features or self.summed_loss


_ALL = (
    Convention(
        name="mdtheory",
        citation="This library; Nguyen et al., ICLR 2023",
        objective=r"\frac1n \sum_i [\ell(W h_i, y_i) + \lambda'_H \|h_i\|^2] + \lambda'_W \|W\|_F^2",
        factor=1.0,
        summed_features=False,
        summed_loss=False,
    ),
    Convention(
        name="half-mean",
        citation=(
            "Zhu et al., NeurIPS 2021; Zhou et al., NeurIPS 2022; Tirer and Bruna, ICML 2022; Dang et al., ICML 2023; "
            "Hong and Ling, arXiv:2309.09725; Sukenik et al., NeurIPS 2023 (one weight layer)"
        ),
        objective=(
            r"\frac1n \sum_i \ell(W h_i, y_i) + \frac{\lambda'_H}{2} \sum_i \|h_i\|^2 + \frac{\lambda'_W}{2} \|W\|_F^2"
        ),
        factor=0.5,
        summed_features=True,
        summed_loss=False,
    ),
    Convention(
        name="half-sum",
        citation='"half-mean" with the loss summed over samples',
        objective=(r"\sum_i \ell(W h_i, y_i) + \frac{\lambda'_H}{2} \sum_i \|h_i\|^2 + \frac{\lambda'_W}{2} \|W\|_F^2"),
        factor=0.5,
        summed_features=True,
        summed_loss=True,
    ),
    Convention(
        name="half-sample-mean",
        citation="Andriopoulos et al., NeurIPS 2024 (squared error, with the half that MeanSquaredError has)",
        objective=(
            r"\frac1n \sum_i [\ell(W h_i, y_i) + \frac{\lambda'_H}{2} \|h_i\|^2] + \frac{\lambda'_W}{2} \|W\|_F^2"
        ),
        factor=0.5,
        summed_features=False,
        summed_loss=False,
    ),
)

CONVENTIONS: Mapping[str, Convention] = MappingProxyType({convention.name: convention for convention in _ALL})


def decays(
    name: str,
    *,
    weight_decay: ArrayLike,
    feature_decay: ArrayLike,
    samples_per_class: ArrayLike | None = None,
    num_classes: int | None = None,
    samples: int | None = None,
) -> tuple[Real, Real]:
    r"""The decays :math:`\lambda_W, \lambda_H` of `UFM` from a paper's.

    A decay of the bias converts like the weight decay. The minimisers are the same; the paper's optimal value is
    `value_ratio` times this library's. For "half-mean", :math:`\lambda_W = \lambda'_W/2` and
    :math:`\lambda_H = n \lambda'_H/2`.

    Parameters
    ----------
    name : str
        A key of `CONVENTIONS`.
    weight_decay, feature_decay : float or array
        The paper's :math:`\lambda'_W` and :math:`\lambda'_H`, positive.
    samples_per_class : int or array (K,) of int, optional
        Samples of each class: one number if balanced. Needed where a penalty or the loss is summed over samples.
    num_classes : int, optional
        N, needed with one number of samples per class.
    samples : int, optional
        n itself, instead of these two. For a trainer that sums :math:`\|h\|^2` over the batch it is the batch size: the
        same :math:`\lambda'_H` means another problem at every batch size.

    Returns
    -------
    tuple of float or array
        ``(lambda_W, lambda_H)``.

    Raises
    ------
    AssumptionError
        If the name is unknown, a parameter is outside its domain, or the number of samples is needed and missing.

    References
    ----------
    The `citation` of each convention.

    Examples
    --------
    >>> decays("half-mean", weight_decay=5e-4, feature_decay=1e-5, samples_per_class=100, num_classes=10)
    (0.00025, 0.005)
    >>> decays("half-sum", weight_decay=0.5, feature_decay=0.01, samples_per_class=[60, 40])
    (0.0025, 0.005)
    >>> decays("half-mean", weight_decay=5e-4, feature_decay=1e-5, samples=128)      # a batch
    (0.00025, 0.00064)
    """
    weights, features = positive("weight_decay", weight_decay), positive("feature_decay", feature_decay)
    by_weight, by_feature = _ratios(name, samples_per_class, num_classes, samples)
    return _converted("weight_decay", weights, by_weight), _converted("feature_decay", features, by_feature)


def to_paper(
    name: str,
    *,
    weight_decay: ArrayLike,
    feature_decay: ArrayLike,
    samples_per_class: ArrayLike | None = None,
    num_classes: int | None = None,
    samples: int | None = None,
) -> tuple[Real, Real]:
    r"""A paper's decays from :math:`\lambda_W, \lambda_H` of `UFM`: the inverse of `decays`, with its parameters.

    Returns
    -------
    tuple of float or array
        :math:`(\lambda'_W, \lambda'_H)`.

    Raises
    ------
    AssumptionError
        As `decays` does.

    Examples
    --------
    >>> to_paper("half-sample-mean", weight_decay=1e-3, feature_decay=2e-3)
    (0.002, 0.004)
    """
    weights, features = positive("weight_decay", weight_decay), positive("feature_decay", feature_decay)
    by_weight, by_feature = _ratios(name, samples_per_class, num_classes, samples)
    return _converted("weight_decay", weights, 1.0, by_weight), _converted("feature_decay", features, 1.0, by_feature)


def value_ratio(
    name: str,
    *,
    samples_per_class: ArrayLike | None = None,
    num_classes: int | None = None,
    samples: int | None = None,
) -> float:
    """The paper's objective over this library's at the same W, H: the number of samples where the loss is summed, or 1.

    Raises
    ------
    AssumptionError
        As `decays` does.

    Examples
    --------
    >>> value_ratio("half-sum", samples_per_class=5, num_classes=4), value_ratio("mdtheory")
    (20.0, 1.0)
    """
    convention = CONVENTIONS[choice("name", name, tuple(CONVENTIONS))]
    count = _samples(samples_per_class, num_classes, samples)
    return _needed(convention, count) if convention.summed_loss else 1.0


def noise(
    *, flip: ArrayLike | None = None, redrawn: ArrayLike | None = None, num_classes: ArrayLike | None = None
) -> Real:
    r"""The noise level :math:`\eta` of `MemorizationDilation` from the noise of a training set.

    :math:`\eta` is the *ratio* of mislabelled to correctly labelled mass, :math:`\eta = e/(1-e)` for the probability e
    that a label is wrong. Give one of the two:

    - `flip`, e itself: a label is replaced by the other one with that probability;
    - `redrawn`, the share of labels drawn anew and uniformly from all N classes, so that some stay what they were:
      :math:`e` is that share times :math:`(N-1)/N`.

    Parameters
    ----------
    flip : float or array
        e, from 0 to 1/2.
    redrawn : float or array
        From 0 to 1 as long as e is at most 1/2.
    num_classes : int or array of int
        N, with `redrawn` only.

    Returns
    -------
    float or array
        :math:`\eta`, from 0 to 1.

    Raises
    ------
    AssumptionError
        If a parameter is outside its domain, or not exactly one is given.

    Notes
    -----
    The model has one noise level for both classes. ``MemorizationDilation(noise=[0.1, 0.3])`` is not a problem with a rate
    for each class, but two problems.

    See Also
    --------
    flip_probability : back to e.

    Examples
    --------
    >>> round(noise(flip=0.2), 12), round(noise(redrawn=0.2, num_classes=2), 6)
    (0.25, 0.111111)
    """
    if (flip is None) == (redrawn is None):
        raise fail("flip", flip, "must be given, or redrawn, and not both")
    if redrawn is None:
        if num_classes is not None:
            raise fail("num_classes", num_classes, "is for redrawn labels only")
        wrong = np.asarray(real("flip", flip, lambda x: (x >= 0) & (x <= 0.5), "lie in [0, 1/2]"))  # type: ignore[arg-type]  # not None here
    else:
        if num_classes is None:
            raise fail("num_classes", None, "must be given with redrawn labels")
        n = np.asarray(integer("num_classes", num_classes, 2, 2**26), dtype=np.float64)
        share = np.asarray(real("redrawn", redrawn, lambda x: (x >= 0) & (x <= 1), "lie in [0, 1]"))
        common_shape(redrawn=share, num_classes=n)
        wrong = share * ((n - 1.0) / n)
        if np.any(wrong > 0.5):
            raise fail(
                "redrawn", redrawn, "must leave at least half of the labels right, so that the noise is at most 1"
            )
    return scalar_or_array(wrong / (1.0 - wrong))


def flip_probability(noise: ArrayLike) -> Real:
    r"""The probability :math:`\eta/(1+\eta)` that a label is wrong at the noise level :math:`\eta` of `MemorizationDilation`.

    Parameters
    ----------
    noise : float or array
        :math:`\eta`, from 0 to 1.

    Raises
    ------
    AssumptionError
        If the noise is outside [0, 1].

    Examples
    --------
    >>> flip_probability(0.25)
    0.2
    """
    ratio = np.asarray(real("noise", noise, lambda x: (x >= 0) & (x <= 1), "lie in [0, 1]"))
    return scalar_or_array(ratio / (1.0 + ratio))


def _ratios(
    name: str, samples_per_class: ArrayLike | None, num_classes: int | None, total: int | None
) -> tuple[float, float]:
    """This library's decays over the paper's."""
    convention = CONVENTIONS[choice("name", name, tuple(CONVENTIONS))]
    count = _samples(samples_per_class, num_classes, total)
    samples = _needed(convention, count) if convention.needs_samples else 1.0
    scale = samples if convention.summed_loss else 1.0
    summed = samples if convention.summed_features else 1.0
    return convention.factor / scale, convention.factor * (summed / scale)


def _converted(name: str, decay: Real, factor: float, divisor: float = 1.0) -> Real:
    with np.errstate(over="ignore", under="ignore"):
        converted = np.asarray(decay) * factor / divisor
    if not np.all((converted > 0) & (converted < np.inf)):
        raise fail(name, decay, "must have a counterpart within the range of doubles")
    return scalar_or_array(converted)


def _needed(convention: Convention, count: float | None) -> float:
    if count is None:
        domain = f"must be given for the convention {convention.name!r}, or samples, the number of all"
        raise fail("samples_per_class", None, domain)
    return count


def _samples(samples_per_class: ArrayLike | None, num_classes: int | None, total: int | None) -> float | None:
    """n if it is given; what is given is checked, whether or not the convention depends on it."""
    classes = None if num_classes is None else one_integer("num_classes", num_classes, 1, 2**31)
    if total is not None:
        for name, value in {"samples_per_class": samples_per_class, "num_classes": num_classes}.items():
            if value is not None:
                raise fail(name, value, "must be omitted where samples, the number of all, is given")
        return float(one_integer("samples", total, 1, 2**53))
    if samples_per_class is None:
        return None
    counts: FloatArray = np.asarray(integer("samples_per_class", samples_per_class, 1, 2**53), dtype=np.float64)
    if counts.ndim > 1:
        raise fail("samples_per_class", samples_per_class, "must be one number, or one for each class")
    if counts.ndim == 0:
        if classes is None:
            raise fail("num_classes", None, "must be given with one number of samples per class")
        return float(counts) * classes
    if classes is not None and classes != counts.size:
        raise fail("num_classes", num_classes, f"must be {counts.size}, the length of samples_per_class")
    return float(np.sum(counts))
