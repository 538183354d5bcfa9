r"""What the theory says of one loss from trainings with another, beside what one would say without it.

The law is fitted to the runs of one loss. The problem of memorization and dilation with that slope is then solved for the other loss, at each run's noise, and what it says is
held against the measured run. The null is "the same in relative units": the normalised dilation, rho/D, t/s and the test error of the run of the first loss that
agrees in setting, noise and seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.validation import FloatArray, choice, fail, instance, positive, real_array
from mdtheory.losses import CrossEntropy, Loss
from mdtheory.models.dilation.problem import Configuration, MemorizationDilation
from mdtheory.models.features.problem import UFM
from mdtheory.models.solving import solve
from mdtheory.networks.fitting import Law, fit_table
from mdtheory.networks.run_table import Interval, Resamples, RunTable

DilationLaw = Literal["copy", "linear-relative", "linear-absolute"]
Means = Literal["measured", "theory"]
QUANTITIES = ("normalized_dilation", "relative_memorization", "noisy_margin", "test_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted(Frozen):
    """One quantity in all pairs of runs.

    Attributes
    ----------
    measured, model, null : arrays (K,)
    model_error, null_error : float
        Medians of ``|predicted/measured - 1|`` over runs in which the quantity is not zero.
    advantage : float
        Mean of ``|null - measured| - |model - measured|`` over the mean of ``|measured|``: positive where the model is closer.
    interval : tuple of float or None
        Of the advantage, by a bootstrap over seeds; None below five.
    verdict : {"beats the null", "does not beat the null"}
        The first only where the whole interval is above zero.
    """

    measured: FloatArray
    model: FloatArray
    null: FloatArray
    model_error: float
    null_error: float
    advantage: float
    interval: Interval | None
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Prediction(Frozen):
    """The model beside the null, quantity by quantity; see `predict`.

    Attributes
    ----------
    train, target, law : str
    coefficients : dict of str to float
        Of the law, for each setting, fitted to the runs of `train`.
    quantities : dict of str to Predicted
        "normalized_dilation", "relative_memorization" (rho/D), "noisy_margin" (t) and "test_error".
    measured_on_target : tuple of str
        What either side was told of the runs that it predicts: with these a prediction is not blind.
    setting, seed : arrays (K,) of str
    noise : array (K,)
        Of the target's runs.
    """

    train: str
    target: str
    law: DilationLaw
    coefficients: dict[str, float]
    quantities: dict[str, Predicted]
    measured_on_target: tuple[str, ...]
    setting: NDArray[Any]
    noise: FloatArray
    seed: NDArray[Any]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [
            f"{self.target} from {self.train}, law {self.law}, {self.noise.size} runs",
            f"{'median relative error':24}{'model':>8}{'null':>8}",
        ]
        for name, entry in self.quantities.items():
            lines.append(f"{name:24}{entry.model_error:8.1%}{entry.null_error:8.1%}  {entry.verdict}")
        return "\n".join([*lines, f"measured on the target: {', '.join(self.measured_on_target)}"])


def predict(
    runs: Any,
    train: str = "cross-entropy",
    target: str | None = None,
    law: DilationLaw = "copy",
    *,
    losses: Mapping[str, Loss] | None = None,
    configuration: Means = "measured",
    nonnegative: bool = True,
    confidence: float = 0.95,
    resamples: int = 2000,
    random_seed: int = 0,
) -> Prediction:
    r"""Memorization, dilation and test error of one loss from the runs of another, beside the null "the same in relative units".

    In each setting the law's coefficient is fitted to the runs of `train`. With :math:`p = \eta/(1 + \eta)`, chi the root of the coefficient of the copy law, and a that of a linear one,
    the slope is :math:`C = \eta/(\chi\sqrt{p})` (relative scaling; what memorising adds to the dilation without noise is added in quadrature), or C = 1/a (added
    as it is). Training examples dilate less than unseen ones: their ratio in the runs of `train` at the same noise enters. The test error is read off the
    error of `train`'s runs as a function of their normalised dilation.

    Parameters
    ----------
    runs : pandas.DataFrame, xarray.Dataset or mapping of str to array
        As for `check_runs`, with the columns "margin", "noisy_margin", "train_dilation", "weight_decay" and "effective_feature_decay" too, two classes, and runs without noise.
    train, target : str
        Entries of "loss"; if the target is omitted, the only other one.
    law : {"copy", "linear-relative", "linear-absolute"}
    losses : mapping of str to Loss, optional
        What the entries of "loss" are; if omitted `CrossEntropy`, smoothed by the column "smoothing" if there is one.
    configuration : {"measured", "theory"}
        Whether margin and distance of the class means are those measured on the target's run, or the features model's for the decays.
    nonnegative : bool, default True
        Whether features are, as after a ReLU: class means are taken to be orthogonal then, and otherwise opposite.
    confidence, resamples, random_seed
        Of the bootstrap over seeds.

    Returns
    -------
    Prediction

    Raises
    ------
    AssumptionError
        If a column is missing or not positive where it must be, a loss does not occur or is unknown, no runs pair up, or a fitted coefficient is not positive.

    Examples
    --------
    On the trainings that come with the package the null is hard to beat:

    >>> import mdtheory as mdt
    >>> from mdtheory.networks.protocol import measured_runs
    >>> found = mdt.predict(measured_runs(), law="copy")
    >>> found.measured_on_target
    ('noise', 'margin', 'mean_distance', 'normalized_dilation without noise')
    >>> found.quantities["relative_memorization"].verdict
    'does not beat the null'
    """
    choice("law", law, get_args(DilationLaw))
    choice("configuration", configuration, get_args(Means))
    table = RunTable.of(runs, "dilation", compared=True)
    goal = table.other_loss(train, target, called="train")
    columns = _Columns.of(runs, table)
    kinds = {name: _loss_of(name, losses, columns, table) for name in (train, goal)}
    own, other = table.pairs(train, goal)
    resampled = Resamples.checked(confidence, resamples, random_seed)
    predicted = {name: np.full(own.size, np.nan) for name in QUANTITIES}
    coefficients = {}
    for setting in dict.fromkeys(table.setting[other].tolist()):
        part = table.setting == setting
        here = table.setting[other] == setting
        coefficients[setting] = _coefficient(table.at(part & (table.loss == train)), law, resampled, setting)
        answers = _model(
            table,
            columns,
            own[here],
            other[here],
            (train, goal),
            law,
            coefficients[setting],
            kinds[goal],
            configuration,
            nonnegative,
        )
        for name, values in answers.items():
            predicted[name][here] = values
    relative = {
        "normalized_dilation": table.response / table.distance,
        "relative_memorization": table.memorization / table.distance,
        "noisy_margin": columns.noisy_margin,
        "test_error": table.test_error,
    }
    null = {name: values[own] for name, values in relative.items()}
    null["noisy_margin"] = columns.noisy_margin[own] / columns.margin[own] * columns.margin[other]
    told = ("noise", "margin", "mean_distance") if configuration == "measured" else ("noise", "margin (by the null)")
    return Prediction(
        train=train,
        target=goal,
        law=law,
        coefficients=coefficients,
        quantities={
            name: _judged(relative[name][other], predicted[name], null[name], table.seed[other], resampled)
            for name in QUANTITIES
        },
        measured_on_target=(*told, "normalized_dilation without noise"),
        setting=table.setting[other],
        noise=table.noise[other],
        seed=table.seed[other],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What a prediction needs of runs beyond what laws do, as arrays (K,)."""

    margin: FloatArray
    noisy_margin: FloatArray
    train_dilation: FloatArray
    weight_decay: FloatArray
    effective_feature_decay: FloatArray
    smoothing: FloatArray

    @classmethod
    def of(cls, runs: Any, table: RunTable) -> "_Columns":
        frame = runs.to_dataframe().reset_index() if hasattr(runs, "to_dataframe") else runs
        names, found = {str(name) for name in frame}, {}
        for name in cls.__slots__:
            if name not in names and name != "smoothing":
                raise fail("runs", sorted(names), f"must have a column {name!r}")
            found[name] = real_array(name, np.asarray(frame[name])) if name in names else np.zeros(table.noise.size)
            if found[name].shape != table.noise.shape:
                raise fail(name, found[name].shape, f"must have one entry for each of the {table.noise.size} runs")
        for name in ("margin", "train_dilation", "weight_decay", "effective_feature_decay"):
            positive(name, found[name])
        positive("dilation", table.response)
        noisy = found["noisy_margin"][table.noise > 0.0]
        if not np.all(np.isfinite(noisy)):
            raise fail("noisy_margin", "not finite", "must be known in every run with noise")
        return cls(**found)


