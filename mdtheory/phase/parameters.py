"""The parameters of a problem by name: how to set them, and how to write them on an axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_origin

import numpy as np

from mdtheory.errors import AssumptionError
from mdtheory.losses import Loss
from mdtheory.problems import UFM, MaxMargin, MemorizationDilation
from mdtheory.spreads import Spread
from mdtheory.validation import fail, instance

if TYPE_CHECKING:
    from mdtheory.phase.axes import Axis

Problem = UFM | MemorizationDilation | MaxMargin

COUNTS = ("num_classes", "feature_dim", "spread.dim")
"""Parameters that are whole numbers."""
VECTORS = ("class_weights", "label_distribution", "label_temperatures")
"""Parameters whose single value is an array."""


@dataclass(frozen=True, slots=True)
class Parameter:
    r"""How a quantity is written on an axis.

    Attributes
    ----------
    path : str
        Its name in code.
    symbol : str
        Its symbol in mathtext, without dollar signs.
    label : str
        Its name in words.
    unit : str
        Always "1": every quantity of the theory is dimensionless.
    log : bool
        Whether it is best shown on a logarithmic axis.

    Examples
    --------
    >>> parameter("noise").axis_label
    'noise level $\\eta$'
    """

    path: str
    symbol: str
    label: str
    unit: str = "1"
    log: bool = False

    @property
    def axis_label(self) -> str:
        """Words and symbol, for the label of an axis."""
        return f"{self.label} ${self.symbol}$" if self.symbol else self.label


def paths(problem: Problem) -> tuple[str, ...]:
    """The names of all parameters of a problem that :func:`with_values` can set.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> paths(mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=1e-3, feature_decay=1e-3))[-3:]
    ('decay', 'loss', 'loss.smoothing')
    """
    if isinstance(problem, MemorizationDilation):
        own = tuple(name for name in _field_names(problem) if name != "ufm")
        return (*own, "spread.dim", *paths(problem.ufm))
    if isinstance(problem, UFM):
        own = tuple(name for name in _field_names(problem) if name != "loss")
        return (*own, "decay", "loss", *(f"loss.{name}" for name in _field_names(problem.loss)))
    return _field_names(problem)


def canonical(path: str) -> str:
    """A path without the optional prefix of the features model.

    Examples
    --------
    >>> canonical("ufm.weight_decay"), canonical("noise")
    ('weight_decay', 'noise')
    """
    return path.removeprefix("ufm.")


def with_values(problem: Problem, values: Mapping[str, Any]) -> Any:
    """The same problem with other values of some parameters.

    Parameters
    ----------
    problem : UFM, MemorizationDilation or MaxMargin
    values : mapping
        From paths to values. A path is the name of a field of the problem, of its features model (with or
        without the prefix ``ufm.``), ``loss.`` and a parameter of the loss,
        ``spread.dim``, or ``decay`` for weight and feature decay alike. Arrays broadcast like NumPy's.

    Returns
    -------
    UFM, MemorizationDilation or MaxMargin
        Of the type of `problem`.

    Raises
    ------
    AssumptionError
        If a path is unknown (the message lists the right ones), given twice, or a value is outside its domain.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=1e-3, feature_decay=1e-3)
    >>> with_values(ufm, {"loss.smoothing": 0.1, "decay": [1e-3, 1e-2]}).mu
    array([0.001, 0.01 ])
    >>> with_values(ufm, {"smoothing": 0.1})
    Traceback (most recent call last):
        ...
    mdtheory.errors.AssumptionError: parameter = 'smoothing': must be one of num_classes, weight_decay, ..., loss.smoothing
    """
    if not isinstance(values, Mapping):
        raise fail("values", values, "must map names of parameters to values, for example {'noise': 0.1}")
    check_paths(problem, tuple(values), (values.get("loss", values.get("ufm.loss")),))
    named = {canonical(path): value for path, value in values.items()}
    if isinstance(problem, MemorizationDilation):
        own = {name: named.pop(name) for name in _field_names(problem) if name in named}
        spread = own.get("spread", problem.spread)
        if "spread.dim" in named:
            own["spread"] = _replaced(spread, "spread", {"dim": _whole(named.pop("spread.dim"))})
        return replace(problem, ufm=_ufm_with(problem.ufm, named), **own)
    return _ufm_with(problem, named) if isinstance(problem, UFM) else replace(problem, **named)


def check_paths(problem: Problem, names: Sequence[str], losses: Sequence[object] = ()) -> None:
    """Check that `names` are parameters of a problem, or of one of the losses that replace its own.

    Raises
    ------
    AssumptionError
        If a path is unknown, or two paths set the same parameter.
    """
    if not isinstance(problem, (UFM, MemorizationDilation, MaxMargin)):
        raise fail("problem", problem, "must be a UFM, a MemorizationDilation or a MaxMargin")
    known, others = paths(problem), [loss for loss in losses if isinstance(loss, Loss)]
    if others:
        own = {f"loss.{name}": None for loss in others for name in _field_names(loss)}
        known = (*(name for name in known if not name.startswith("loss.")), *own)
    seen: set[str] = set()
    for path in names:
        if not isinstance(path, str):
            raise fail("parameter", path, "must be named by a string")
        name = canonical(path)
        if name not in known:
            raise fail("parameter", path, "must be one of " + ", ".join(known))
        if name in seen:
            raise AssumptionError(f"parameter = {path!r}: is given twice")
        seen.add(name)
    for name in ("weight_decay", "feature_decay"):
        if "decay" in seen and name in seen:
            raise AssumptionError(f"parameter = 'decay': sets {name} too; give one of them")


def takes_arrays(problem: Problem, path: str, losses: Sequence[Loss] = ()) -> bool:
    """Whether a problem takes an array of values of a parameter, with its own loss or with any of `losses`.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.Focal(2.0), num_classes=2, weight_decay=1e-3, feature_decay=1e-3)
    >>> [path for path in paths(ufm) if takes_arrays(ufm, path)]
    ['num_classes', 'weight_decay', 'feature_decay', 'decay', 'loss.focusing']
    """
    name = canonical(path)
    if isinstance(problem, MaxMargin):
        return False
    ufm = problem.ufm if isinstance(problem, MemorizationDilation) else problem
    if name.startswith("loss."):
        own = name.removeprefix("loss.")
        return any(own in loss.parameter_names() for loss in (losses or (ufm.loss,)))
    # A field takes arrays if its type is a number or an array of them.
    kinds = {field.name: get_args(field.type) for record in (problem, ufm) for field in fields(record)}
    kinds["decay"] = kinds["weight_decay"]
    return bool({int, float} & set(kinds.get(name, ()))) and any(get_origin(k) is np.ndarray for k in kinds[name])


def check_entries(axes: "Sequence[Axis]") -> None:
    """Check that values of an axis are numbers, strings or records, but for parameters that are vectors themselves.

    Raises
    ------
    AssumptionError
        If a value is a list or an array.
    """
    for axis in axes:
        bad = [value for value in axis.values if isinstance(value, (list, tuple, np.ndarray))]
        if bad and canonical(axis.name) not in VECTORS:
            raise fail(axis.name, bad[0], "must be one value for each point: an axis is one-dimensional")


def parameter(path: str) -> Parameter:
    r"""How the parameter called `path` is written; names of no problem stand for themselves.

    Examples
    --------
    >>> parameter("loss.smoothing").symbol, parameter("imbalance_ratio").label
    ('\\alpha', 'imbalance ratio')
    """
    instance("path", path, str, "a string, the name of a parameter")
    path = canonical(path)
    if path in _PARAMETERS:
        return _PARAMETERS[path]
    words = path.removeprefix("loss.").replace("_", " ").replace(".", " ")
    return Parameter(path, "", words)


def output(name: str) -> Parameter:
    r"""How the field `name` of a solution is written; unknown names stand for themselves.

    Examples
    --------
    >>> output("normalized_dilation").axis_label
    'normalised dilation $\\mathrm{ND}$'
    """
    instance("name", name, str, "a string, the name of a field of a solution")
    return _OUTPUTS.get(name) or Parameter(name, "", name.replace("_", " "))


def value_label(value: object) -> str:
    """A value of a parameter that is not a number, in words: a loss, a spread, a list of class weights.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> value_label(mdt.CrossEntropy(smoothing=0.1)), value_label(mdt.Sphere(8)), value_label("absolute")
    ('cross-entropy, smoothing 0.1', 'sphere, dim 8', 'absolute')
    """
    if isinstance(value, (Loss, Spread)):
        return value.label
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(value_label(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _ufm_with(ufm: UFM, named: dict[str, Any]) -> UFM:
    own = {name: named[name] for name in _field_names(ufm) if name in named}
    if "decay" in named:
        own |= {"weight_decay": named["decay"], "feature_decay": named["decay"]}
    inner = {name.removeprefix("loss."): value for name, value in named.items() if name.startswith("loss.")}
    if inner:
        own["loss"] = _replaced(own.get("loss", ufm.loss), "loss", inner)
    return replace(ufm, **own) if own else ufm


def _replaced(part: Any, name: str, inner: Mapping[str, Any]) -> Any:
    """A loss or spread with some parameters replaced, which must be its own."""
    if not isinstance(part, Loss if name == "loss" else Spread):
        raise fail(name, part, f"must be a {'Loss' if name == 'loss' else 'Spread'}")
    own = _field_names(part)
    for key in inner:
        if key not in own:
            listing = ", ".join(f"{name}.{field}" for field in own) or "none"
            raise fail(
                "parameter", f"{name}.{key}", f"is no parameter of {type(part).__name__}; its parameters: {listing}"
            )
    changed: Any = part
    return replace(changed, **inner)


def _whole(value: Any) -> Any:
    """NumPy's one-element integers as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _field_names(record: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record) if field.init and field.name != "_")


