"""The dilation with class means and classifier optimal too, over that at the configuration without noise."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

NOISE, SLOPE = (1e-2, 0.8), (3e-3, 3.0)


def margin_of_fixed(joint: mdt.LimitedExpressivity) -> np.ndarray:
    """The noisy margin at the configuration of the features model."""
    return np.asarray(mdt.solve(fixed(joint)).noisy_margin)


def margin_of_joint(joint: mdt.LimitedExpressivity) -> np.ndarray:
    """The noisy margin of the joint optimum."""
    return np.asarray(mdt.solve(joint).noisy_margin)


def fixed(joint: mdt.LimitedExpressivity) -> mdt.MemorizationDilation:
    """The same problem with class means and classifier of clean data."""
    return mdt.MemorizationDilation(joint.noiseless, noise=joint.noise, slope=joint.slope, scaling="relative")


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    joint = mdt.LimitedExpressivity(mdt.CrossEntropy(), noise=0.1, slope=1.0, weight_decay=5e-3, feature_decay=5e-3)
    axes = {"slope": np.geomspace(*SLOPE, size), "noise": np.geomspace(*NOISE, size)}
    ds = mdt.sweep(joint, axes, ["normalized_dilation"])
    plain = mdt.sweep(fixed(joint), axes, ["normalized_dilation"])
    ds["log_ratio"] = np.log10(ds.normalized_dilation / plain.normalized_dilation)
    ds.log_ratio.attrs = {
        "symbol": r"\log_{10}(\mathrm{ND}/\mathrm{ND}_{\mathrm{fixed}})",
        "long_name": "joint over fixed dilation,",
        "units": "1",
    }
    ranges = {"slope": (*SLOPE, "log"), "noise": (*NOISE, "log")}
    lines = [
        phase.boundary(joint, margin_of_joint, ranges, label="memorised, jointly"),
        phase.boundary(joint, margin_of_fixed, ranges, label="memorised, fixed"),
    ]
    ax = phase.plot(ds, x="slope", quantity="log_ratio", boundaries=lines, limits=(-0.7, 0.7))
    phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
