"""Three classes: one of them apart for a small slope, all alike for a larger one."""

from pathlib import Path

import mdtheory as mdt
from mdtheory import phase

FLIP, SLOPES = 0.4, (0.1, 0.3)


def main(output: Path, size: int) -> None:
    """Draw both configurations; the size does not matter."""
    with phase.style():
        axes = phase.panels(1, 2, width="two-columns", height=3.0)[0]
        for ax, slope in zip(axes, SLOPES, strict=True):
            joint = mdt.LimitedExpressivity(
                mdt.MeanSquaredError(),
                num_classes=3,
                noise=FLIP / (1 - FLIP),
                slope=slope / (1 - FLIP),
                weight_decay=3e-3,
                feature_decay=3e-3,
                bias=True,
            )
            phase.plot_configuration(mdt.solve(joint), ax=ax)
            ax.set_title(f"slope {slope:g}")
        phase.save(axes[0], output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 0)
