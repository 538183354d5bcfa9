"""Where label smoothing dilates less than cross-entropy, for both scalings, with exact and asymptotic boundaries."""

from pathlib import Path

import numpy as np

import mdtheory as mdt
from mdtheory import phase
from mdtheory.models.dilation import asymptotics

SMOOTHING, DECAY = (0.0, 0.95), (3e-4, 0.3)
PLAIN = {"loss": mdt.CrossEntropy()}


def log_ratio(md: mdt.MemorizationDilation, size: int):
    """The logarithm of ND(label smoothing) / ND(cross-entropy), each on its own configuration."""
    smoothing, decay = np.linspace(*SMOOTHING, size), np.geomspace(*DECAY, size)
    ds = mdt.sweep(md, {"decay": decay, "loss.smoothing": smoothing}, ["normalized_dilation"])
    plain = mdt.sweep(phase.with_values(md, PLAIN), {"decay": decay}, ["normalized_dilation"])
    ds["log_ratio"] = np.log(ds.normalized_dilation / plain.normalized_dilation)
    ds.log_ratio.attrs = {
        "symbol": r"\log(\mathrm{ND}_\alpha/\mathrm{ND}_0)",
        "long_name": "ratio of dilations,",
        "units": "1",
    }
    return ds


def small_slope(md: mdt.MemorizationDilation) -> np.ndarray:
    """Zero where the leading terms for a small slope agree; over the smoothing, at which they agree as well."""
    terms = [asymptotics.small_slope_dilation(p) for p in (md, phase.with_values(md, PLAIN))]
    return np.log(terms[0] / terms[1]) / md.ufm.loss.smoothing


def main(output: Path, size: int) -> None:
    """Draw the two diagrams with `size` cells a side."""
    with phase.style():
        ufm = mdt.UFM(mdt.CrossEntropy(0.1), num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
        cases = [
            (
                "relative scaling",
                {"scaling": "relative", "noise": 0.1, "slope": 1.0},
                "equal-dilation-small-noise",
                0.03,
            ),
            ("absolute scaling", {"noise": 0.4, "slope": 0.02, "noisy_feature_decay": 0.0}, small_slope, 2.0),
        ]
        panels = phase.panels(1, 2, width="two-columns")[0]
        for ax, (title, options, asymptotic, limit) in zip(panels, cases, strict=True):
            md = mdt.MemorizationDilation(ufm, **options)
            ranges = {"loss.smoothing": (1e-3, SMOOTHING[1]), "decay": (*DECAY, "log")}
            label = r"$\eta \to 0$" if isinstance(asymptotic, str) else r"$C \to 0$"
            lines = [
                phase.boundary(md, "equal-dilation", ranges, other=mdt.CrossEntropy(), label="exact"),
                phase.boundary(md, asymptotic, ranges, label=label),
                phase.boundary(md, "collapse", ranges, label="collapse to zero"),
            ]
            limits = (-limit, limit)
            phase.plot(
                log_ratio(md, size), x="loss.smoothing", quantity="log_ratio", boundaries=lines, ax=ax, limits=limits
            )
            ax.set_title(rf"{title}, $\eta = {md.noise:g}$, $C = {md.slope:g}$")
        phase.save(panels[0], output, dpi=200)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"), 400)
