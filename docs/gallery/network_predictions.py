"""Margins and distances of trained networks beside those of the features model."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

import mdtheory as mdt
from mdtheory import phase
from mdtheory.networks.protocol import SETTINGS, measured_runs

COLOURS = ("#1F5F99", "#3B7D3B", "#7A5195", "#B35C00", "#B02A30")
TICKS = (1, 2, 3, 5, 7, 10)
LABELS = {"margin": "margin $s$", "mean_distance": "distance $D$"}


def main(output: Path, size: int) -> None:
    """Draw measured over predicted, for every run; diagonals of `size` points."""
    runs = measured_runs()
    ufm = mdt.UFM(
        mdt.CrossEntropy(runs.smoothing.to_numpy()),
        num_classes=2,
        weight_decay=runs.weight_decay.to_numpy(),
        feature_decay=runs.effective_feature_decay.to_numpy(),
        nonnegative=True,
    )
    sol = mdt.solve(ufm)
    means = np.asarray(sol.class_means)
    predicted = {"margin": sol.margin, "mean_distance": np.linalg.norm(means[:, :, 0] - means[:, :, 1], axis=-1)}
    with phase.style():
        axes = phase.panels(1, 2, width="two-columns", height=2.8)[0]
        for ax, (name, label) in zip(axes, LABELS.items(), strict=True):
            for setting, colour in zip(SETTINGS, COLOURS, strict=True):
                own = (runs.setting == setting).to_numpy()
                ax.plot(
                    predicted[name][own], runs[name][own], "o", color=colour, markersize=3, alpha=0.6, label=setting
                )
            line = np.geomspace(runs[name].min() / 1.2, runs[name].max() * 1.2, size)
            ax.plot(line, line, color="0.4", linewidth=0.8, zorder=0)
            ax.set_xscale("log")
            ax.set_yscale("log")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(FixedLocator(TICKS))
                axis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axis.set_minor_locator(NullLocator())
            ax.set_xlabel(f"{label} of the features model")
            ax.set_ylabel(f"{label} measured")
        axes[0].legend()
        phase.save(axes[0], output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 50)
