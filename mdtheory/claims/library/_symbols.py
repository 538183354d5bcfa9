"""The variables that claims share, with the domains they are usually drawn from."""

import sympy as sp

from mdtheory.claims.domains import Integers, Interval

num_classes = sp.Symbol("num_classes", integer=True, positive=True)
weight_decay, feature_decay = sp.symbols("weight_decay feature_decay", positive=True)
smoothing, noise, slope, noisy_decay = sp.symbols("smoothing noise slope noisy_decay", nonnegative=True)
decay = sp.Symbol("decay", positive=True)
dim = sp.Symbol("dim", integer=True, positive=True)

CLASSES = Integers(2, 200)
FEW_CLASSES = Integers(2, 6)
DECAY = Interval(1e-6, 0.3, log=True)
SMOOTHING = Interval(0.0, 0.95)
NOISE = Interval(1e-4, 0.5, log=True)
SLOPE = Interval(0.03, 10.0, log=True)
DIM = Integers(2, 32)

mu = sp.sqrt(weight_decay * feature_decay)
"""The geometric mean of the decays."""
