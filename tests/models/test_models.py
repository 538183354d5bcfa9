"""Every problem type of the registry solves, sweeps, is described and has its options in the shell.

A problem type that is added is tested here without another test.
"""

import dataclasses
import json

import numpy as np
import pytest

import mdtheory as mdt
from mdtheory import phase, spreads
from mdtheory.command import arguments
from mdtheory.command.main import main
from mdtheory.command.tables import describe, describe_problem
from mdtheory.foundation.parameter import Parameter, field_names
from mdtheory.models import model as model_module
from mdtheory.models import registry
from mdtheory.models.model import BOUNDS, Model, Options, Problem
from mdtheory.models.parameters import output, parameter, paths, takes_arrays, with_values
from mdtheory.models.solution import Solution
from mdtheory.models.solving import options_of

each_model = pytest.mark.parametrize("model", registry.MODELS, ids=lambda model: model.name)
# In the domain of every parameter that is a number.
OTHER = 0.25
ALL_OPTIONS = {"tolerance": 1e-3, "starts": 3, "seed": 1, "progress": print}


def example(model):
    """The problem that the shell solves where nothing is said."""
    return arguments.problem_from(model, {})


def number_paths(problem):
    """The parameters that are numbers, those of the loss and the spread among them."""
    kinds = {path: parameter(path).kind for path in paths(problem)}
    return [path for path, kind in kinds.items() if kind in ("number", "count")]


def value_for(problem, path):
    return 2 if parameter(path).kind == "count" else OTHER


# ------------------------------------------------------------------ the registry


def test_names_and_classes_are_told_apart():
    for names in ([m.name for m in registry.MODELS], [m.problem for m in registry.MODELS]):
        assert len(set(names)) == len(names)


@each_model
def test_the_record_fits_the_problem(model):
    own = field_names(model.problem)
    assert {entry.path for entry in model.parameters} - {*own, *model.aliases} == set()
    assert {*model.parts, *model.inner} <= set(own)
    assert all(set(targets) <= set(own) for targets in model.aliases.values())
    for name, prop in model.in_effect.items():
        assert name in own
        assert hasattr(model.problem, prop)
    assert model.methods[0] == "auto"
    assert model.spare_axis in ("", *own)
    assert model.quantity in {entry.path for entry in model.outputs}


@each_model
def test_a_problem_and_its_solution_are_of_their_type(model):
    problem = example(model)
    assert registry.model_of(problem) is model
    assert registry.model_called(model.name) is model
    assert registry.model_of_solution(mdt.solve(problem)) is model
    assert registry.within(problem, model.problem) is problem
    for name, inner in model.inner.items():
        assert registry.within(problem, inner.problem) is getattr(problem, name)


def test_what_is_of_no_type_is_refused_by_name():
    class Unknown(Problem):
        pass

    for wrong in (3, None, Unknown(), mdt.UFM):
        for function in (mdt.solve, describe_problem, options_of, lambda p: with_values(p, {})):
            with pytest.raises(mdt.AssumptionError, match=r"^problem = .*: must be a UFM, .* or a "):
                function(wrong)
    assert registry.within(3, mdt.UFM) is None


# ------------------------------------------------------------------ solving


@each_model
def test_the_example_is_solved_with_bounds_in_order(model):
    solution = mdt.solve(example(model))
    assert solution.status is mdt.Status.OPTIMAL
    assert solution.lower_bound <= solution.objective * (1 + 1e-12)
    assert solution.gap <= 1e-6 * abs(solution.objective)


@each_model
def test_methods_agree_and_others_are_refused(model):
    problem = example(model)
    objective = mdt.solve(problem).objective
    for method in model.methods:
        try:
            solution = mdt.solve(problem, method=method)
        except mdt.AssumptionError:
            continue
        assert solution.lower_bound <= objective * (1 + 1e-6)
        assert solution.objective >= objective * (1 - 1e-6)
    for method in ("none", None, 3):
        with pytest.raises(mdt.AssumptionError, match=r"^method = .*: must be one of 'auto'"):
            mdt.solve(problem, method=method)


@each_model
def test_options_without_meaning_are_refused_by_name(model):
    problem = example(model)
    for method in model.methods:
        takes = options_of(problem, method)
        assert "tolerance" in takes
        for name in set(ALL_OPTIONS) - takes:
            with pytest.raises(
                mdt.AssumptionError, match=rf"^{name} = .*is no option of this {model.problem.__name__}"
            ):
                mdt.solve(problem, method=method, **{name: ALL_OPTIONS[name]})
    assert mdt.solve(problem, tolerance=1e-3).tolerance == 1e-3


