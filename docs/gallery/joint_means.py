"""How far apart noise leaves the class means, over their distance without it."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

NOISE, SLOPE = (1e-2, 0.9), (3e-3, 3.0)


def log_distance(joint: mdt.LimitedExpressivity) -> np.ndarray:
    """Zero where the class means are as far apart as without noise."""
    return np.log(mdt.solve(joint).relative_mean_distance)


def margin(joint: mdt.LimitedExpressivity) -> np.ndarray:
    """The margin of a noisy example for its label."""
    return np.asarray(mdt.solve(joint).noisy_margin)


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=0.1, slope=1.0, weight_decay=1e-3, feature_decay=1e-3)
    axes = {"slope": np.geomspace(*SLOPE, size), "noise": np.geomspace(*NOISE, size)}
    ds = mdt.sweep(joint, axes, ["relative_mean_distance"])
    ranges = {"slope": (*SLOPE, "log"), "noise": (*NOISE, "log")}
    lines = [
        phase.boundary(joint, log_distance, ranges, label="as without noise"),
        phase.boundary(joint, margin, ranges, label="memorised"),
    ]
    ax = phase.plot(ds, x="slope", quantity="relative_mean_distance", boundaries=lines)
    phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
