"""Focal loss and cross-entropy along the symmetric logits, in balls."""

from flint import arb, arb_series


def focal_jet(log_odds: arb, focusing: arb, order: int) -> list[arb]:
    """The focal profile and its derivatives in the margin, where the own class has these log odds: by power series.

    The margin and the log odds ``log(p/(1-p))`` differ by ``log(N-1)``, so the number of classes does not matter.
    """
    x = arb_series([log_odds, 1], order + 1)
    rest = 1 / (1 + x.exp())
    loss = (focusing * rest.log()).exp() * (1 + (-x).exp()).log()
    return [loss[i] * arb(i).fac() for i in range(order + 1)]


def log_odds(probability: arb) -> arb:
    """``log(p/(1-p))``."""
    return (probability / (1 - probability)).log()


def cross_entropy_slope(log_odds: arb) -> arb:
    """The slope of ``-log p`` in the margin, by power series."""
    return (1 + (-arb_series([log_odds, 1], 2)).exp()).log()[1]
