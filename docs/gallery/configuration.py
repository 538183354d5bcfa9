"""The story of memorization and dilation in one picture: cross-entropy beside label smoothing, at equal noise."""

from pathlib import Path

import mdtheory as mdt
from mdtheory import phase


def main(output: Path, size: int) -> None:
    """Draw both configurations; `size` is not used."""
    with phase.style():
        panels = phase.panels(1, 2, width="two-columns")[0]
        for ax, smoothing in zip(panels, (0.0, 0.2), strict=True):
            loss = mdt.CrossEntropy(smoothing)
            ufm = mdt.UFM(loss, num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
            md = mdt.MemorizationDilation(ufm, noise=0.13, slope=0.5, noisy_feature_decay=1e-4)
            solution = mdt.solve(md)
            phase.plot_configuration(solution, ax=ax)
            name = "label smoothing, $\\alpha = 0.2$" if smoothing else "cross-entropy"
            ax.set_title(f"{name}: $r/\\|h_1 - h_2\\| = {solution.normalized_dilation:.2f}$")
        phase.save(panels[0], output, dpi=200)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 1)
