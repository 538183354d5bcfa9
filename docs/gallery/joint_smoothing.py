"""Where label smoothing dilates less than cross-entropy: jointly, and at the configuration without noise."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

SMOOTHING, SLOPE = (0.0, 0.6), (2e-2, 3.0)


def plain(joint: mdt.LimitedExpressivity) -> mdt.LimitedExpressivity:
    """The same problem with cross-entropy."""
    return phase.with_values(joint, {"loss": mdt.CrossEntropy()})


def log_ratio(joint: mdt.LimitedExpressivity) -> np.ndarray:
    """Over the smoothing, at which it is zero as well."""
    ours, theirs = (np.asarray(mdt.solve(p).normalized_dilation) for p in (joint, plain(joint)))
    return np.log(ours / theirs) / joint.loss.smoothing


def fixed_log_ratio(joint: mdt.LimitedExpressivity) -> np.ndarray:
    """The same at fixed configurations."""
    ours, theirs = (
        np.asarray(
            mdt.solve(
                mdt.MemorizationDilation(p.noiseless, noise=p.noise, slope=p.slope, scaling="relative")
            ).normalized_dilation
        )
        for p in (joint, plain(joint))
    )
    return np.log(ours / theirs) / joint.loss.smoothing


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    joint = mdt.LimitedExpressivity(mdt.CrossEntropy(0.1), noise=0.1, slope=1.0, weight_decay=5e-3, feature_decay=5e-3)
    axes = {"slope": np.geomspace(*SLOPE, size), "loss.smoothing": np.linspace(*SMOOTHING, size)}
    ds = mdt.sweep(joint, axes, ["normalized_dilation"])
    ds["log_ratio"] = np.log(ds.normalized_dilation / ds.normalized_dilation.isel({"loss.smoothing": 0}))
    ds.log_ratio.attrs = {
        "symbol": r"\log(\mathrm{ND}_\alpha/\mathrm{ND}_0)",
        "long_name": "ratio of dilations,",
        "units": "1",
    }
    ranges = {"slope": (*SLOPE, "log"), "loss.smoothing": (1e-3, SMOOTHING[1])}
    lines = [
        phase.boundary(joint, log_ratio, ranges, label="equal, jointly"),
        phase.boundary(joint, fixed_log_ratio, ranges, label="equal, fixed"),
    ]
    ax = phase.plot(ds, x="slope", quantity="log_ratio", boundaries=lines, limits=(-0.5, 0.5))
    phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
