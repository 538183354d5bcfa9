"""The first-order transition of the absolute scaling: class means that merge, and the dilation that jumps."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase

SLOPE = (3e-3, 1.0)
NOISE = (0.1, 0.2, 1 / 3)
QUANTITIES = {"mean_distance": "distance of the class means $D$", "normalized_dilation": "normalised dilation ND"}


def main(output: Path, size: int) -> None:
    """Draw distance and dilation over the slope, `size` points a line, for three noise levels."""
    joint = mdt.LimitedExpressivity(
        mdt.CrossEntropy(), noise=0.1, slope=1.0, weight_decay=1e-3, feature_decay=1e-3, scaling="absolute"
    )
    with phase.style():
        axes = phase.panels(1, 2, width="two-columns", height=2.6)[0]
        for noise, colour in zip(NOISE, ("#1F5F99", "#B35C00", "#3B7D3B"), strict=True):
            one = replace(joint, noise=noise)
            jump = mdt.merging_slope(one)
            grid = np.geomspace(*SLOPE, size)
            # From either side of the jump, if there is one.
            parts = (
                [grid]
                if np.isnan(jump)
                else [
                    np.append(grid[grid < jump], jump * (1 - 1e-9)),
                    np.append(jump * (1 + 1e-9), grid[grid > jump]),
                ]
            )
            answers = [mdt.solve(replace(one, slope=slopes)) for slopes in parts]
            for ax, quantity in zip(axes, QUANTITIES, strict=True):
                lines = [getattr(answer, quantity) for answer in answers]
                for k, (slopes, values) in enumerate(zip(parts, lines, strict=True)):
                    ax.plot(slopes, values, color=colour, label=rf"$\eta$ = {noise:.2g}" if k == 0 else None)
                if len(lines) == 2:
                    ax.plot([jump, jump], [lines[0][-1], lines[1][0]], color=colour, linestyle=":", linewidth=0.9)
        for ax, label in zip(axes, QUANTITIES.values(), strict=True):
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_xlabel("memorization-dilation slope $C$")
            ax.set_ylabel(label)
        axes[0].legend()
        phase.save(axes[0], output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 200)
