"""Normalised dilation over noise and label smoothing: the diagram of the report."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)
    axes = {"loss.smoothing": np.linspace(0.0, 0.5, size), "noise": np.geomspace(1e-3, 0.4, size)}
    ds = mdt.sweep(md, axes, ["normalized_dilation"])
    ranges = {"noise": (1e-3, 0.4, "log"), "loss.smoothing": (0.0, 0.5)}
    kinds = [
        ("memorization", None, "noisy margin $t = 0$"),
        ("test-error", 0.0, None),
        ("normalized-dilation", 0.1, None),
    ]
    lines = [phase.boundary(md, kind, ranges, level=level, label=label) for kind, level, label in kinds]
    phase.save(phase.plot(ds, x="noise", boundaries=lines), output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
