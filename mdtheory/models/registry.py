"""The problem types of the package, and which of them a problem or a solution belongs to."""

from typing import Any, TypeVar

from mdtheory.foundation.validation import fail
from mdtheory.models.deep import record as deep
from mdtheory.models.dilation import record as dilation
from mdtheory.models.features import record as features
from mdtheory.models.joint import record as joint
from mdtheory.models.max_margin import record as max_margin
from mdtheory.models.model import Model, Problem

MODELS: tuple[Model[Any], ...] = (features.MODEL, dilation.MODEL, max_margin.MODEL, joint.MODEL, deep.MODEL)
"""A new problem type of the package is one line here and one import above; one of your own is added by `register`."""

P = TypeVar("P", bound=Problem[Any, Any])


def register(model: Model[Any]) -> None:
    """Add a problem type of your own: `mdtheory.solve`, sweeps, boundaries, `describe` and the shell's parsers then know it.

    For the running process: whoever starts others (sweeps over processes) imports the module that registers there too,
    which unpickling one of its problems does. Registering the same record again does nothing.

    Raises
    ------
    AssumptionError
        If the record is no `Model`, or its name, its problem or one of its solutions belongs to another problem type.

    Examples
    --------
    >>> register(MODELS[0])
    """
    global MODELS
    if not isinstance(model, Model):
        raise fail("model", model, "must be a Model")
    if model in MODELS:
        return
    for known in MODELS:
        if known.name == model.name:
            raise fail("name", model.name, "is that of another problem type")
        if known.problem is model.problem or set(known.solutions) & set(model.solutions):
            raise fail("model", model.name, f"has the problem or a solution of {known.name!r}")
    MODELS = (*MODELS, model)


def model_of(problem: object) -> Model[Any]:
    """The type of a problem.

    Raises
    ------
    AssumptionError
        If it is none.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> model_of(mdt.MaxMargin(num_classes=3)).name
    'max-margin'
    """
    for model in MODELS:
        if isinstance(problem, model.problem):
            return model
    raise fail("problem", problem, f"must be {a_problem()}")


def model_of_solution(solution: object) -> Model[Any]:
    """The type of the problem that a solution solves.

    Raises
    ------
    AssumptionError
        If it is not a solution of `solve`.
    """
    for model in MODELS:
        if isinstance(solution, model.solutions):
            return model
    raise fail("solution", solution, "must be a solution of `solve`")


def model_called(name: str) -> Model[Any]:
    """The problem type of that name.

    Examples
    --------
    >>> model_called("ufm").problem.__name__
    'UFM'
    """
    for model in MODELS:
        if model.name == name:
            return model
    raise fail("name", name, "must be one of " + ", ".join(model.name for model in MODELS))


def a_problem(*others: str) -> str:
    """What is asked for where a problem of any type will do, or one of the other things.

    Examples
    --------
    >>> a_problem("a callable that returns one")
    'a UFM, a MemorizationDilation, a MaxMargin, a LimitedExpressivity, a DeepUFM or a callable that returns one'
    """
    *most, last = [*(f"a {model.problem.__name__}" for model in MODELS), *others]
    return f"{', '.join(most)} or {last}"


def within(problem: object, kind: type[P]) -> P | None:
    """A problem of this kind: the given one, or the one inside it; None if there is none.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    >>> within(mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0), mdt.UFM) is ufm
    True
    """
    if isinstance(problem, kind):
        return problem
    if isinstance(problem, Problem):
        for name in model_of(problem).inner:
            found = within(getattr(problem, name), kind)
            if found is not None:
                return found
    return None