def test_every_option_of_solve_is_one_of_the_record():
    assert set(ALL_OPTIONS) == {field.name for field in dataclasses.fields(Options)} == set(model_module._CHECKS)


# ------------------------------------------------------------------ parameters


def insides(problem):
    """The problem and those inside it."""
    yield problem
    for name in registry.model_of(problem).inner:
        yield from insides(getattr(problem, name))


def value_of(problem, path):
    """What a problem holds under a path; of an alias, what it sets."""
    field, _, name = path.partition(".")
    for record in insides(problem):
        field = registry.model_of(record).aliases.get(field, (field,))[0]
        if hasattr(record, field):
            return getattr(getattr(record, field), name) if name else getattr(record, field)
    raise AssertionError(path)


@each_model
def test_every_parameter_can_be_replaced_and_is_labelled(model):
    problem = example(model)
    for path in paths(problem):
        about = parameter(path)
        assert about.path == path
        assert about.label
        assert "_" not in about.label
        value = value_of(problem, path)
        if about.kind in ("number", "count") and path != "bias_decay":  # positive values need a bias
            value = value_for(problem, path)
        changed = with_values(problem, {path: value})
        assert type(changed) is model.problem
        assert value_of(changed, path) is value or value_of(changed, path) == value
        for inner in model.inner:
            with pytest.raises(mdt.AssumptionError, match="is given twice"):
                with_values(problem, {path: value, f"{inner}.{path}": value})
    with pytest.raises(mdt.AssumptionError, match=r"^parameter = 'unknown': must be one of "):
        with_values(problem, {"unknown": 1})


@each_model
def test_aliases_set_all_their_parameters_alike(model):
    for alias, targets in model.aliases.items():
        changed = with_values(example(model), {alias: OTHER})
        assert [getattr(changed, name) for name in targets] == [OTHER] * len(targets)
        for name in targets:
            with pytest.raises(mdt.AssumptionError, match=f"^parameter = '{alias}': sets {name} too"):
                with_values(example(model), {alias: OTHER, name: OTHER})


@each_model
def test_outputs_are_numbers_of_a_solution_and_labelled(model):
    solution = mdt.solve(example(model))
    for entry in model.outputs:
        assert np.ndim(getattr(solution, entry.path)) == 0
        assert output(entry.path).label == entry.label


# ------------------------------------------------------------------ sweeps


@each_model
def test_a_sweep_holds_the_solutions_of_single_points(model):
    problem = example(model)
    path = number_paths(problem)[0]
    values = [2, 3] if parameter(path).kind == "count" else [0.1, 0.2]
    ds = mdt.sweep(problem, {path: values}, ["objective", "gap"])
    single = [mdt.solve(with_values(problem, {path: value})).objective for value in values]
    np.testing.assert_allclose(ds.objective, single, rtol=1e-9)
    assert ds[path].attrs["long_name"] == parameter(path).label


@each_model
def test_default_outputs_of_a_sweep_are_numbers_in_every_cell(model):
    problem = example(model)
    path = number_paths(problem)[0]
    ds = mdt.sweep(problem, {path: [2 if parameter(path).kind == "count" else OTHER]})
    assert set(ds) == {*model.default_outputs(problem, frozenset({path})), "status"}
    assert all(np.all(np.isfinite(ds[name])) for name in ds)


@each_model
def test_arrays_are_taken_as_single_points_are(model):
    problem = example(model)
    for path in paths(problem):
        if not takes_arrays(problem, path) or not model.broadcasts(problem):
            continue
        value = value_for(problem, path)
        try:
            single = mdt.solve(with_values(problem, {path: value}))
        except mdt.AssumptionError:
            continue  # outside its domain here
        many = mdt.solve(with_values(problem, {path: np.array([value, value])}))
        np.testing.assert_allclose(many.objective, [single.objective] * 2, rtol=1e-12)


@each_model
def test_refinement_classifies_problems(model):
    problem = example(model)
    own = [path for path in number_paths(problem) if parameter(path).kind == "number" and path != "bias_decay"]
    if len(own) < 2:
        pytest.skip("fewer than two parameters vary continuously")
    ranges = {own[0]: (0.1, 0.2), own[1]: (0.1, 0.2)}
    ds = phase.refine(problem, lambda solution: int(solution.gap < 1), ranges, coarse=2, levels=0)
    assert np.all(ds.label == 1)