def _loss_of(name: str, losses: Mapping[str, Loss] | None, columns: _Columns, table: RunTable) -> Loss:
    if losses is not None:
        if not isinstance(losses, Mapping) or name not in losses:
            raise fail("losses", losses, f"must map {name!r} to a Loss")
        instance("losses", losses[name], Loss, "a mapping to Losses")
        return losses[name]
    smoothing = np.unique(columns.smoothing[table.loss == name])
    if smoothing.size != 1:
        raise fail("smoothing", smoothing, f"must be one number for all runs of {name}")
    return CrossEntropy(smoothing=float(smoothing[0]))


def _coefficient(table: RunTable, law: Law, resampled: Resamples, setting: str) -> float:
    if not np.any(table.noise == 0.0):
        raise fail(
            "noise", "positive in every run", f"must be zero in some runs of setting {setting}, which are the baseline"
        )
    found = fit_table(table, law, resampled).pooled.coefficient
    if not found > 0.0:
        raise fail(
            "runs",
            found,
            f"must have dilation that grows with memorization: the coefficient of {law} in setting {setting}, to be left out",
        )
    return found


def _model(
    table: RunTable,
    columns: _Columns,
    own: NDArray[np.intp],
    other: NDArray[np.intp],
    names: tuple[str, str],
    law: DilationLaw,
    coefficient: float,
    loss: Loss,
    configuration: Means,
    nonnegative: bool,
) -> dict[str, FloatArray]:
    """The answers for runs of the target in one setting, from those of the first loss beside them."""
    noise = table.noise[other]
    rate = np.sqrt(coefficient / (noise * (1.0 + noise))) if law == "copy" else np.full(noise.shape, coefficient)
    ratio = _train_ratio(table, columns, own)
    ufm = UFM(
        loss,
        num_classes=2,
        weight_decay=columns.weight_decay[other],
        feature_decay=columns.effective_feature_decay[own],
        nonnegative=nonnegative,
    )
    given = None
    if configuration == "measured":
        distance = table.distance[other]
        given = Configuration.given(
            margin=columns.margin[other], mean_distance=distance, centre_norm=0.5 * distance if nonnegative else 0.0
        )
    # Training examples dilate less, so that they allow more memorising than a slope for unseen ones says.
    problem = MemorizationDilation(
        ufm,
        noise=noise,
        slope=1.0 / (rate * ratio),
        scaling="absolute" if law == "linear-absolute" else "relative",
        given_configuration=given,
    )
    found = solve(problem)
    distance = np.broadcast_to(problem.configuration.mean_distance, noise.shape)
    added = np.asarray(found.normalized_dilation) / ratio
    quiet = (table.setting == table.setting[other[0]]) & (table.loss == names[1]) & (table.noise == 0.0)
    if not np.any(quiet):
        raise fail("noise", "positive in every run", f"must be zero in some runs of {names[1]}, which are the baseline")
    below = float(np.mean(table.response[quiet] / table.distance[quiet]))
    total = np.hypot(added, below) if law == "copy" else added + below
    return {
        "normalized_dilation": total,
        "relative_memorization": np.asarray(found.memorization) / distance,
        "noisy_margin": np.asarray(found.noisy_margin),
        "test_error": _error_at(table, names[0], own, total),
    }