_PARAMETERS = {
    entry.path: entry
    for entry in (
        Parameter("noise", r"\eta", "noise level", log=True),
        Parameter("slope", "C", "memorization-dilation slope", log=True),
        Parameter("scaling", "", "scaling of memorization"),
        Parameter("spread", r"\xi", "spread of the clean examples"),
        Parameter("spread.dim", "d", "dimension of the spread", log=True),
        Parameter("noisy_feature_decay", r"\lambda", "decay of noisy features", log=True),
        Parameter("nonnegative_noisy_features", "", "nonnegative noisy features"),
        Parameter("num_classes", "N", "number of classes", log=True),
        Parameter("weight_decay", r"\lambda_W", "weight decay", log=True),
        Parameter("feature_decay", r"\lambda_H", "feature decay", log=True),
        Parameter("decay", r"\lambda_W = \lambda_H", "weight and feature decay", log=True),
        Parameter("nonnegative", "", "nonnegative features"),
        Parameter("bias", "", "bias"),
        Parameter("bias_decay", r"\lambda_b", "bias decay", log=True),
        Parameter("class_weights", r"\pi", "class proportions"),
        Parameter("label_distribution", "", "label distribution"),
        Parameter("label_temperatures", r"\Delta", "label temperatures"),
        Parameter("feature_dim", "M", "feature dimension"),
        Parameter("loss", "", "loss"),
        Parameter("loss.smoothing", r"\alpha", "label smoothing"),
        Parameter("loss.relaxation", r"\alpha", "label relaxation"),
        Parameter("loss.focusing", r"\gamma", "focusing parameter"),
    )
}

_OUTPUTS = {
    entry.path: entry
    for entry in (
        Parameter("dilation", "r", "dilation", log=True),
        Parameter("normalized_dilation", r"\mathrm{ND}", "normalised dilation", log=True),
        Parameter("memorization", r"\rho", "memorization"),
        Parameter("noisy_margin", "t", "margin of a noisy example for its label"),
        Parameter("noisy_level", "", "noisy feature along the mean of the class means"),
        Parameter("test_error", "", "error rate of unseen clean examples"),
        Parameter("expansion_parameter", r"\kappa r", "spread of the clean margins", log=True),
        Parameter("objective", "", "optimal value"),
        Parameter("lower_bound", "", "lower bound on the optimal value"),
        Parameter("gap", "", "duality gap", log=True),
        Parameter("relative_gap", "", "relative duality gap", log=True),
        Parameter("margin", "s", "margin"),
        Parameter("probability", "p", "softmax probability of the own class"),
        Parameter("mean_gain", "B", "logit sum at a class mean"),
        Parameter("rank", "", "rank of the logits"),
        Parameter("status", "", "how far the solution can be trusted"),
    )
}
