"""All losses compared: normalised dilation and the margin of noisy examples against the noise."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

LOSSES = [
    mdt.CrossEntropy(),
    mdt.CrossEntropy(smoothing=0.1),
    mdt.MeanSquaredError(),
    mdt.MeanSquaredError(smoothing=0.1),
    mdt.LabelRelaxation(relaxation=0.1),
    mdt.Focal(focusing=2.0),
    mdt.Hinge(),
    mdt.SquaredHinge(),
]


def main(output: Path, size: int) -> None:
    """Draw both panels with `size` noise levels."""
    with phase.style():
        ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
        md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)
        axes = {"loss": LOSSES, "noise": np.geomspace(1e-3, 0.4, size)}
        ds = mdt.sweep(md, axes, ["normalized_dilation", "noisy_margin"])
        panels = phase.panels(1, 2, width="two-columns", height=3.4)[0]
        for ax, quantity in zip(panels, ("normalized_dilation", "noisy_margin"), strict=True):
            phase.plot_losses(ds, x="noise", quantity=quantity, ax=ax, legend=False)
        panels[1].axhline(0.0, color="0.5", linewidth=0.8, zorder=1)
        panels[0].figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        phase.save(panels[0], output, dpi=200)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 200)
