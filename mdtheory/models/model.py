"""What a problem type owes: one record, from which solving, sweeping, describing and the shell follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mdtheory.foundation.frozen import Frozen
from mdtheory.foundation.parameter import Parameter, own_parameters
from mdtheory.foundation.validation import fail, one_integer, one_number, positive

if TYPE_CHECKING:
    from mdtheory.models.features.certificate import Certificate
    from mdtheory.models.solution import Solution

P = TypeVar("P", bound="Problem[Any, Any]")
R = TypeVar("R")
SolutionType = TypeVar("SolutionType", covariant=True)
MethodType = TypeVar("MethodType", contravariant=True)
Record = dict[str, Any]


class Problem(Frozen, Generic[SolutionType, MethodType]):
    """Base of the problems, which names the type of their solution and that of the names of their methods.

    ``class Own(Problem["OwnSolution", str])``: `solve` then returns an OwnSolution, also to a type checker. A problem that takes arrays has their broadcast shape; any other is one point.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The broadcast shape of all parameters."""
        return ()

    @property
    def point_shape(self) -> tuple[int, ...]:
        """The part of the shape that runs over points."""
        return self.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How hard to look; None where nothing was given."""

    tolerance: float | None = None
    starts: int | None = None
    seed: int | None = None
    progress: Callable[[str], object] | None = None

    def checked(self, taken: frozenset[str], problem: object, method: str) -> "Options":
        """The same options with clean values, if each that was given has a meaning for the problem."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in given.items():
            if value is not None and name not in taken:
                kind, listing = type(problem).__name__, ", ".join(sorted(taken))
                raise fail(name, value, f"is no option of this {kind} with method {method!r}; its options: {listing}")
            if value is not None:
                given[name] = _CHECKS[name](name, value)
        return Options(**given)

    def judged(self, solution: R) -> R:
        """A solution with the tolerance that was asked for."""
        if self.tolerance is None:
            return solution
        record: Any = solution
        judged: R = replace(record, tolerance=self.tolerance)
        return judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A field of a problem that is itself a record with parameters: a loss or a spread.

    Attributes
    ----------
    base : type
        What it is an instance of.
    kinds : mapping
        Those of the package, by name.
    default : str
        The name of the one that is meant in the shell where none is given.
    help : str
        What it is, for the shell.
    takes_arrays : bool
        Whether its parameters may be arrays.
    """

    base: type[Any]
    kinds: Mapping[str, type[Any]]
    default: str
    help: str
    takes_arrays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Generic[P]):
    """A problem type.

    Attributes
    ----------
    name : str
        In the shell.
    title : str
        In words, for the shell.
    problem : type
        The class of its problems, a dataclass.
    solutions : tuple of types
        The classes of its solutions.
    methods : tuple of str
        Of `solve`; the first is the default.
    solve : callable
        From a problem, a method and `Options`, all of them checked, to a solution.
    parameters : tuple of Parameter
        How the fields of the problem are written; a field without an entry goes by its name and type.
    outputs : tuple of Parameter
        How fields of the solutions are written.
    default_outputs : callable
        From a problem and the names of the axes to what a sweep holds if nothing else is said.
    quantity : str
        What a picture shows if nothing else is said.
    describe : callable
        From a solution to its record, without problem, method and status.
    options : callable
        From a problem and a method to the options of `solve` that have a meaning for them.
    parts : mapping of str to Part
        The fields that are losses or spreads.
    inner : mapping of str to Model
        The fields that are problems themselves; their parameters count as the problem's own.
    aliases : mapping of str to tuple of str
        Names under which several parameters are set alike.
    in_effect : mapping of str to str
        For parameters that may be omitted, the property with the value that then counts.
    broadcasts : callable
        Whether a problem with arrays for parameters is one problem.
    sweeps_at_once : callable
        From a problem, the names of the axes and the method: whether a sweep solves whole arrays.
    one_by_one : callable
        From a loss to whether `solve` takes arrays of it apart again: then a sweep is handed out in small pieces.
    spare_axis : str
        The parameter that becomes an array of one entry where a function of the problem wants arrays.
    completed : callable
        From the values given in the shell to those of all fields.
    certificate : callable, optional
        From a solution to the bounds as data, for the shell.
    """

    name: str
    title: str
    problem: type[P]
    solutions: "tuple[type[Solution], ...]"
    methods: tuple[str, ...]
    solve: Callable[[P, str, Options], Any]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    default_outputs: Callable[[P, frozenset[str]], tuple[str, ...]]
    quantity: str
    describe: Callable[[Any], Record]
    options: Callable[[P, str], frozenset[str]] = lambda _problem, _method: frozenset({"tolerance"})
    parts: Mapping[str, Part] = field(default_factory=dict)
    inner: "Mapping[str, Model[Any]]" = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_effect: Mapping[str, str] = field(default_factory=dict)
    broadcasts: Callable[[P], bool] = lambda _problem: False
    sweeps_at_once: Callable[[P, frozenset[str], str], bool] = lambda _problem, _names, _method: False
    one_by_one: Callable[[Any], bool] = lambda _loss: False
    spare_axis: str = ""
    completed: Callable[[Record], Record] = lambda values: values
    certificate: "Callable[[Any], Certificate] | None" = None

    def own_parameters(self) -> tuple[Parameter, ...]:
        """One for every field of the problem."""
        return own_parameters(self.problem, self.parameters)

    def own_names(self) -> tuple[str, ...]:
        """The fields that are neither parts nor problems themselves."""
        inside = {*self.parts, *self.inner}
        return tuple(entry.path for entry in self.own_parameters() if entry.path not in inside)


BOUNDS = ("objective", "lower_bound", "gap", "relative_gap")
"""What every solution says of its quality."""

EVERY_OUTPUT = (
    Parameter("objective", "", "optimal value"),
    Parameter("lower_bound", "", "lower bound on the optimal value"),
    Parameter("gap", "", "duality gap", log=True),
    Parameter("relative_gap", "", "relative duality gap", log=True),
    Parameter("status", "", "how far the solution can be trusted"),
)
"""How the fields of every solution are written."""


def _callable(name: str, value: object) -> object:
    if not callable(value):
        raise fail(name, value, "must be callable with a line of text")
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "tolerance": lambda name, value: one_number(name, value, positive),
    "starts": lambda name, value: one_integer(name, value, 1, 2**31),
    "seed": lambda name, value: one_integer(name, value, 0, 2**31),
    "progress": _callable,
}
