"""Exact, certified solutions for the theory of neural collapse under label noise."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported first and from here: measured a sixth faster than from deep inside the package.
import scipy.special  # noqa: F401

from mdtheory.foundation.errors import AssumptionError, CertificateError, SolverError
from mdtheory.foundation.version import __version__ as __version__
from mdtheory.losses import (
    CrossEntropy,
    Focal,
    Hinge,
    LabelRelaxation,
    Loss,
    MarginLoss,
    MeanSquaredError,
    SquaredHinge,
)
from mdtheory.models.deep.problem import DeepUFM
from mdtheory.models.deep.solution import DeepSolution
from mdtheory.models.dilation.many_classes import ClassMDSolution
from mdtheory.models.dilation.problem import Configuration, MemorizationDilation
from mdtheory.models.dilation.solution import MDSolution
from mdtheory.models.features.certificate import Certificate, Enclosure, certify, logits_error
from mdtheory.models.features.logits_solution import FactorsSolution, LogitsSolution
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.features.problem import UFM
from mdtheory.models.features.soft_labels import (
    ExchangeableOptimum,
    MultilabelOptimum,
    exchangeable_optimum,
    is_exchangeable,
    multilabel_optimum,
    pick_all_labels,
)
from mdtheory.models.features.solution import UFMSolution
from mdtheory.models.joint.general_solution import ClassJointSolution
from mdtheory.models.joint.problem import LimitedExpressivity
from mdtheory.models.joint.shape_bound import ShapeBound, bound_over_shapes
from mdtheory.models.joint.solution import JointSolution
from mdtheory.models.max_margin.problem import MaxMargin
from mdtheory.models.max_margin.solving import MaxMarginSolution, direction_distance, soft_label_limit
from mdtheory.models.solution import Solution
from mdtheory.models.solving import solve
from mdtheory.models.status import Status
from mdtheory.networks.comparing import Comparison, compare
from mdtheory.networks.fitting import SlopeFit, fit_slope
from mdtheory.networks.hypotheses import RunsReport, check_runs
from mdtheory.networks.measurement import Measurement
from mdtheory.networks.measuring import measure
from mdtheory.networks.predicting import Prediction, predict
from mdtheory.networks.training import TrainedNetwork, train_network
from mdtheory.neural_collapse import CollapseMeasures, arrangement, collapse_measures
from mdtheory.questions.depth import (
    etf_certified_decay,
    etf_stability_decay,
    etf_stability_margin,
    structure_crossing,
    structure_value,
)
from mdtheory.questions.imbalance import (
    class_collapse_threshold,
    merge_threshold,
    zero_collapse_threshold,
)
from mdtheory.questions.joint import (
    equal_dilation_slope,
    giving_up_noise,
    giving_up_slope,
    least_error_smoothing,
    merging_slope,
    worst_slope,
)
from mdtheory.questions.learning_time import learning_times, memorization_time
from mdtheory.questions.rank import rank_bounds, rank_threshold, required_width
from mdtheory.questions.regression import RegressionOptimum, regression_optimum, regression_spectrum
from mdtheory.questions.symmetry import symmetry_breaking_slope
from mdtheory.questions.thresholds import collapse_threshold, critical_noise
from mdtheory.spreads import EmpiricalSpread, Gaussian, Sphere, Spread, TwoPoint, UniformBall

if TYPE_CHECKING:
    from mdtheory import phase
    from mdtheory.claims import Box, Claim, Quantity, Report, Verdict, check, falsify
    from mdtheory.phase import sweep

__all__ = [
    "UFM",
    "AssumptionError",
    "Box",
    "Certificate",
    "CertificateError",
    "Claim",
    "ClassJointSolution",
    "ClassMDSolution",
    "CollapseMeasures",
    "Comparison",
    "Configuration",
    "CrossEntropy",
    "DeepSolution",
    "DeepUFM",
    "EmpiricalSpread",
    "Enclosure",
    "ExchangeableOptimum",
    "FactorsSolution",
    "Focal",
    "Gaussian",
    "Hinge",
    "JointSolution",
    "LabelRelaxation",
    "LimitedExpressivity",
    "LogitsSolution",
    "Loss",
    "MDSolution",
    "MarginLoss",
    "MarginSolution",
    "MaxMargin",
    "MaxMarginSolution",
    "MeanSquaredError",
    "Measurement",
    "MemorizationDilation",
    "MultilabelOptimum",
    "Prediction",
    "Quantity",
    "RegressionOptimum",
    "Report",
    "RunsReport",
    "ShapeBound",
    "SlopeFit",
    "Solution",
    "SolverError",
    "Sphere",
    "Spread",
    "SquaredHinge",
    "Status",
    "TrainedNetwork",
    "TwoPoint",
    "UFMSolution",
    "UniformBall",
    "Verdict",
    "arrangement",
    "bound_over_shapes",
    "certify",
    "check",
    "check_runs",
    "class_collapse_threshold",
    "collapse_measures",
    "collapse_threshold",
    "compare",
    "critical_noise",
    "direction_distance",
    "equal_dilation_slope",
    "etf_certified_decay",
    "etf_stability_decay",
    "etf_stability_margin",
    "exchangeable_optimum",
    "falsify",
    "fit_slope",
    "giving_up_noise",
    "giving_up_slope",
    "is_exchangeable",
    "learning_times",
    "least_error_smoothing",
    "logits_error",
    "measure",
    "memorization_time",
    "merge_threshold",
    "merging_slope",
    "multilabel_optimum",
    "phase",
    "pick_all_labels",
    "predict",
    "rank_bounds",
    "rank_threshold",
    "regression_optimum",
    "regression_spectrum",
    "required_width",
    "soft_label_limit",
    "solve",
    "structure_crossing",
    "structure_value",
    "sweep",
    "symmetry_breaking_slope",
    "train_network",
    "worst_slope",
    "zero_collapse_threshold",
]


_CLAIMS = ("Box", "Claim", "Quantity", "Report", "Verdict", "check", "falsify")


def __getattr__(name: str) -> Any:
    # sympy costs more to import than the rest together, so what not every user needs loads on first use.
    if name in ("claims", "conventions", "phase", "symbolic"):
        return import_module(f"mdtheory.{name}")
    if name == "asymptotics":
        return import_module("mdtheory.models.dilation.asymptotics")
    if name in _CLAIMS:
        return getattr(import_module("mdtheory.claims"), name)
    if name == "sweep":
        return import_module("mdtheory.phase").sweep
    raise AttributeError(f"module 'mdtheory' has no attribute {name!r}")
