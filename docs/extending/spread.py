"""A spread with parameters of its own: a sphere, but for a share of outliers on a larger one."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import mdtheory as mdt
from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import one_number, positive, unit_interval
from mdtheory.spreads import Spread


@dataclass(frozen=True)
class ContaminatedSphere(Spread):
    r"""Uniform on a sphere of radius a, with probability `share` of radius `ratio` times a; ``E||xi||^2 = 1`` gives a."""

    share: float = 0.1
    ratio: float = 3.0

    parameters: ClassVar[tuple[Parameter, ...]] = (
        *Spread.parameters,
        Parameter("share", r"\epsilon", "share of outliers", default=0.1, help="share of outliers in [0, 1)"),
        Parameter("ratio", r"\rho", "ratio of radii", log=True, default=3.0, help="ratio of radii, positive"),
    )

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "share", one_number("share", self.share, unit_interval))
        object.__setattr__(self, "ratio", one_number("ratio", self.ratio, positive))

    @property
    def _mixture(self):
        """Radius and probability of either sphere."""
        inner = 1.0 / np.sqrt(1.0 - self.share + self.share * self.ratio**2)
        return ((inner, 1.0 - self.share), (inner * self.ratio, self.share))

    @property
    def radius(self):
        return max(radius for radius, _ in self._mixture)

    @property
    def mean_absolute(self):
        return sum(share * radius * self._sphere.mean_absolute for radius, share in self._mixture)

    @property
    def wide_scale(self):
        return self._sphere.wide_scale / self.radius

    def tail(self, x):
        return sum(share * self._sphere.tail(np.asarray(x) / radius) for radius, share in self._mixture)

    def smooth_rule(self, centre, scale, strip):
        rules = [self._sphere.smooth_rule(centre, np.asarray(scale) * radius, strip) for radius, _ in self._mixture]
        nodes = [radius * nodes for (radius, _), (nodes, _) in zip(self._mixture, rules, strict=True)]
        weights = [share * weights for (_, share), (_, weights) in zip(self._mixture, rules, strict=True)]
        return np.concatenate(nodes), np.concatenate(weights)

    def split_rule(self, kink, scale):
        pieces = [
            self._sphere.split_rule(np.asarray(kink) / radius, np.asarray(scale) * radius)
            for radius, _ in self._mixture
        ]
        nodes = [radius * nodes for (radius, _), (nodes, _) in zip(self._mixture, pieces, strict=True)]
        weights = [share * weights for (_, share), (_, weights) in zip(self._mixture, pieces, strict=True)]
        return np.concatenate(nodes, axis=-1), np.concatenate(weights, axis=-1)

    @property
    def _sphere(self):
        return mdt.Sphere(self.dim)