@each_model
def test_a_boundary_of_ones_own_is_traced(model):
    problem = example(model)
    own = [path for path in number_paths(problem) if parameter(path).kind == "number" and path != "bias_decay"][:2]
    if len(own) < 2:
        pytest.skip("fewer than two parameters vary continuously")

    def residual(changed):
        x, y = (value_of(changed, path) for path in own)
        return np.asarray(x) - np.asarray(y) + 0.0 * np.asarray(mdt.solve(changed).objective)

    line = phase.boundary(problem, residual, dict.fromkeys(own, (0.1, 0.2)), points=5, scan=2)
    for x, y in np.concatenate(line.segments):
        assert x == pytest.approx(y, abs=1e-9)


# ------------------------------------------------------------------ descriptions and the shell


@each_model
def test_a_solution_is_described(model):
    solution = mdt.solve(example(model))
    record = describe(solution)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(BOUNDS) <= set(record)
    assert record["objective"] == solution.objective
    assert record["method"] == solution.method
    assert record["status"] == "optimal"
    for inside in insides(solution.problem):
        names = set(field_names(inside)) - set(registry.model_of(inside).inner)
        assert names <= set(record["problem"])


def model_aliases(problem):
    return {alias for record in insides(problem) for alias in registry.model_of(record).aliases}


@each_model
def test_the_shell_solves_it_with_any_of_its_options(model, capsys):
    assert main(["solve", model.name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(describe(mdt.solve(example(model)))))
    for path in number_paths(example(model)):
        if "." in path or path in model_aliases(example(model)):
            continue
        value = value_for(None, path)
        assert main(["solve", model.name, f"--{path.replace('_', '-')}", str(value), "--json"]) in (0, 2)
        said = capsys.readouterr()
        if said.out:
            assert json.loads(said.out)["problem"][path] == value
        else:
            assert said.err.startswith("mdtheory: error: ")
            with pytest.raises(mdt.AssumptionError):
                with_values(example(model), {path: value})


@each_model
def test_every_parameter_has_an_option_in_the_shell(model, capsys):
    with pytest.raises(SystemExit) as error:
        main(["solve", model.name, "--help"])
    assert error.value.code == 0
    said = capsys.readouterr().out
    for path in paths(example(model)):
        if path not in model_aliases(example(model)) and parameter(path).kind != "other":
            assert f"--{path.rpartition('.')[2].replace('_', '-')}" in said


@each_model
def test_a_diagram_is_drawn_of_it(model, tmp_path, capsys):
    problem = example(model)
    counts = [path for path in paths(problem) if parameter(path).kind == "count" and path != "feature_dim"]
    numbers = [path for path in number_paths(problem) if parameter(path).kind == "number" and path != "bias_decay"]
    axes = [f"{path}:0.1:0.2:2" for path in numbers] + [f"{path}:2:3:2" for path in counts]
    if len(axes) < 2:
        pytest.skip("fewer than two parameters are numbers")
    out = tmp_path / "out.svg"
    words = ["phase", "--model", model.name, "--x", axes[0], "--y", axes[1], "--quantity", "objective", "-o", str(out)]
    assert main(words) == 0
    assert "4 optimal" in capsys.readouterr().out


def test_options_of_another_problem_type_are_refused(capsys):
    axes = ["--x", "decay:0.01:0.1:2", "--y", "loss.smoothing:0:0.1:2", "-o", "never.svg"]
    assert main(["phase", "--model", "ufm", *axes, "--noise", "0.2"]) == 2
    assert capsys.readouterr().err == "mdtheory: error: noise = 0.2: ufm has no option --noise\n"
    assert main(["solve", "md", "--starts", "3"]) == 2
    assert "starts = 3: is no option of this MemorizationDilation" in capsys.readouterr().err


# ------------------------------------------------------------------ a spread and a problem type that are added


@dataclasses.dataclass(frozen=True)
class Stretched(mdt.Gaussian):
    """A Gaussian with a parameter of its own, which changes nothing but the error of unseen examples."""

    stretch: float = 1.0
    noise: float = 0.5

    parameters = (
        *mdt.Gaussian.parameters,
        Parameter("stretch", "c", "stretch of the tail", help="stretch, above 0"),
    )

    def tail(self, x):
        return super().tail(np.asarray(x) * self.stretch)


def test_parameters_of_a_spread_reach_sweep_and_description():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3)
    md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, spread=Stretched(2))
    assert [path for path in paths(md) if path.startswith("spread.")] == [
        "spread.dim",
        "spread.stretch",
        "spread.noise",
    ]
    ds = mdt.sweep(md, {"spread.stretch": [0.5, 1.0, 2.0], "noise": [0.1, 0.2]}, ["test_error", "dilation"])
    for i, stretch in enumerate([0.5, 1.0, 2.0]):
        spread = Stretched(2, stretch=stretch)
        single = mdt.solve(dataclasses.replace(md, spread=spread, noise=0.2))
        assert float(ds.test_error[i, 1]) == pytest.approx(single.test_error, rel=1e-12)
    assert ds.test_error[0, 0] > ds.test_error[1, 0] > ds.test_error[2, 0] > 0
    record = describe_problem(md)
    assert (record["stretch"], record["noise"], record["spread.noise"]) == (1.0, 0.1, 0.5)
    both = mdt.sweep(md, {"spread": [mdt.Sphere(2), Stretched(2)], "spread.stretch": [2.0]}, ["dilation"])
    assert both.status.values.tolist() == [[phase.Cell.UNDEFINED], [phase.Cell.OPTIMAL]]


