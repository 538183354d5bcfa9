"""Memorisation against dilation of trained networks, under the published constraint and under the copy law."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase
from mdtheory.networks.protocol import measured_runs

SETTING = "strong"
COLOURS = {"cross-entropy": "#1F5F99", "label-smoothing-0.1": "#B35C00"}


def main(output: Path, size: int) -> None:
    """Draw both laws side by side, lines of `size` points."""
    runs = measured_runs()
    runs = runs[runs.setting == SETTING]
    with phase.style():
        axes = phase.panels(1, 2, width="two-columns", height=2.8)[0]
        for ax, law in zip(axes, ("linear-absolute", "copy"), strict=True):
            fit = mdt.fit_slope(runs, law)
            for loss, colour in COLOURS.items():
                own = runs[runs.loss == loss]
                quiet, noisy = own[own.level == 0], own[own.level > 0]
                share = noisy.noise / (1 + noisy.noise)
                if law == "copy":
                    x = share * (noisy.memorization / noisy.mean_distance) ** 2
                    y = noisy.normalized_dilation**2 - (quiet.normalized_dilation**2).mean()
                else:
                    x = noisy.noise * noisy.memorization * noisy.mean_distance
                    y = noisy.dilation - quiet.dilation.mean()
                ax.plot(x, y, "o", color=colour, markersize=3, alpha=0.7, label=loss)
                line = np.linspace(0, x.max(), size)
                ax.plot(line, fit.groups[loss].coefficient * line, color=colour, linewidth=1)
            ax.set_title(f"{law}: exponent {fit.exponent:.2f}, $R^2$ {fit.pooled.r_squared:.2f}")
        axes[0].set_xlabel(r"$\eta\rho D$")
        axes[0].set_ylabel("dilation over that without noise")
        axes[1].set_xlabel(r"$p(\rho/D)^2$")
        axes[1].set_ylabel(r"ND$^2$ over that without noise")
        axes[0].legend()
        phase.save(axes[0], output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 50)
