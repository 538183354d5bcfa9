"""Losses on unit spheres, term by term in balls, at frames that are perfect or disturbed."""

import numpy as np
from flint import arb

from mdtheory.claims.library._matrices import dot, log_sum_exp, unit

Vectors = list[list[arb]]


def disturbed(vectors: Vectors, size: float, seed: int) -> Vectors:
    """Random vectors of a relative size added, and normalised again."""
    noise = np.random.default_rng(seed).normal(size=(len(vectors), len(vectors[0])))
    return [
        unit([x + arb(size) * arb(float(e)) for x, e in zip(v, row, strict=True)])
        for v, row in zip(vectors, noise, strict=True)
    ]


def orthonormal(count: int) -> Vectors:
    """The coordinate vectors."""
    return [[arb(int(i == k)) for i in range(count)] for k in range(count)]


def cross_entropy(features: Vectors, weights: Vectors, inverse_temperature: arb) -> arb:
    """The mean over classes of the loss at logits ``s <w_j, h_k>``."""
    total = arb(0)
    for k, feature in enumerate(features):
        logits = [inverse_temperature * dot(w, feature) for w in weights]
        total += log_sum_exp(logits) - logits[k]
    return total / len(features)


def supervised_contrastive(features: Vectors, labels: list[int], temperature: arb) -> arb:
    """The mean over anchors; each is contrasted with all other samples of the batch."""
    total = arb(0)
    for i, anchor in enumerate(features):
        others = [j for j in range(len(features)) if j != i]
        scores = {j: dot(anchor, features[j]) / temperature for j in others}
        positives = [scores[j] for j in others if labels[j] == labels[i]]
        total += log_sum_exp(list(scores.values())) - sum(positives, arb(0)) / len(positives)
    return total / len(features)
