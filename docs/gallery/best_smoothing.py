"""The best label smoothing against the noise: the least error of unseen examples, on the grid and traced."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

NOISE = (2e-2, 1.0)


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    with phase.style():
        ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=0.02, feature_decay=0.02)
        md = mdt.MemorizationDilation(
            ufm, noise=0.1, slope=0.1, spread=mdt.Gaussian(8), scaling="relative", noisy_feature_decay=0.0
        )
        smoothing, noise = np.linspace(0.0, 0.9, size), np.geomspace(*NOISE, size)
        ds = mdt.sweep(md, {"loss.smoothing": smoothing, "noise": noise}, ["test_error"])
        ranges = {"noise": (*NOISE, "log"), "loss.smoothing": (1e-3, 0.9)}
        best = phase.boundary(md, "least-error-smoothing", ranges, label="best smoothing, traced")
        ax = phase.plot(ds, x="noise", quantity="test_error", boundaries=[best], scale="log")
        error = ds.test_error
        found = smoothing[error.argmin("loss.smoothing")]
        every = max(1, size // 12)
        ax.plot(noise[::every], found[::every], "o", color="white", markeredgecolor="black", markersize=3.5, zorder=5)
        phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
