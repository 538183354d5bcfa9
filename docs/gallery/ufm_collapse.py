"""The margin of the unconstrained features model over label smoothing and weight decay, to where it collapses to zero."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase


def half_sure(ufm: mdt.UFM):
    """Zero where the softmax probability of the own class is one half."""
    return mdt.solve(ufm).probability - 0.5


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=10, weight_decay=1e-2, feature_decay=1e-2)
    smoothing, decay = np.linspace(0.0, 0.9, size), np.geomspace(1e-3, 0.3, size)
    ds = mdt.sweep(ufm, {"decay": decay, "loss.smoothing": smoothing}, ["margin"])
    ranges = {"loss.smoothing": (0.0, 0.9), "decay": (1e-3, 0.3, "log")}
    lines = [
        phase.boundary(ufm, "collapse", ranges, label="collapse to zero"),
        phase.boundary(ufm, half_sure, ranges, label="$p = 1/2$"),
    ]
    ax = phase.plot(ds, x="loss.smoothing", quantity="margin", boundaries=lines, scale="linear")
    phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