def test_parameters_of_a_spread_reach_the_shell(monkeypatch, capsys):
    monkeypatch.setitem(spreads.SPREADS, "stretched", Stretched)
    assert parameter("spread.stretch").axis_label == "stretch of the tail $c$"
    words = ["solve", "md", "--json", "--slope", "0.2", "--spread"]
    assert main([*words, "stretched", "--stretch", "0.5", "--spread-noise", "0.25"]) == 0
    record = json.loads(capsys.readouterr().out)["problem"]
    assert (record["spread"], record["stretch"], record["noise"], record["spread.noise"]) == (
        "stretched",
        0.5,
        0.1,
        0.25,
    )
    assert main([*words, "sphere", "--stretch", "0.5"]) == 2
    assert "stretch = 0.5: sphere has no parameter stretch" in capsys.readouterr().err


@dataclasses.dataclass(frozen=True, eq=False)
class OwnParabola(Problem["Vertex", str]):
    """Minimise ``height + (x - shift)^2``."""

    height: float = 1.0
    shift: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Vertex(Solution):
    """Where the parabola is least."""

    problem: OwnParabola
    x: float
    method: str = "vertex"
    tolerance: float = 1e-9

    @property
    def objective(self):
        return self.problem.height + (self.x - self.problem.shift) ** 2

    @property
    def lower_bound(self):
        return self.problem.height


PARABOLA = Model(
    name="own-parabola",
    title="a parabola",
    problem=OwnParabola,
    solutions=(Vertex,),
    methods=("auto",),
    solve=lambda problem, _method, options: options.judged(Vertex(problem, problem.shift)),
    parameters=(Parameter("height", "h", "height", default=1.0),),
    outputs=(Parameter("objective", "", "least value"), Parameter("x", "x", "place")),
    default_outputs=lambda _problem, _names: ("objective", "x"),
    quantity="objective",
    describe=lambda solution: {"x": solution.x, **{name: getattr(solution, name) for name in BOUNDS}},
)


def test_a_problem_type_that_is_added_is_solved_swept_described_and_in_the_shell(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(registry, "MODELS", (*registry.MODELS, PARABOLA))
    assert mdt.solve(OwnParabola(2.0, 3.0)).x == 3.0
    ds = mdt.sweep(OwnParabola(), {"height": [1.0, 2.0], "shift": [0.5]})
    np.testing.assert_array_equal(ds.objective, [[1.0], [2.0]])
    assert ds.height.attrs["symbol"] == "h"
    assert describe(mdt.solve(OwnParabola()))["problem"] == {"height": 1.0, "shift": 0.0}
    assert main(["solve", "own-parabola", "--shift", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["x"] == 2.0
    axes = ["--x", "height:1:2:3", "--y", "shift:0:1:3"]
    assert main(["phase", "--model", "own-parabola", *axes, "-o", str(tmp_path / "out.svg")]) == 0
    labels = phase.refine(
        OwnParabola(), lambda v: int(v.x > 0.5), {"height": (1, 2), "shift": (0, 1)}, coarse=3, levels=1
    )
    assert labels.label.values[0].tolist() == [0, 0, 0, 1, 1]
    line = phase.boundary(OwnParabola(), lambda p: np.asarray(p.shift - 0.3), {"height": (1, 2), "shift": (0, 1)})
    np.testing.assert_allclose(np.concatenate(line.segments)[:, 1], 0.3, atol=1e-9)
    with pytest.raises(mdt.AssumptionError, match="must be a MemorizationDilation for kind 'memorization'"):
        phase.boundary(OwnParabola(), "memorization", {"height": (1, 2), "shift": (0, 1)})
    with pytest.raises(mdt.AssumptionError, match="or a OwnParabola"):
        mdt.solve(3)
