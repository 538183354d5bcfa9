"""Labels of cells, the evidence for them, and adaptive refinement."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from flint import arb, ctx

import mdtheory as mdt
from mdtheory.models.dilation.balls import NoisyProblem, TwoClasses, logistic_pull, smoothed_slope
from mdtheory.models.parameters import with_values
from mdtheory.phase import proofs as certify_module
from mdtheory.phase.boundaries import boundary
from mdtheory.phase.labelling import CERTIFIED, EXACT, FLOAT, PHASES, UNDECIDED, cell_edges, regions
from mdtheory.phase.proofs import Certifier
from mdtheory.phase.refinement import refine

NOISE = np.geomspace(1e-3, 0.4, 24)


def noisy(loss=None, *, nonnegative=True, bias=False, **options):
    ufm = mdt.UFM(
        loss or mdt.CrossEntropy(0.1),
        num_classes=2,
        weight_decay=5e-3,
        feature_decay=5e-3,
        nonnegative=nonnegative,
        bias=bias,
    )
    return mdt.MemorizationDilation(ufm, **{"noise": 0.1, "slope": 0.2, "noisy_feature_decay": 1e-4, **options})


def solved_phase(problem, values):
    """The phase of arrays of points none of which has collapsed, by solving them."""
    solution = mdt.solve(with_values(problem, values))
    overlapping = np.asarray(solution.test_error) > 0
    return 1 + (np.asarray(solution.noisy_margin) < 0) + 2 * overlapping


# ------------------------------------------------------------------------------ labels


@pytest.mark.parametrize(
    "problem",
    [
        noisy(),
        noisy(mdt.CrossEntropy(), nonnegative=False, scaling="relative", spread=mdt.UniformBall(3)),
        noisy(mdt.MeanSquaredError(0.1), bias=True),
        noisy(mdt.LabelRelaxation(0.1), nonnegative_noisy_features=True),
        noisy(mdt.Hinge(), noisy_feature_decay=0.0),
        noisy(mdt.SquaredHinge(), spread=mdt.Gaussian(4)),
        noisy(mdt.Hinge(), spread=mdt.Gaussian(4)),
    ],
    ids=lambda problem: repr(problem.ufm.loss),
)
def test_labels_agree_with_solving(problem):
    slope = np.geomspace(0.03, 3.0, 17)
    ds = regions(problem, {"noise": NOISE, "slope": slope})
    x, y = np.meshgrid(NOISE, slope, indexing="ij")
    expected = solved_phase(problem, {"noise": x, "slope": y})
    if np.isinf(problem.spread.radius):
        # The tail of a normal law is positive even where it underflows.
        dilated = np.asarray(mdt.solve(with_values(problem, {"noise": x, "slope": y})).dilation) > 0
        expected = np.where((expected < 3) & dilated, expected + 2, expected)
    np.testing.assert_array_equal(ds["phase"].values, expected)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(ds["evidence"].values, FLOAT)


def test_collapsed_cells_are_known_exactly():
    smoothing = np.linspace(0.5, 0.999, 40)
    ds = regions(noisy(), {"noise": NOISE[:3], "loss.smoothing": smoothing})
    collapsed = ds["phase"].values == PHASES.index("collapsed")
    # alpha + 4 decay = 1 is the line; a cell is collapsed as a whole from its lower edge on.
    np.testing.assert_array_equal(collapsed, np.broadcast_to(smoothing >= 0.98, collapsed.shape))
    whole = cell_edges(smoothing)[:-1] >= 0.98
    np.testing.assert_array_equal(ds["evidence"].values == EXACT, np.broadcast_to(whole, collapsed.shape))


def test_a_threshold_not_known_to_be_monotone_is_not_called_exact():
    problem = noisy(mdt.Focal(1.0), noise=0.1)
    ds = regions(problem, {"loss.focusing": np.array([0.5, 1.0]), "decay": np.array([0.5, 1.0])})
    assert np.all(ds["phase"] == 0)
    assert np.all(ds["evidence"] == FLOAT)


def test_any_number_of_axes_and_their_description():
    ds = regions(noisy(), {"noise": NOISE[:3]})
    assert ds["phase"].dims == ("noise",)
    ds = regions(noisy(), {"noise": NOISE[:3], "slope": [0.1, 1.0], "ufm.weight_decay": [1e-3, 1e-2, 1e-1]})
    assert ds["phase"].shape == (3, 2, 3)
    assert ds["noise"].attrs["symbol"] == r"\eta"
    assert ds["phase"].dtype == ds["evidence"].dtype == np.int8
    assert ds["phase"].attrs["flag_meanings"].split() == list(PHASES)
    assert sum(ds.attrs[f"cells_{name}"] for name in ("undecided", "float", "certified", "exact")) == 18


# ------------------------------------------------------------------------------ proofs


@pytest.mark.parametrize(
    ("problem", "axes"),
    [
        (noisy(), {"noise": NOISE, "loss.smoothing": np.linspace(0.0, 0.99, 12)}),
        (noisy(noisy_feature_decay=2e-3), {"slope": np.geomspace(0.05, 3, 12), "noise": NOISE}),
        (
            noisy(nonnegative=False, scaling="relative", noisy_feature_decay=None, slope=0.5, spread=mdt.TwoPoint(2)),
            {"noise": NOISE, "decay": np.geomspace(1e-3, 0.1, 12)},
        ),
        (
            noisy(spread=mdt.TwoPoint(1)),
            {"loss.smoothing": np.linspace(0.0, 0.5, 10), "slope": np.geomspace(0.05, 5, 10)},
        ),
        (
            noisy(noisy_feature_decay=None, scaling="relative", slope=0.06),
            {"noisy_feature_decay": np.geomspace(1e-6, 1.0, 12), "noise": np.geomspace(1e-2, 0.9, 9)},
        ),
    ],
)
def test_certified_labels_hold_at_random_points_of_their_cells(problem, axes):
    ds = regions(problem, axes, certify=True)
    assert ds.attrs["not_certified_because"] == ""
    certified = np.argwhere(ds["evidence"].values == CERTIFIED)
    assert len(certified) > 0.5 * ds["phase"].size
    rng = np.random.default_rng(3)
    edges = [cell_edges(np.asarray(values)) for values in axes.values()]
    for share in (0.0, 1.0, rng.random((len(certified), 2)), rng.random((len(certified), 2))):
        place = np.broadcast_to(share, (len(certified), 2))
        values = {
            name: e[certified[:, k]] + place[:, k] * (e[certified[:, k] + 1] - e[certified[:, k]])
            for k, (name, e) in enumerate(zip(axes, edges, strict=True))
        }
        expected = ds["phase"].values[tuple(certified.T)]
        np.testing.assert_array_equal(solved_phase(problem, values), expected)


def test_only_cells_near_a_boundary_stay_undecided():
    slope = np.geomspace(0.05, 5.0, 40)
    noise = np.geomspace(1e-3, 0.4, 40)
    problem = noisy()
    ds = regions(problem, {"noise": noise, "slope": slope}, certify=True)
    ranges = {"noise": (1e-3, 0.4, "log"), "slope": (0.05, 5.0, "log")}
    lines = [boundary(problem, kind, ranges) for kind in ("memorization", "test-error")]
    points = np.concatenate([segment for line in lines for segment in line.segments])
    cells = [
        np.round(39 * np.log(points[:, k] / low) / np.log(high / low))
        for k, (low, high, _) in enumerate(ranges.values())
    ]
    near = np.zeros((42, 42), dtype=bool)
    for i in (0, 1, 2):
        for j in (0, 1, 2):
            near[cells[0].astype(int) + i, cells[1].astype(int) + j] = True
    undecided = ds["evidence"].values == UNDECIDED
    assert not np.any(undecided & ~near[1:-1, 1:-1])
    # And every cell with a boundary through it does.
    assert np.sum(undecided) >= 60


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("scaling", ["absolute", "relative"])
def test_the_proof_of_memorization_has_the_sign_of_the_stationarity_residual(nonnegative, scaling):
    """The formulas of the proofs against the residual they were derived from, at points."""
    rng = np.random.default_rng(11)
    exponent = 1 if scaling == "absolute" else 0
    found = set()
    for _ in range(30):
        noise, slope, decay = 10 ** rng.uniform(-2, -0.1), 10 ** rng.uniform(-1.5, 0.5), 10 ** rng.uniform(-4, -1.5)
        problem = noisy(nonnegative=nonnegative, scaling=scaling, noisy_feature_decay=decay)
        box = {"noise": (noise, noise), "slope": (slope, slope)}
        with ctx.workprec(64):
            direct = NoisyProblem(
                classes=TwoClasses.cross_entropy(arb(5e-3), arb(5e-3), arb(0.1), nonnegative=nonnegative),
                noise=arb(noise),
                slope=arb(slope),
                decay=arb(decay),
                exponent=exponent,
                slope_of_loss=smoothed_slope(arb(0.1)),
                pull=logistic_pull(problem.spread),
            ).residual(arb(0))
        certifier = Certifier(problem)
        assert certifier.memorized(box) == bool(direct < 0)
        assert certifier.not_memorized(box) == bool(direct > 0)
        solution = mdt.solve(with_values(problem, {"noise": noise, "slope": slope}))
        assert certifier.overlapping(box) == (solution.normalized_dilation > 0.5)
        assert certifier.separated(box) == (solution.normalized_dilation < 0.5)
        found |= {bool(direct < 0), 2 + (solution.normalized_dilation > 0.5)}
    assert found == {False, True, 2, 3}


@pytest.mark.parametrize(
    "problem",
    [
        noisy(),
        noisy(spread=mdt.TwoPoint(3), noisy_feature_decay=2e-3),
        noisy(nonnegative=False, scaling="relative", spread=mdt.Sphere(3), noisy_feature_decay=None),
    ],
)
def test_neither_label_is_proved_across_a_boundary(problem):
    ranges = {"noise": (1e-3, 0.9, "log"), "slope": (0.05, 1.0, "log")}
    for kind, proofs in (
        ("memorization", ("memorized", "not_memorized")),
        ("test-error", ("overlapping", "separated")),
    ):
        noise, slope = boundary(problem, kind, ranges, points=9).segments[0][4]
        certifier = Certifier(problem, splits=6)
        for width in (1e-1, 1e-3, 1e-6):
            across = {"noise": (noise * (1 - width), noise * (1 + width)), "slope": (slope, slope)}
            assert not any(getattr(certifier, proof)(across) for proof in proofs)
        for proof, factor in zip(proofs, (0.999, 1.001) if kind == "memorization" else (1.001, 0.999), strict=True):
            assert getattr(certifier, proof)({"noise": (noise * factor, noise * factor), "slope": (slope, slope)})


@pytest.mark.parametrize("spread", [mdt.Sphere(8), mdt.TwoPoint(2)])
def test_bounds_of_the_pull_hold_in_the_whole_box(spread):
    certifier = Certifier(noisy(spread=spread))
    pull = logistic_pull(spread)
    with ctx.workprec(64):
        s, k = arb(1).union(arb(3)), arb("0.5").union(arb(40))
        values = [pull(arb(a), arb(b)) for a in (1, 2, 3) for b in (0.5, 2, 40)]
        assert all(certifier._least(s, k) <= value for value in values)
        assert all(certifier._most(s, k) >= value for value in values)


def test_boxes_that_reach_into_collapse_prove_nothing():
    certifier = Certifier(noisy())
    box = {"loss.smoothing": (0.97, 0.99), "noise": (1e-3, 1e-3)}
    assert not any(getattr(certifier, name)(box) for name in ("memorized", "not_memorized", "overlapping", "separated"))


def test_wide_boxes_prove_nothing_and_do_no_harm():
    axes = {"loss.smoothing": np.linspace(0.0, 0.9, 6), "noisy_feature_decay": np.geomspace(1e-5, 0.5, 6)}
    ds = regions(noisy(noise=0.2, slope=0.3), axes, certify=True, splits=0)
    assert ds.attrs["cells_undecided"] > 0
    box = {"loss.smoothing": (0.0, 1.0), "decay": (1e-9, 1.0), "slope": (1e-9, 1e9), "noisy_feature_decay": (0.0, 1e9)}
    certifier = Certifier(noisy(), splits=1)
    assert not any(getattr(certifier, name)(box) for name in ("memorized", "not_memorized", "overlapping", "separated"))


def test_a_wrong_sign_in_the_residual_would_be_noticed(monkeypatch):
    """Labels are not copied from the floating-point answer: with another law of zeta most proofs fail."""
    monkeypatch.setattr(certify_module, "logistic_pull", lambda spread: lambda s, k: arb(10))
    ds = regions(noisy(), {"noise": NOISE, "slope": [0.1, 1.0]}, certify=True)
    memorized = np.isin(ds["phase"].values, (1, 3))
    beyond = ds["evidence"].values == CERTIFIED
    assert np.sum(beyond & memorized) < 0.5 * np.sum(memorized)


@pytest.mark.parametrize(
    ("problem", "axis", "words"),
    [
        (noisy(mdt.SquaredHinge()), {"slope": [0.1, 1.0]}, "cross-entropy"),
        (noisy(spread=mdt.Gaussian(4)), {"slope": [0.1, 1.0]}, "Gaussian"),
        (noisy(nonnegative_noisy_features=True), {"slope": [0.1, 1.0]}, "nonnegative"),
    ],
)
def test_what_cannot_be_proved_says_so(problem, axis, words):
    ds = regions(problem, axis, certify=True)
    assert words in ds.attrs["not_certified_because"]
    assert np.all(ds["evidence"] == FLOAT)


@pytest.mark.parametrize(
    ("axes", "named"),
    [
        ({}, "axes"),
        ({"noise": [0.2, 0.1]}, "noise"),
        ({"noise": [[0.1, 0.2]]}, "noise"),
        ({"noise": ["a", "b"]}, "noise"),
        ({"eta": [0.1, 0.2]}, "parameter = 'eta'"),
        ({"noise": [0.1, 2.0]}, "noise"),
    ],
)
def test_axes_that_make_no_sense_are_refused_by_name(axes, named):
    with pytest.raises(mdt.AssumptionError, match=f"^{named}"):
        regions(noisy(), axes)


def test_labels_say_what_they_were_computed_from():
    ds = regions(noisy(), {"noise": NOISE[:3]})
    assert ds.attrs["problem"] == repr(noisy())
    assert f"mdtheory {mdt.__version__}, numpy {np.__version__}" in ds.attrs["versions"]


def test_problems_that_are_not_one_point_are_refused():
    with pytest.raises(mdt.AssumptionError, match="one point"):
        regions(noisy(noise=np.array([0.1, 0.2])), {"slope": [0.1, 1.0]})
    with pytest.raises(mdt.AssumptionError, match="MemorizationDilation"):
        regions(noisy().ufm, {"weight_decay": [0.1, 1.0]})


# ------------------------------------------------------------------------------ refinement


def is_zero(solution):
    return int(solution.margin == 0)


RANGES = {"loss.smoothing": (0.0, 0.9), "decay": (1e-2, 1.0, "log")}


def test_refinement_agrees_with_every_point_of_the_fine_grid_and_solves_few():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=4, weight_decay=0.1, feature_decay=0.1)
    ds = refine(ufm, is_zero, RANGES, coarse=5, levels=5)
    x, y = np.meshgrid(ds["loss.smoothing"].values, ds["decay"].values, indexing="ij")
    np.testing.assert_array_equal(ds["label"].values, x + 4 * y >= 1)
    assert ds.attrs["points_solved"] == int(ds["solved"].sum())
    assert ds.attrs["points_solved"] < 0.15 * ds["label"].size


def rank(solution):
    return int(solution.rank)


def three_classes(imbalance, decay):
    weights = np.array([1.0, 1.0, 1 / imbalance])
    return mdt.UFM(
        mdt.CrossEntropy(),
        num_classes=3,
        weight_decay=decay,
        feature_decay=decay,
        class_weights=weights / weights.sum(),
    )


def test_refinement_takes_functions_and_executors_and_finds_the_rank():
    ranges = {"imbalance": (1.5, 40.0, "log"), "decay": (0.02, 0.4, "log")}
    run = partial(refine, three_classes, rank, ranges, coarse=4, levels=2)
    ds = run()
    with ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(ds["label"].values, run(executor=pool)["label"].values)
    assert set(np.unique(ds["label"].values)) == {0, 1, 2}
    corner = mdt.solve(three_classes(40.0, 0.02))
    assert ds["label"].values[-1, 0] == corner.rank


def test_a_bump_that_reaches_into_the_next_cell_is_refined_too():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=0.1, feature_decay=0.1)

    def above(problem):
        bump = 0.07 * np.exp(-(((problem.loss.smoothing - 0.3) / 0.05) ** 2))
        return int(problem.mu > 0.24 + bump)

    ranges = {"loss.smoothing": (0.0, 0.8), "decay": (0.05, 0.45)}
    found = refine(ufm, above, ranges, coarse=5, levels=1, of_solution=False)
    every = refine(ufm, above, ranges, coarse=9, levels=0, of_solution=False)
    np.testing.assert_array_equal(found["label"].values, every["label"].values)
    assert found.attrs["points_solved"] < every.attrs["points_solved"]


def test_refinement_may_classify_problems_without_solving_them():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=4, weight_decay=0.1, feature_decay=0.1)
    ds = refine(ufm, lambda problem: int(problem.mu > 0.1), RANGES, coarse=3, levels=1, of_solution=False)
    np.testing.assert_array_equal(ds["label"].values, np.broadcast_to(ds["decay"].values > 0.1, (5, 5)))


def test_a_class_that_is_no_small_integer_is_refused():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=4, weight_decay=0.1, feature_decay=0.1)
    with pytest.raises(mdt.AssumptionError, match="classify"):
        refine(ufm, lambda solution: solution.margin, RANGES, coarse=2, levels=0)


def test_the_names_in_the_package_are_functions_however_often_they_are_asked_for():
    # A submodule of the same name would take the place of the function once it is loaded.
    for name in ("boundary", "regions", "refine"):
        assert callable(getattr(mdt.phase, name))
        assert callable(getattr(mdt.phase, name))
