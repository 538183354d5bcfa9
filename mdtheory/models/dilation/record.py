"""The memorization-dilation problem as a problem type."""

from typing import get_args

import numpy as np

from mdtheory.foundation.parameter import Parameter
from mdtheory.foundation.validation import fail
from mdtheory.losses import Loss
from mdtheory.models.dilation.many_classes import ClassMDSolution, solve_many_classes
from mdtheory.models.dilation.problem import SCALINGS, MDMethod, MemorizationDilation
from mdtheory.models.dilation.solution import MDSolution
from mdtheory.models.dilation.solving import solve_expansion, solve_reduced
from mdtheory.models.features import record as features
from mdtheory.models.model import BOUNDS, EVERY_OUTPUT, Model, Options, Part, Record
from mdtheory.models.records import plain, values
from mdtheory.spreads import SPREADS, Spread

_ANSWER = ("dilation", "normalized_dilation", "memorization", "noisy_margin")
_ALL = (*_ANSWER, "noisy_level", "test_error", "expansion_parameter", *BOUNDS)


def _solve(problem: MemorizationDilation, method: str, options: Options) -> MDSolution:
    if np.any(np.not_equal(problem.ufm.num_classes, 2)):
        if method not in ("auto", "reduced"):
            raise fail("method", method, "must be 'auto' or 'reduced' for more than two classes")
        return options.judged(solve_many_classes(problem))
    if method == "convex":
        from mdtheory.models.dilation.conic import solve_md_convex

        return options.judged(solve_md_convex(problem))
    return options.judged(solve_expansion(problem) if method == "expansion" else solve_reduced(problem))


def _describe(solution: MDSolution) -> Record:
    if solution.problem.given_configuration is not None:
        record = {"geometry": "given", "margin": plain(solution.problem.configuration.margin)}
        return record | values(solution, _ALL)
    frame = solution.configuration
    record = {"geometry": plain(frame.geometry), "margin": plain(frame.margin)}
    record |= values(solution, _ALL)
    finite = bool(np.all(np.isfinite(solution.noisy_margin)))
    return record | features.frame(frame) | {"noisy_features": plain(solution.noisy_features) if finite else None}


def _is_searched(loss: Loss) -> bool:
    """Whether the solver has to look for several minima, one point at a time."""
    return not loss.is_convex


MODEL = Model(
    name="md",
    title="the memorization-dilation problem",
    problem=MemorizationDilation,
    solutions=(MDSolution, ClassMDSolution),
    methods=get_args(MDMethod),
    solve=_solve,
    parameters=(
        Parameter("noise", r"\eta", "noise level", log=True, help="noise level in [0, 1]", default=0.1),
        Parameter("slope", "C", "memorization-dilation slope", log=True, default=1.0),
        Parameter("spread", r"\xi", "spread of the clean examples", kind="part"),
        Parameter("scaling", "", "scaling of memorization", kind="word", choices=SCALINGS, default="absolute"),
        Parameter(
            "noisy_feature_decay",
            r"\lambda",
            "decay of noisy features",
            log=True,
            help="decay of noisy features (default: that of all features)",
        ),
        Parameter(
            "nonnegative_noisy_features",
            "",
            "nonnegative noisy features",
            help="constrain the noisy features too",
            kind="flag",
            default=False,
        ),
        Parameter("given_configuration", "", "given configuration", kind="other"),
    ),
    outputs=(
        Parameter("dilation", "r", "dilation", log=True),
        Parameter("normalized_dilation", r"\mathrm{ND}", "normalised dilation", log=True),
        Parameter("memorization", r"\rho", "memorization"),
        Parameter("noisy_margin", "t", "margin of a noisy example for its label"),
        Parameter("noisy_level", "", "noisy feature along the mean of the class means"),
        Parameter("test_error", "", "error rate of unseen clean examples"),
        Parameter("expansion_parameter", r"\kappa r", "spread of the clean margins", log=True),
        *EVERY_OUTPUT,
    ),
    default_outputs=lambda _problem, _names: (*_ANSWER, "test_error"),
    quantity="normalized_dilation",
    describe=_describe,
    parts={"spread": Part(base=Spread, kinds=SPREADS, default="sphere", help="law of the clean examples")},
    inner={"ufm": features.MODEL},
    in_effect={"noisy_feature_decay": "decay"},
    broadcasts=lambda _problem: True,
    sweeps_at_once=lambda _problem, _names, method: method in ("auto", "reduced", "expansion"),
    one_by_one=_is_searched,
    spare_axis="noise",
)
