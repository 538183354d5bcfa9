"""The features of two trained networks in the plane of their class means: without noise, and with a sixth of the labels wrong."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase
from mdtheory.networks.protocol import example_path

COLOURS = ("#1F5F99", "#B35C00")


def main(output: Path, size: int) -> None:
    """Draw both, at most 8 times `size` examples of each kind."""
    with phase.style():
        axes = phase.panels(1, 2, width="two-columns", height=2.9)[0]
        for ax, name in zip(axes, ("clean", "noisy"), strict=True):
            with np.load(example_path(name)) as stored:
                arrays = dict(stored)
            found = mdt.measure(**arrays, weight_decay=5e-3, feature_decay=5e-3)
            first, second = found.class_means.T
            along = (second - first) / found.mean_distance
            middle = 0.5 * (first + second)
            rest = middle - (middle @ along) * along
            plane = np.stack([along, rest / np.linalg.norm(rest)])
            wrong = arrays["labels"] != arrays["true_labels"]
            for c, colour in enumerate(COLOURS):
                unseen = arrays["test_features"][arrays["test_labels"] == c][: 8 * size]
                ax.plot(
                    *(plane @ (unseen - middle).T),
                    ".",
                    color=colour,
                    markersize=3,
                    alpha=0.5,
                    label=f"unseen, class {c}",
                )
                noisy = arrays["features"][wrong & (arrays["true_labels"] == c)]
                label = f"class {c} labelled {1 - c}" if len(noisy) else None
                ax.plot(*(plane @ (noisy - middle).T), "x", color=colour, markersize=5, label=label)
            ax.plot(*(plane @ (found.class_means.T - middle).T), "k+", markersize=9, label="class means")
            ax.set_title(f"ND {found.normalized_dilation:.2f}, error {found.test_error:.1%}")
            ax.set_xlabel("along the difference of the class means")
            ax.set_aspect("equal", adjustable="datalim")
        axes[0].set_ylabel("along what they have in common")
        axes[1].legend(fontsize=6, loc="lower left")
        phase.save(axes[0], output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 200)
