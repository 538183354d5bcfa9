"""Sweeps, regions, refinement and pictures refuse what they do not take in one line, before any work."""

import dataclasses

import numpy as np
import pytest

import mdtheory as mdt
from mdtheory import phase
from mdtheory.models.parameters import paths, takes_arrays
from mdtheory.sweeps import chunks

TWO = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
MD = mdt.MemorizationDilation(TWO, noise=0.1, slope=1.0, noisy_feature_decay=1e-4)
LIMIT = mdt.MaxMargin(num_classes=3)
MANY = np.linspace(0.01, 0.2, 10**5)
PLANE = {"loss.smoothing": (0, 0.5), "decay": (0.01, 0.1)}


@pytest.fixture(scope="module")
def dataset():
    return mdt.sweep(MD, {"noise": [0.1, 0.2, 0.3], "slope": [0.5, 1.0, 2.0]})


def refused(message, function, *arguments, **options):
    with pytest.raises(mdt.AssumptionError, match=message) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "function",
    [
        lambda: mdt.sweep(MD, {"noise": MANY, "slope": MANY}),
        lambda: mdt.sweep(LIMIT, {"num_classes": MANY, "nonnegative": MANY}),
        lambda: mdt.sweep(lambda a, b: MD, {"a": MANY, "b": MANY}),
        lambda: phase.regions(MD, {"noise": MANY, "slope": MANY}),
        lambda: phase.refine(TWO, int, PLANE, coarse=4000, levels=12),
        lambda: mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=MANY[:, None], feature_decay=MANY),
        lambda: dataclasses.replace(MD, noise=MANY[:, None], slope=MANY),
    ],
    ids=["sweep", "max-margin", "callable", "regions", "refine", "ufm", "md"],
)
def test_grids_that_do_not_fit_in_memory_are_refused_with_their_size(function):
    refused(r"(axes|levels|shapes) = .*: must (be a grid whose answers take at most|broadcast to at most)", function)


@pytest.mark.parametrize("method", ["auto", "convex"])
@pytest.mark.parametrize("value", [[0.1], (0.1, 0.2), np.array([0.1])])
def test_an_entry_of_an_axis_that_is_a_list_is_named(value, method):
    refused(
        r"^noise = .*: must be one(-dimensional| value for each point)",
        mdt.sweep,
        MD,
        {"noise": [value]},
        method=method,
    )


def test_vectors_are_axes_of_the_parameters_that_are_vectors():
    ds = mdt.sweep(TWO, {"class_weights": [[0.5, 0.5], [0.3, 0.7]]})
    expected = [mdt.solve(dataclasses.replace(TWO, class_weights=w)).objective for w in ([0.5, 0.5], [0.3, 0.7])]
    np.testing.assert_array_equal(ds.objective, expected)
    assert "margin" not in ds


@dataclasses.dataclass(frozen=True, eq=False)
class Own(mdt.CrossEntropy):
    """A user's loss with a parameter the library has not heard of."""

    sharpness: float = 0.0


def test_every_numerical_parameter_is_swept_at_once(monkeypatch):
    ufm = dataclasses.replace(TWO, loss=Own(0.1))
    md = dataclasses.replace(MD, ufm=ufm)
    taken = {path for path in paths(md) if takes_arrays(md, path)}
    numbers = {"noise", "slope", "noisy_feature_decay", "num_classes", "weight_decay", "feature_decay", "decay"}
    assert taken == numbers | {"loss.smoothing", "loss.sharpness"}
    assert not any(takes_arrays(LIMIT, path) for path in paths(LIMIT))
    solves, solve = [], chunks.solve
    monkeypatch.setattr(chunks, "solve", lambda *a, **k: solves.append(1) or solve(*a, **k))
    mdt.sweep(md, {"loss.sharpness": [0.0, 1.0, 2.0], "loss.smoothing": [0.1, 0.2]})
    assert len(solves) == 1


def test_a_loss_that_stops_being_convex_on_an_axis_is_solved_all_the_same():
    md = dataclasses.replace(MD, ufm=dataclasses.replace(TWO, loss=mdt.Focal(0.0)))
    ds = mdt.sweep(md, {"loss.focusing": [0.0, 1.0]}, ["dilation"])
    one = mdt.solve(dataclasses.replace(MD, ufm=dataclasses.replace(TWO, loss=mdt.Focal(1.0))))
    assert float(ds.dilation[1]) == pytest.approx(one.dilation, rel=1e-9)


def test_pictures_name_what_they_do_not_take(dataset):
    refused("dataset = .*DataArray.*: must be an xarray.Dataset", phase.plot, dataset.dilation)
    refused("dataset = .*DataArray.*: must be an xarray.Dataset", phase.plot_losses, dataset.dilation)
    for other in (None, 3, np.ones((2, 2)), {"a": 1}):
        refused("dataset = .*: must be an xarray.Dataset", phase.plot, other)
    refused("dataset = .*DataArray.*: must be an xarray.Dataset", phase.plot, dataset, regions=dataset.dilation)
    refused("boundaries = 3: must be a list of boundaries", phase.plot, dataset, boundaries=3)
    refused("boundaries = .*: must be a list of boundaries", phase.plot, dataset, boundaries=[dataset])
    refused("quantity = .*: must be one of", phase.plot, dataset, quantity=["dilation"])
    refused("ax = 3: must be axes of matplotlib", phase.plot, dataset, ax=3)
    refused("limits = 3: must be two numbers in order", phase.plot, dataset, limits=3)


def test_refinement_names_what_it_does_not_take():
    for ranges in ({"noise": (2, 5), "slope": (0, 1)}, {"num_classes": (2, 5), "nonnegative": (0, 1)}):
        refused("^(parameter|ranges) = '(noise|num_classes)'", phase.refine, LIMIT, int, ranges)
    refused("problem = 3: must be a UFM", phase.refine, 3, int, PLANE)
    refused("classify = 3: must be callable", phase.refine, TWO, 3, PLANE)
    refused("classify = 'a': must return a small integer", phase.refine, TWO, lambda _: "a", PLANE)

    def limits(a, b):
        return mdt.MaxMargin(num_classes=2, class_weights=[a, 1 - a])

    ds = phase.refine(limits, lambda s: int(s.objective < 0.7), {"a": (0.2, 0.5), "b": (0, 1)}, coarse=3, levels=1)
    assert set(np.unique(ds.label)) <= {0, 1}


def test_a_boundary_is_shown_in_one_line():
    shown = repr(phase.boundary(MD, "memorization", {"noise": (0.01, 0.9), "slope": (0.1, 1.0)}))
    assert "\n" not in shown
    assert len(shown) < 200
    assert "kind='memorization'" in shown
    assert "vertices" in shown


def test_options_of_a_sweep_are_checked_before_it_starts():
    refused("tolerance = .*must be one number", mdt.sweep, MD, {"noise": [0.1]}, tolerance=[1e-3, 1e-4])
    refused("store = 3: must be the path", mdt.sweep, MD, {"noise": [0.1]}, store=3)
    refused("outputs = 'rank': must be one of", mdt.sweep, MD, {"noise": [0.1]}, ["rank"])
    ranks = mdt.sweep(TWO, {"decay": [0.1, 1.0]}, ["rank", "relative_gap"])
    np.testing.assert_array_equal(ranks["rank"], [1, 0])
