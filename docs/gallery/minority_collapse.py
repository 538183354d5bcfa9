"""Minority collapse over the imbalance of the classes and weight decay."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

RATIO, DECAY = (1.0, 100.0), (1e-2, 0.4)


def imbalanced(imbalance_ratio, decay, nonnegative=True) -> mdt.UFM:
    """Two frequent and two rare classes; arrays broadcast with nonnegative features."""
    ratio = np.asarray(imbalance_ratio, dtype=float)[..., None]
    weights = np.concatenate([ratio, ratio, np.ones_like(ratio), np.ones_like(ratio)], axis=-1)
    return mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=4,
        weight_decay=decay,
        feature_decay=decay,
        nonnegative=nonnegative,
        class_weights=weights / weights.sum(axis=-1, keepdims=True),
    )


def free(imbalance_ratio, decay) -> mdt.UFM:
    """The same with free features."""
    return imbalanced(imbalance_ratio, decay, nonnegative=False)


def rare_margin(solution: mdt.MarginSolution):
    """The margin of the rare classes."""
    return np.asarray(solution.margin)[..., -1]


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    axes = {"decay": np.geomspace(*DECAY, size), "imbalance_ratio": np.geomspace(*RATIO, size)}
    ds = mdt.sweep(imbalanced, axes, {"rare_margin": rare_margin}, vectorized=True)
    ds.rare_margin.attrs |= {"long_name": "margin of the rare classes", "symbol": "s"}
    ranges = {"imbalance_ratio": (*RATIO, "log"), "decay": (*DECAY, "log")}
    lines = [
        phase.boundary(imbalanced, "minority-collapse", ranges, label="rare classes vanish"),
        phase.boundary(free, "minority-collapse", ranges, label="free features: merge"),
    ]
    ax = phase.plot(ds, x="imbalance_ratio", quantity="rare_margin", boundaries=lines, scale="linear")
    phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
