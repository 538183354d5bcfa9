"""What was measured on a network: one record, and its forms."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, choice, fail
from mdtheory.losses import Loss
from mdtheory.models.dilation.problem import Configuration
from mdtheory.neural_collapse.measures import CollapseMeasures
from mdtheory.spreads import EmpiricalSpread

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]  # it has no stubs of its own
    import xarray

_PER_CLASS = ("class_noise", "class_margin", "class_dilation", "class_test_error")
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the coordinates of unseen examples towards other class means."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Measurement(Frozen):
    r"""The quantities of the theory on a trained network; see `measure`.

    Names are those of a solution where they mean the same. Numbers pool examples over classes; arrays (N,) belong to a class, and
    arrays (N, N) to pairs, entry [n, m] to examples of class m labelled n. NaN where nothing could be measured.

    Attributes
    ----------
    num_classes : int
        N.
    loss : Loss
    weight_decay, feature_decay : float
        As given.
    has_bias : bool
    class_shares : array (N,)
        Of the labels that were trained on.
    class_means : array (M, N)
        H: column m is :math:`h_m`, the mean of the clean training features of class m.
    margin : float
        s: own logit minus the largest other at a class mean, mean over classes; `class_margin` of each.
    mean_distance, weight_distance : float
        D and kappa: mean distance of two class means, and of two classifiers; `pair_distance` of each pair of class means.
    noise : float
        Mislabelled over clean training examples; `class_noise` of each right class.
    memorization : float
        rho: mean distance of a mislabelled feature to the mean of its right class; `pair_memorization`.
    noisy_margin : float
        t: mean margin of mislabelled examples for their label; `pair_noisy_margin`.
    memorized_share : float
        Of mislabelled examples, those with a positive margin for their label.
    dilation, train_dilation : float
        r: root mean square distance to its class mean of an unseen example, and of a clean training example; `class_dilation` of unseen ones.
    normalized_dilation : float
        r/D of unseen examples.
    test_error : float
        Share of unseen examples whose margin is not positive; `class_test_error`.
    drift : float
        Mean coordinate of an unseen example towards another class mean, from its own and over their distance.
    effective_dim : float
        r^2 over the mean square of those coordinates, as lengths: d of an isotropic spread.
    spread_quantiles : array (7,)
        Quantiles of those coordinates, as lengths over r, at `QUANTILES`.
    spread_law : array (L,)
        The same law with up to 2,000 points of equal weight, each the mean of a part of the sorted coordinates: what `EmpiricalSpread` takes. Empty
        where there are no unseen examples.
    paid_share : float
        What clean training examples lose by their dilation, over what mislabelled ones gain by leaving the mean of their right class; in loss, summed over examples.
    mean_square_feature : float
        Mean of :math:`\|h\|^2` over training examples.
    effective_feature_decay : float
        :math:`\lambda_W\|W\|^2` over that: the feature decay at which layers would be balanced.
    balance_residual : float
        :math:`(\lambda_W\|W\|^2 - \lambda_H\overline{\|h\|^2})` over the sum of both: zero for balanced layers.
    virial_residual : float
        :math:`1 + \overline{\langle z, \nabla\ell\rangle}/(2\lambda_W\|W\|^2)` with z = W h: zero at a stationary point in the scale of W, a test of convergence.
    collapse : CollapseMeasures
        NC1 to NC4 of the training features with the labels that were trained on.
    missing : mapping of str to str
        Why a field is NaN.
    """

    num_classes: int
    loss: Loss
    weight_decay: float
    feature_decay: float
    has_bias: bool
    class_shares: FloatArray
    class_means: FloatArray
    class_margin: FloatArray
    margin: float
    pair_distance: FloatArray
    mean_distance: float
    weight_distance: float
    noise: float
    class_noise: FloatArray
    pair_counts: FloatArray
    pair_memorization: FloatArray
    pair_noisy_margin: FloatArray
    memorization: float
    noisy_margin: float
    memorized_share: float
    dilation: float
    train_dilation: float
    normalized_dilation: float
    class_dilation: FloatArray
    test_error: float
    class_test_error: FloatArray
    drift: float
    effective_dim: float
    spread_quantiles: FloatArray
    spread_law: FloatArray
    paid_share: float
    mean_square_feature: float
    effective_feature_decay: float
    balance_residual: float
    virial_residual: float
    collapse: CollapseMeasures
    missing: Mapping[str, str]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.6g}" for name, value in self.numbers().items() if not np.isnan(value))
        return f"Measurement(num_classes={self.num_classes}, {shown})"

    def numbers(self) -> dict[str, float]:
        """All fields that are one number."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if isinstance(value, float)}

    def configuration(self) -> Configuration:
        """Class means and classifier of two classes, for `MemorizationDilation`.

        Raises
        ------
        AssumptionError
            Unless there are two classes with a positive margin.
        """
        if self.num_classes != 2:
            raise fail("num_classes", self.num_classes, "must be 2 for a configuration")
        return Configuration.given(
            margin=self.margin,
            mean_distance=self.mean_distance,
            centre_norm=float(np.linalg.norm(self.class_means.mean(axis=1))),
        )

    def spread(self) -> EmpiricalSpread:
        """The law of the unseen examples' coordinates, for `MemorizationDilation`.

        Raises
        ------
        AssumptionError
            Without two coordinates of unseen examples that are not all zero.
        """
        if self.spread_law.size < 2:
            raise fail(
                "spread_law",
                self.spread_law,
                "must have two coordinates at least, not all zero: measure with test_features off the class means",
            )
        return EmpiricalSpread(len(self.class_means), self.spread_law)

    def to_dataframe(self, by: Literal["network", "class"] = "network") -> "pandas.DataFrame":
        """One row: what is one number, and the collapse measures. Or one for each class, for `fit_slope`.

        Of class m: its noise, margin, mean distance to the others, dilation and test error; memorization and noisy margin are means over its
        mislabelled examples, whatever their label: the constraint of several classes is on their sum.
        """
        import pandas

        choice("by", by, ("network", "class"))
        if by == "class":
            return pandas.DataFrame(self._of_classes())
        return pandas.DataFrame([{"num_classes": self.num_classes} | self.numbers() | self._of_collapse()])

    def _of_classes(self) -> dict[str, Any]:
        counts, others = self.pair_counts.sum(axis=0), self.num_classes - 1
        shares = self.pair_counts / np.where(counts > 0.0, counts, np.nan)
        return {
            "class": np.arange(self.num_classes),
            "noise": self.class_noise,
            "margin": self.class_margin,
            "mean_distance": self.pair_distance.sum(axis=0) / others,
            "memorization": np.sum(shares * np.nan_to_num(self.pair_memorization), axis=0),
            "noisy_margin": np.sum(shares * np.nan_to_num(self.pair_noisy_margin), axis=0),
            "dilation": self.class_dilation,
            "normalized_dilation": self.class_dilation * others / self.pair_distance.sum(axis=0),
            "test_error": self.class_test_error,
        }

    def to_xarray(self) -> "xarray.Dataset":
        """Numbers as scalars; what belongs to classes and pairs with the dimensions "class", "label" and "quantile"."""
        import xarray

        classes = np.arange(self.num_classes)
        variables: dict[str, Any] = {**self.numbers(), **self._of_collapse()}
        variables |= {name: ("class", getattr(self, name)) for name in _PER_CLASS}
        pairs = ("pair_distance", "pair_counts", "pair_memorization", "pair_noisy_margin")
        variables |= {name: (("label", "class"), getattr(self, name)) for name in pairs}
        variables["spread_quantiles"] = ("quantile", self.spread_quantiles)
        coordinates = {"class": classes, "label": classes, "quantile": list(QUANTILES)}
        return xarray.Dataset(variables, coords=coordinates, attrs={"missing": json.dumps(dict(self.missing))})

    def to_json(self) -> str:
        """All fields but class means and the law in full; NaN as null."""
        arrays = (*_PER_CLASS, "spread_quantiles")
        pairs = ("pair_distance", "pair_counts", "pair_memorization", "pair_noisy_margin")
        record = {
            "num_classes": self.num_classes,
            **{name: _plain(value) for name, value in self.numbers().items()},
            **{name: _plain(getattr(self, name)) for name in (*arrays, *pairs)},
            "collapse": {name: _plain(value) for name, value in self._of_collapse().items()},
            "missing": dict(self.missing),
        }
        return json.dumps(record, allow_nan=False)

    def _of_collapse(self) -> dict[str, float]:
        named = ((field.name, getattr(self.collapse, field.name)) for field in fields(self.collapse))
        return {name: value for name, value in named if isinstance(value, float)}

    def _repr_html_(self) -> str:
        rows = []
        for name, value in {**self.numbers(), **self._of_collapse()}.items():
            said = f"{value:.6g}" if not np.isnan(value) else html.escape(self.missing.get(name, "not defined"))
            rows.append(f"<tr><th style='text-align:left'>{name.replace('_', ' ')}</th><td>{said}</td></tr>")
        return f"<table><caption>{self.num_classes} classes</caption>{''.join(rows)}</table>"


def _plain(value: Any) -> Any:
    """Numbers and lists, with None for NaN."""
    if isinstance(value, np.ndarray):
        return [_plain(part) for part in value]
    number = float(value)
    return number if np.isfinite(number) else None
