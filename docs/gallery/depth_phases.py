"""Which arrangement of six classes is best behind two linear layers, over smoothing and decay, and where the simplex is stable and proved optimal."""

from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap

import mdtheory as mdt
from mdtheory import phase

CLASSES, LAYERS = 6, 2
NAMES = ("simplex", "pairs", "polygon", "zero")
COLOURS = ("#CFE3F1", "#F6DDBB", "#D5E8D0", "#EEEEEE")


def main(output: Path, size: int) -> None:
    """Draw the diagram with `size` cells a side."""
    smoothing, decay = np.linspace(0.0, 0.5, size), np.geomspace(1e-4, 0.2, size)[:, None]
    values = [mdt.structure_value(name, CLASSES, LAYERS, decay, smoothing) for name in NAMES[:3]]
    best = np.argmin([*values, np.full((size, size), np.log(CLASSES))], axis=0)
    # Zero is the least multiple of every arrangement.
    best[np.min(values, axis=0) >= np.log(CLASSES) * (1 - 1e-12)] = 3
    line = np.linspace(0.0, 0.5, max(9, size // 8))
    with phase.style():
        ax = phase.panels(1, 1, width="one-column", height=2.9)[0][0]
        ax.pcolormesh(smoothing, decay, best, cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=3.5, rasterized=True)
        crossing = mdt.structure_crossing("simplex", "pairs", CLASSES, LAYERS, line)
        ax.plot(line, crossing, "k-", label="as good as pairs")
        ax.plot(line, mdt.etf_stability_decay(CLASSES, LAYERS, line), "k--", label="simplex stable below")
        some = np.linspace(0.01, 0.5, max(3, size // 20))
        proved = [mdt.etf_certified_decay(CLASSES, LAYERS, float(alpha)) for alpha in some]
        ax.plot(some, proved, "k:", label="simplex proved optimal below")
        for name, x, y in (("simplex ETF", 0.33, 2.2e-3), ("3 antipodal pairs", 0.1, 3.6e-2), ("zero", 0.4, 0.12)):
            ax.text(x, y, name, ha="center", va="center")
        arrow = {"arrowstyle": "-", "linewidth": 0.6}
        ax.annotate("hexagon", (0.02, 0.105), (0.1, 0.15), ha="center", va="center", arrowprops=arrow)
        ax.set_yscale("log")
        ax.set_ylim(decay.min(), decay.max())
        ax.set_xlabel(r"label smoothing $\alpha$")
        ax.set_ylabel(r"decay $\Lambda^{1/3}$")
        ax.legend(loc="lower right")
        phase.save(ax, output, dpi=220)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
