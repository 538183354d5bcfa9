"""Which noisy examples are memorised, and which clusters overlap, over noise and slope; proved cell by cell."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

NOISE, SLOPE = (1e-3, 0.4), (0.02, 5.0)


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)
    axes = {"slope": np.geomspace(*SLOPE, size), "noise": np.geomspace(*NOISE, size)}
    ds = phase.regions(md, axes, certify=True)
    ranges = {"noise": (*NOISE, "log"), "slope": (*SLOPE, "log")}
    lines = [
        phase.boundary(md, "memorization", ranges, label="memorised above"),
        phase.boundary(md, "test-error", ranges, label="no error outside"),
    ]
    phase.save(phase.plot(ds, x="noise", quantity="phase", boundaries=lines), output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 60)