def _train_ratio(table: RunTable, columns: _Columns, own: NDArray[np.intp]) -> FloatArray:
    """Dilation of training over unseen examples: the mean over the first loss's runs at one noise."""
    ratio = columns.train_dilation[own] / table.response[own]
    levels = table.noise_asked_for[own]
    return np.array([ratio[levels == level].mean() for level in levels])


def _error_at(table: RunTable, name: str, own: NDArray[np.intp], dilation: FloatArray) -> FloatArray:
    """The first loss's error at a normalised dilation: between its means over seeds at each noise, the nearest of them outside."""
    here = (table.setting == table.setting[own[0]]) & (table.loss == name)
    levels = np.unique(table.noise_asked_for[here])
    groups = [here & (table.noise_asked_for == level) for level in levels]
    points = np.array([(np.mean(table.response[g] / table.distance[g]), np.mean(table.test_error[g])) for g in groups])
    points = points[np.argsort(points[:, 0])]
    return np.asarray(np.interp(dilation, points[:, 0], points[:, 1]))


def _judged(
    measured: FloatArray, model: FloatArray, null: FloatArray, seed: NDArray[Any], resampled: Resamples
) -> Predicted:
    seen = measured != 0.0
    size = float(np.mean(np.abs(measured)))

    def median(values: FloatArray) -> float:
        return float(np.median(np.abs(values[seen] / measured[seen] - 1.0))) if np.any(seen) else float("nan")

    gain = (np.abs(null - measured) - np.abs(model - measured)) / (size or 1.0)
    interval = resampled.of_mean(gain, seed)
    return Predicted(
        measured=measured,
        model=model,
        null=null,
        model_error=median(model),
        null_error=median(null),
        advantage=float(np.mean(gain)),
        interval=interval,
        verdict="beats the null" if interval is not None and interval[0] > 0.0 else "does not beat the null",
    )
