r"""The quantities of the theory on a trained network, from its features, labels and classifier.

With :math:`h_m` the mean of the clean training features of class m, everything follows from sums over examples, taken block by block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray, fail, instance, one_number, real
from mdtheory.losses import CrossEntropy, Loss
from mdtheory.networks.arrays import NetworkArrays, distances, network_arrays
from mdtheory.networks.measurement import QUANTILES, Measurement
from mdtheory.neural_collapse.measures import collapse_measures

# Numbers in a block: 16 MiB.
_BLOCK = 2**21
_PARTS = 2000
_NO_NOISE = "no example is mislabelled: labels and true_labels are the same"
_OF_UNSEEN = (
    *("dilation", "normalized_dilation", "test_error", "drift", "effective_dim", "spread_quantiles"),
    *("class_dilation", "class_test_error"),
)
_NO_TEST = "test_features and test_labels were not given"


def measure(
    features: ArrayLike,
    labels: ArrayLike,
    true_labels: ArrayLike,
    weights: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    test_features: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    loss: Loss | None = None,
    weight_decay: float | None = None,
    feature_decay: float | None = None,
) -> Measurement:
    r"""What a trained network does with clean, mislabelled and unseen examples, in the quantities of the theory.

    Parameters
    ----------
    features : array (n, M)
        Last-layer features of the training examples, one a row. NumPy arrays of 32 or 64 bits, or tensors.
    labels, true_labels : arrays (n,) of int
        The labels that were trained on and the right ones, from 0 to N - 1. Where they differ an example is mislabelled.
    weights : array (N, M)
        W, one classifier a row (as `torch.nn.Linear` keeps it).
    bias : array (N,), optional
    test_features, test_labels : arrays (k, M) and (k,), optional
        Of unseen examples, with their right labels.
    loss : Loss, default CrossEntropy()
        What was trained with; its value and gradient enter paid share and virial residual.
    weight_decay : float, optional
        :math:`\lambda_W` of :math:`\lambda_W\|W\|^2` beside a mean over examples. In terms of an optimiser's ``weight_decay``, which
        adds a multiple of W to the gradient, it is half of that.
    feature_decay : float, optional
        :math:`\lambda_H` of the mean :math:`\lambda_H\|h\|^2`, where the network has one.

    Returns
    -------
    Measurement
        What cannot be measured from what was given is NaN, and `Measurement.missing` says why.

    Raises
    ------
    AssumptionError
        If an array has the wrong shape or kind, is not finite, a label is out of range, or a class has no clean example.

    Examples
    --------
    Two classes with two clean examples each, and one of the first that is labelled as the second:

    >>> import numpy as np
    >>> h = np.array([[3.0, 1], [3, -1], [-3, 1], [-3, -1], [-1, 0]])
    >>> found = measure(h, [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [[1.0, 0], [-1, 0]])
    >>> found.margin, found.mean_distance, found.memorization, found.noisy_margin, found.train_dilation
    (6.0, 6.0, 4.0, 2.0, 1.0)
    >>> found.missing["test_error"]
    'test_features and test_labels were not given'
    """
    data = network_arrays(features, labels, true_labels, weights, bias, test_features, test_labels)
    loss = CrossEntropy() if loss is None else loss
    instance("loss", loss, Loss, "a Loss")
    if np.shape(loss.value(np.zeros(len(data.weights)), 0)) != ():
        raise fail("loss", loss, "must have one number for each of its parameters")
    decays = {
        name: None if value is None else one_number(name, value, _decay)
        for name, value in (("weight_decay", weight_decay), ("feature_decay", feature_decay))
    }
    missing: dict[str, str] = {}
    configuration = _Configuration.of(data)
    train = _clean(configuration, data, data.features, data.labels, data.labels == data.true_labels, loss)
    noisy = _noisy(configuration, data, loss, missing)
    unseen = _unseen(configuration, data, loss, missing)
    return Measurement(
        num_classes=len(data.weights),
        loss=loss,
        weight_decay=np.nan if decays["weight_decay"] is None else decays["weight_decay"],
        feature_decay=np.nan if decays["feature_decay"] is None else decays["feature_decay"],
        has_bias=data.has_bias,
        class_shares=np.bincount(data.labels, minlength=len(data.weights)) / len(data.labels),
        **configuration.fields(),
        **noisy.fields(),
        **_of_unseen(configuration, unseen, missing),
        train_dilation=train.dilation,
        **_paid(train, noisy, missing),
        **_balances(data, loss, decays["weight_decay"], decays["feature_decay"], missing),
        collapse=collapse_measures(
            data.weights,
            bias=data.bias if data.has_bias else None,
            features=data.features,
            labels=data.labels,
            samples="rows",
        ),
        missing=missing,
    )


def _decay(name: str, value: ArrayLike) -> Any:
    return real(name, value, lambda x: (x >= 1e-50) & (x <= 1e50), "lie between 1e-50 and 1e50")


@dataclass(frozen=True, slots=True)
class _Configuration:
    """Class means (N, M), and what follows from them and the classifier."""

    means: FloatArray
    logits: FloatArray
    distances: FloatArray
    weight_distances: FloatArray

    @classmethod
    def of(cls, data: NetworkArrays) -> "_Configuration":
        n = len(data.weights)
        clean = data.labels == data.true_labels
        total, counts = np.zeros((n, data.features.shape[1])), np.bincount(data.true_labels[clean], minlength=n)
        for block, classes in _blocks(data.features, data.true_labels, clean):
            order = np.argsort(classes, kind="stable")
            present, starts = np.unique(classes[order], return_index=True)
            total[present] += np.add.reduceat(block[order], starts, axis=0)
        means = total / counts[:, None]
        if np.any(distances(means)[~np.eye(n, dtype=bool)] == 0.0):
            raise fail("features", "equal class means", "must have class means that differ: distances are divided by")
        return cls(means, means @ data.weights.T + data.bias, distances(means), distances(data.weights))

    @property
    def pairs(self) -> NDArray[np.bool_]:
        return ~np.eye(len(self.means), dtype=bool)

    def fields(self) -> dict[str, Any]:
        margins = _margins(self.logits, np.arange(len(self.means)))
        return {
            "class_means": self.means.T,
            "class_margin": margins,
            "margin": float(margins.mean()),
            "pair_distance": self.distances,
            "mean_distance": float(self.distances[self.pairs].mean()),
            "weight_distance": float(self.weight_distances[self.pairs].mean()),
        }


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Clean examples around their class means: counts and squares (N,), coordinates towards other means where asked for, those on the wrong side, loss above that at the means."""

    counts: FloatArray
    squares: FloatArray
    coordinates: FloatArray
    wrong: FloatArray
    cost: float

    @property
    def dilation(self) -> float:
        """The root mean square distance, over all examples."""
        return float(np.sqrt(self.squares.sum() / self.counts.sum()))


def _clean(
    configuration: _Configuration,
    data: NetworkArrays,
    features: NDArray[np.float64],
    labels: NDArray[np.intp],
    which: NDArray[np.bool_],
    loss: Loss,
    *,
    towards_others: bool = False,
) -> _Cluster:
    n = len(data.weights)
    counts, squares, wrong, cost = np.zeros(n), np.zeros(n), np.zeros(n), 0.0
    parts = []
    at_means = loss.value(configuration.logits, np.arange(n))
    lengths = configuration.distances + np.eye(n)
    for block, classes in _blocks(features, labels, which):
        deviation = block - configuration.means[classes]
        logits = block @ data.weights.T + data.bias
        counts += np.bincount(classes, minlength=n)
        squares += np.bincount(classes, np.einsum("ij,ij->i", deviation, deviation), minlength=n)
        wrong += np.bincount(classes, _margins(logits, classes) <= 0.0, minlength=n)
        cost += float(np.sum(loss.value(logits, classes) - at_means[classes]))
        if not towards_others:
            continue
        towards = deviation @ configuration.means.T
        own = towards[np.arange(len(classes)), classes]
        along = (towards - own[:, None]) / lengths[classes]
        relative = along / lengths[classes]
        others = configuration.pairs[classes]
        parts.append(np.stack([along[others], relative[others]]))
    coordinates = np.concatenate(parts, axis=1) if parts else np.zeros((2, 0))
    return _Cluster(counts, squares, coordinates, wrong, cost)


def _unseen(configuration: _Configuration, data: NetworkArrays, loss: Loss, missing: dict[str, str]) -> _Cluster | None:
    if data.test_features is None or data.test_labels is None:
        missing |= dict.fromkeys(_OF_UNSEEN, _NO_TEST)
        return None
    everything = np.ones(len(data.test_labels), dtype=bool)
    return _clean(configuration, data, data.test_features, data.test_labels, everything, loss, towards_others=True)


def _of_unseen(configuration: _Configuration, unseen: _Cluster | None, missing: dict[str, str]) -> dict[str, Any]:
    n = len(configuration.means)
    if unseen is None:
        nothing = np.full(n, np.nan)
        scalars = dict.fromkeys(("dilation", "normalized_dilation", "test_error", "drift", "effective_dim"), np.nan)
        return {
            **scalars,
            "class_dilation": nothing,
            "class_test_error": nothing,
            "spread_quantiles": np.full(len(QUANTILES), np.nan),
            "spread_law": np.zeros(0),
        }
    r = unseen.dilation
    along, relative = unseen.coordinates
    with np.errstate(divide="ignore", invalid="ignore"):
        counted = unseen.counts > 0
        class_dilation = np.where(counted, np.sqrt(unseen.squares / unseen.counts), np.nan)
        class_error = np.where(counted, unseen.wrong / unseen.counts, np.nan)
    if not np.all(counted):
        absent = f"no unseen example is of class {int(np.argmin(counted))}"
        missing |= {"class_dilation": absent, "class_test_error": absent}
    square = float(np.mean(along**2))
    if square == 0.0:
        missing["effective_dim"] = "unseen examples have no part along the differences of class means"
    return {
        "dilation": r,
        "normalized_dilation": r / float(configuration.distances[configuration.pairs].mean()),
        "test_error": float(unseen.wrong.sum() / unseen.counts.sum()),
        "drift": float(relative.mean()),
        "effective_dim": r**2 / square if square > 0.0 else np.nan,
        "class_dilation": class_dilation,
        "class_test_error": class_error,
        "spread_quantiles": np.quantile(along / r, QUANTILES) if r > 0.0 else np.zeros(len(QUANTILES)),
        "spread_law": _in_parts(along / r) if square > 0.0 else np.zeros(0),
    }


def _in_parts(values: FloatArray) -> FloatArray:
    """Means of up to so many parts of the sorted values, of equal size but for the rounding: their own mean is close to that of all."""
    return np.array([part.mean() for part in np.array_split(np.sort(values), min(values.size, _PARTS))])


@dataclass(frozen=True, slots=True)
class _Noisy:
    """Mislabelled examples by pairs (N, N) of label and class: counts, sums of distances and of margins for the label; shares, and the loss gained."""

    noise: float
    class_noise: FloatArray
    counts: FloatArray
    distances: FloatArray
    margins: FloatArray
    memorized: float
    gain: float

    def fields(self) -> dict[str, Any]:
        total = float(self.counts.sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            pair_distance, pair_margin = self.distances / self.counts, self.margins / self.counts
        return {
            "noise": self.noise,
            "class_noise": self.class_noise,
            "pair_counts": self.counts,
            "pair_memorization": pair_distance,
            "pair_noisy_margin": pair_margin,
            "memorization": float(self.distances.sum()) / total if total else np.nan,
            "noisy_margin": float(self.margins.sum()) / total if total else np.nan,
            "memorized_share": self.memorized / total if total else np.nan,
        }


def _noisy(configuration: _Configuration, data: NetworkArrays, loss: Loss, missing: dict[str, str]) -> _Noisy:
    n = len(data.weights)
    flipped = data.labels != data.true_labels
    counts, distances, margins = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    memorized, gain = 0.0, 0.0
    both = np.stack([data.labels, data.true_labels], axis=1)
    for block, pair in _blocks(data.features, both, flipped):
        label, true = pair.T
        logits = block @ data.weights.T + data.bias
        margin = _margins(logits, label)
        np.add.at(counts, (label, true), 1.0)
        np.add.at(distances, (label, true), np.linalg.norm(block - configuration.means[true], axis=1))
        np.add.at(margins, (label, true), margin)
        memorized += float(np.sum(margin > 0.0))
        gain += float(np.sum(loss.value(configuration.logits[true], label) - loss.value(logits, label)))
    if not np.any(flipped):
        missing |= dict.fromkeys(("memorization", "noisy_margin", "memorized_share", "paid_share"), _NO_NOISE)
    class_noise = counts.sum(axis=0) / np.bincount(data.true_labels[~flipped], minlength=n)
    return _Noisy(float(flipped.sum() / (~flipped).sum()), class_noise, counts, distances, margins, memorized, gain)


def _paid(train: _Cluster, noisy: _Noisy, missing: dict[str, str]) -> dict[str, Any]:
    """What clean examples lose by their dilation over what mislabelled ones gain by leaving the means of their classes."""
    if noisy.gain > 0.0:
        return {"paid_share": train.cost / noisy.gain}
    missing.setdefault("paid_share", "mislabelled examples have not gained by leaving the means of their classes")
    return {"paid_share": np.nan}


def _balances(
    data: NetworkArrays, loss: Loss, weight_decay: float | None, feature_decay: float | None, missing: dict[str, str]
) -> dict[str, Any]:
    """The feature decay that would balance W, what is left of the balance, and of the virial identity."""
    mean_square, work = 0.0, 0.0
    for block, labels in _blocks(data.features, data.labels, np.ones(len(data.labels), dtype=bool)):
        plain = block @ data.weights.T
        work -= float(np.sum(loss.gradient(plain + data.bias, labels) * plain))
        mean_square += float(np.sum(block**2))
    mean_square, work = mean_square / len(data.labels), work / len(data.labels)
    found = {"mean_square_feature": mean_square, "effective_feature_decay": np.nan}
    found |= {"balance_residual": np.nan, "virial_residual": np.nan}
    if feature_decay is None:
        missing |= dict.fromkeys(("feature_decay", "balance_residual"), "feature_decay was not given")
    if weight_decay is None:
        missing |= dict.fromkeys(
            ("weight_decay", "effective_feature_decay", "balance_residual", "virial_residual"),
            "weight_decay was not given",
        )
        return found
    pull = weight_decay * float(np.sum(data.weights**2))
    found["effective_feature_decay"] = pull / mean_square
    if pull > 0.0:
        found["virial_residual"] = 1.0 - work / (2.0 * pull)
    else:
        missing["virial_residual"] = "weights are zero"
    if feature_decay is not None:
        push = feature_decay * mean_square
        found["balance_residual"] = (pull - push) / (pull + push)
    return found


def _blocks(
    features: NDArray[np.float64], labels: NDArray[np.intp], which: NDArray[np.bool_]
) -> Iterator[tuple[FloatArray, NDArray[np.intp]]]:
    """Some of the features in double precision, and what belongs to them."""
    index = np.flatnonzero(which)
    step = max(1, _BLOCK // features.shape[1])
    for start in range(0, index.size, step):
        some = index[start : start + step]
        yield np.asarray(features[some], dtype=np.float64), labels[some]


def _margins(logits: FloatArray, labels: NDArray[np.intp]) -> FloatArray:
    """The own logit minus the largest other (k,)."""
    rows = np.arange(len(logits))
    others = np.array(logits)
    others[rows, labels] = -np.inf
    return np.asarray(logits[rows, labels] - others.max(axis=1))
