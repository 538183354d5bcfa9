"""When noise and decay leave nothing, exactly."""

from mdtheory.claims.domains import Interval
from mdtheory.claims.library._symbols import decay, noise, slope, smoothing
from mdtheory.claims.library.joint._joint import MOST, SETTING, SMOOTHED, SOURCE, flip, margin, margin_or_zero
from mdtheory.claims.model import Claim, Quantity, Verdict
from mdtheory.claims.relation import positive_iff

theirs = slope / (1 + noise)

CLAIM = Claim(
    id="joint-collapse-threshold",
    title="When noise and decay leave nothing: class means, noisy features and dilation together",
    statement=(
        r"Two classes, cross-entropy with smoothing $\alpha$, flip probability $e$, $C' = (1-e)C$: the optimum is not zero if and only if "
        r"$\frac{(1-\alpha)^2}{4} \frac{C'^2 + e(1-2e)^2}{C'^2 + e} > 2\lambda^2$."
    ),
    source=SOURCE,
    variables={**SMOOTHED, decay: Interval(0.05, 0.4), slope: Interval(0.05, 2.0, log=True)},
    quantities={margin: Quantity(at=margin_or_zero, route="dual norm at zero, else the minimiser, in balls")},
    relations=(
        positive_iff(
            margin,
            (1 - smoothing) ** 2 / 4 * (theirs**2 + flip * (1 - 2 * flip) ** 2) / (theirs**2 + flip) - 2 * decay**2,
        ),
    ),
    expected=Verdict.PROVED,
    hypotheses=(*SETTING, "relative scaling"),
    derivation="derivations/joint_two_classes.py",
    most_samples=MOST,
)
