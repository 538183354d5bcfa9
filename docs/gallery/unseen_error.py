"""The error rate of unseen clean examples over noise and slope."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)
    axes = {"slope": np.geomspace(0.01, 3.0, size), "noise": np.geomspace(1e-2, 0.5, size)}
    ds = mdt.sweep(md, axes, ["test_error"])
    ranges = {"noise": (1e-2, 0.5, "log"), "slope": (0.01, 3.0, "log")}
    lines = [
        phase.boundary(md, "test-error", ranges, label="no error outside"),
        phase.boundary(md, "test-error", ranges, level=0.05, label="5 %"),
        phase.boundary(md, "slope-extremum", ranges, label="worst slope"),
    ]
    ax = phase.plot(ds, x="noise", quantity="test_error", boundaries=lines, scale="linear")
    phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
