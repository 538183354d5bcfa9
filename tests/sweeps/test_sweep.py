"""Sweeps: the numbers of `solve` in labelled arrays, the same wherever they are computed and however often killed."""

import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mdtheory as mdt
from mdtheory.models.parameters import paths
from mdtheory.phase import Cell, output, parameter, with_values
from mdtheory.sweeps import execution, fingerprint, store, sweeping
from mdtheory.sweeps.axes import plan, read_axes
from mdtheory.sweeps.chunks import Task, solve_chunk
from mdtheory.sweeps.fingerprint import description

NOISE = np.geomspace(1e-3, 0.4, 7)
SMOOTHING = np.linspace(0.0, 0.5, 5)
GRID = {"noise": NOISE, "loss.smoothing": SMOOTHING}
SMALL = {"noise": NOISE, "slope": [0.1, 1.0, 10.0]}


def ufm(loss=None, **changes) -> mdt.UFM:
    values = {"num_classes": 2, "weight_decay": 5e-3, "feature_decay": 5e-3, "nonnegative": True}
    return mdt.UFM(loss or mdt.CrossEntropy(), **{**values, **changes})


def md(**changes) -> mdt.MemorizationDilation:
    return mdt.MemorizationDilation(ufm(), **{"noise": 0.1, "slope": 1.0, "noisy_feature_decay": 1e-4, **changes})


def same_bits(left: xr.Dataset, right: xr.Dataset) -> bool:
    return left.identical(right) and all(
        left[name].values.tobytes() == right[name].values.tobytes() for name in left.variables
    )


# ------------------------------------------------------------------------------ numbers and labels


def test_a_sweep_holds_the_numbers_of_solve_to_the_last_bit():
    ds = mdt.sweep(md(), GRID)
    solution = mdt.solve(with_values(md(), {"noise": NOISE[:, None], "loss.smoothing": SMOOTHING}))
    assert tuple(ds.sizes.items()) == (("noise", 7), ("loss.smoothing", 5))
    assert set(ds.data_vars) == {
        *("dilation", "normalized_dilation", "memorization", "noisy_margin", "test_error", "status"),
    }
    for name in ds.data_vars:
        np.testing.assert_array_equal(ds[name].values, getattr(solution, name))
    assert ds.status.dtype == np.int8


def test_coordinates_and_outputs_say_what_they_are():
    ds = mdt.sweep(md(), GRID, ["normalized_dilation"])
    assert ds.noise.attrs == {"long_name": "noise level", "symbol": r"\eta", "units": "1", "log": 1}
    assert ds["loss.smoothing"].attrs == {"long_name": "label smoothing", "symbol": r"\alpha", "units": "1", "log": 0}
    assert ds.normalized_dilation.attrs["symbol"] == r"\mathrm{ND}"
    assert ds.status.attrs["flag_meanings"].split() == [cell.name.lower() for cell in Cell]
    assert ds.status.attrs["flag_values"].tolist() == list(Cell)
    assert "CrossEntropy(smoothing=0.0)" in ds.attrs["problem"]
    assert ds.attrs["method"] == "auto"
    assert f"mdtheory {mdt.__version__}, numpy {np.__version__}" in ds.attrs["versions"]
    assert (ds.attrs["cells"], ds.attrs["cells_optimal"], ds.attrs["cells_failed"]) == (35, 35, 0)


def test_a_linear_axis_of_a_logarithmic_parameter_is_linear():
    ds = mdt.sweep(md(), {"noise": np.linspace(0.1, 0.4, 4), "slope": [1.0, 2.0]}, ["dilation"])
    assert (ds.noise.attrs["log"], ds.slope.attrs["log"]) == (0, 1)


@pytest.mark.parametrize(
    ("name", "values", "labels"),
    [
        (
            "loss",
            [mdt.CrossEntropy(), mdt.MeanSquaredError(0.1)],
            ["cross-entropy", "mean-squared-error, smoothing 0.1"],
        ),
        ("scaling", ["absolute", "relative"], ["absolute", "relative"]),
        ("spread", [mdt.Sphere(3), mdt.Gaussian(3)], ["sphere, dim 3", "gaussian, dim 3"]),
        ("spread.dim", [2, 16], [2, 16]),
        ("nonnegative", [True, False], [True, False]),
        ("noisy_feature_decay", [None, 1e-4], ["None", "0.0001"]),
        ("ufm.weight_decay", [1e-3, 5e-3], [1e-3, 5e-3]),
    ],
)
def test_any_parameter_can_be_an_axis(name, values, labels):
    ds = mdt.sweep(md(), {"noise": NOISE, name: values}, ["dilation", "gap"])
    assert ds[name].values.tolist() == labels
    for value, label in zip(values, labels, strict=True):
        solution = mdt.solve(with_values(md(noise=NOISE), {name: value}))
        for field in ("dilation", "gap"):
            np.testing.assert_allclose(ds[field].sel({name: label}).values, getattr(solution, field), atol=1e-13)


def test_four_axes_agree_with_single_points():
    axes = {"scaling": ["absolute", "relative"], "noise": NOISE[:2], "spread.dim": [2, 5], "slope": [0.5, 2.0, 3.0]}
    ds = mdt.sweep(md(), axes, ["dilation"])
    assert ds.dilation.shape == (2, 2, 2, 3)
    cell = {"scaling": "relative", "noise": NOISE[1], "spread.dim": 5, "slope": 2.0}
    one = mdt.solve(md(scaling="relative", noise=NOISE[1], spread=mdt.Sphere(5), slope=2.0)).dilation
    assert ds.dilation.sel(cell).item() == pytest.approx(one, rel=1e-12)


def test_features_models_of_many_sizes_broadcast():
    ds = mdt.sweep(ufm(), {"num_classes": [2, 10, 1000], "decay": np.geomspace(1e-4, 0.1, 5)})
    solution = mdt.solve(ufm(num_classes=np.array([2, 10, 1000])[:, None], **dict.fromkeys(("weight_decay", "feature_decay"), np.geomspace(1e-4, 0.1, 5))))  # fmt: skip
    assert list(ds.data_vars) == ["margin", "objective", "gap", "status"]
    np.testing.assert_array_equal(ds.margin.values, solution.margin)
    np.testing.assert_array_equal(ds.objective.values, solution.objective)


def test_problems_that_are_not_symmetric_go_point_by_point():
    skewed = ufm(num_classes=3, nonnegative=False, class_weights=[0.6, 0.3, 0.1])
    ds = mdt.sweep(
        skewed, {"decay": [1e-3, 5e-3], "class_weights": [[0.6, 0.3, 0.1], [0.5, 0.25, 0.25]]}, ["objective", "rank"]
    )
    expected = mdt.solve(replace(skewed, class_weights=[0.5, 0.25, 0.25]))
    assert ds.class_weights.values.tolist() == ["0.6, 0.3, 0.1", "0.5, 0.25, 0.25"]
    assert ds.objective.isel(decay=1, class_weights=1).item() == expected.objective
    assert ds["rank"].isel(decay=1, class_weights=0).item() == 2
    assert np.all(ds.status == Cell.OPTIMAL)


def test_an_axis_that_breaks_the_symmetry_is_solved_all_the_same():
    ds = mdt.sweep(ufm(nonnegative=False, num_classes=3), {"class_weights": [None, [0.5, 0.3, 0.2]]}, ["objective"])
    assert np.all(ds.status == Cell.OPTIMAL)
    assert ds.objective.values[0] != ds.objective.values[1]


def test_max_margin_problems_are_swept():
    ds = mdt.sweep(mdt.MaxMargin(num_classes=3), {"num_classes": [2, 3, 4], "nonnegative": [False, True]})
    assert ds.objective.sel(num_classes=3, nonnegative=True).item() == mdt.solve(mdt.MaxMargin(num_classes=3, nonnegative=True)).objective  # fmt: skip


def two_to_one(ratio: float, decay: float) -> mdt.UFM:
    share = ratio / (1.0 + ratio)
    weights = {"class_weights": [share, 1.0 - share], "nonnegative": False}
    return ufm(weight_decay=decay, feature_decay=decay, **weights)


def noise_per_slope(slope, ratio) -> mdt.MemorizationDilation:
    return md(slope=slope, noise=ratio * np.asarray(slope))


def minority(solution) -> float:
    return solution.margin[-1]


def test_a_function_may_make_the_problem():
    ds = mdt.sweep(two_to_one, {"ratio": [1.0, 4.0], "decay": [1e-3, 1e-2]}, {"minority": minority, "gap": "gap"})
    assert ds.minority.sel(ratio=4.0, decay=1e-2).item() == mdt.solve(two_to_one(4.0, 1e-2)).margin[-1]
    assert ds.attrs["problem"].endswith("two_to_one")
    assert ds.ratio.attrs["long_name"] == "ratio"


def test_a_function_of_arrays_is_called_with_arrays():
    axes = {"slope": np.geomspace(0.1, 1.0, 5), "ratio": np.linspace(0.1, 0.9, 6)}
    once = mdt.sweep(noise_per_slope, axes, ["dilation"], vectorized=True)
    often = mdt.sweep(noise_per_slope, axes, ["dilation"])
    np.testing.assert_allclose(once.dilation, often.dilation, rtol=1e-12)


def test_equal_sweeps_give_equal_datasets():
    assert same_bits(mdt.sweep(md(), GRID), mdt.sweep(md(), GRID))


def test_a_dataset_survives_netcdf(tmp_path):
    axes = {"loss": [mdt.CrossEntropy(), mdt.Hinge()], "nonnegative": [True, False], "noise": [0.1, 1.5]}
    ds = mdt.sweep(md(), axes, ["dilation"])
    ds.to_netcdf(tmp_path / "ds.nc", engine="scipy")
    again = xr.load_dataset(tmp_path / "ds.nc", engine="scipy")
    xr.testing.assert_equal(ds, again)
    assert again.attrs["why_undefined"] == ds.attrs["why_undefined"]


# ------------------------------------------------------------------------------ cells without an answer


def test_collapsed_cells_leave_their_neighbours_alone():
    decay = np.geomspace(1e-3, 1.0, 41)
    ds = mdt.sweep(md(), {"decay": decay, "loss.smoothing": [0.0, 0.3], "noise": NOISE})
    collapsed = decay[:, None] >= np.array([mdt.collapse_threshold(ufm(mdt.CrossEntropy(a))) for a in (0.0, 0.3)])
    assert 0 < np.count_nonzero(collapsed) < collapsed.size
    expected = np.broadcast_to(collapsed[:, :, None], ds.status.shape)
    np.testing.assert_array_equal(ds.status == Cell.COLLAPSED, expected)
    for name in ("dilation", "normalized_dilation", "memorization", "noisy_margin", "test_error"):
        np.testing.assert_array_equal(np.isnan(ds[name]), expected)
    for i, j, k in ((0, 0, 0), (17, 1, 3), (20, 0, 6)):
        point = {"decay": decay[i], "loss.smoothing": (0.0, 0.3)[j], "noise": NOISE[k]}
        one = mdt.solve(with_values(md(), point)).dilation
        assert ds.dilation.values[i, j, k] == pytest.approx(one, rel=1e-11)
    assert ds.attrs["cells_collapsed"] == np.count_nonzero(expected)
    assert "collapsed to zero" in ds.attrs["why_collapsed"]


def test_cells_outside_the_domain_are_undefined():
    ds = mdt.sweep(md(), {"noise": [-0.1, 0.1, 1.0, 1.1], "loss.smoothing": [0.0, 0.5, 1.0]})
    expected = np.full((4, 3), Cell.UNDEFINED)
    expected[1:3, :2] = Cell.OPTIMAL
    np.testing.assert_array_equal(ds.status, expected)
    np.testing.assert_array_equal(np.isnan(ds.dilation), expected == Cell.UNDEFINED)
    assert ds.attrs["why_undefined"] == "noise = -0.1: must lie in [0, 1]"


def test_a_fully_collapsed_sweep_is_all_collapsed():
    ds = mdt.sweep(md(), {"decay": [1.0, 2.0], "noise": NOISE})
    assert np.all(ds.status == Cell.COLLAPSED)


def test_noisy_features_at_infinity_cost_nothing_where_there_is_no_noise():
    problem = md(noisy_feature_decay=0.0)
    ds = mdt.sweep(problem, {"noise": [0.0, 0.1, 0.2]}, ["objective"])
    np.testing.assert_array_equal(ds.status, [Cell.OPTIMAL] * 3)
    clean = 2 * problem.ufm.loss.profile(mdt.solve(problem.ufm).margin)  # both classes, without decay
    assert float(ds.objective[0]) == pytest.approx(float(clean), rel=1e-14)
    assert np.all(np.diff(ds.objective) > 0)


def choosy(solution):
    if np.any(np.asarray(solution.problem.noise) == NOISE[3]):
        raise mdt.SolverError("stuck")
    return np.where(np.asarray(solution.problem.noise) == NOISE[5], np.nan, solution.dilation)


def test_failures_are_confined_to_their_cells():
    ds = mdt.sweep(md(), GRID, {"choosy": choosy, "dilation": "dilation"})
    failed = np.isin(np.arange(7), (3, 5))
    np.testing.assert_array_equal(ds.status == Cell.FAILED, np.broadcast_to(failed[:, None], (7, 5)))
    np.testing.assert_array_equal(np.isnan(ds.dilation), np.broadcast_to(failed[:, None], (7, 5)))
    assert ds.attrs["why_failed"] in ("stuck", "choosy = nan: the solution is not a number")
    assert ds.attrs["cells_failed"] == 10


def test_a_parameter_that_some_losses_lack_is_undefined_for_them():
    ds = mdt.sweep(md(), {"loss": [mdt.CrossEntropy(), mdt.Hinge()], "loss.smoothing": [0.0, 0.1]}, ["dilation"])
    np.testing.assert_array_equal(ds.status, [[Cell.OPTIMAL] * 2, [Cell.UNDEFINED] * 2])
    assert "is no parameter" in ds.attrs["why_undefined"] or "must be one of" in ds.attrs["why_undefined"]


def test_the_conic_method_goes_point_by_point():
    ds = mdt.sweep(md(), {"noise": [0.1, 2.0]}, ["dilation"], method="convex")
    assert ds.dilation.values[0] == pytest.approx(mdt.solve(md()).dilation, rel=1e-5)
    assert ds.status.values.tolist() == [Cell.OPTIMAL, Cell.UNDEFINED]


# ------------------------------------------------------------------------------ chunks


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    outer=st.lists(st.booleans(), min_size=4, max_size=4),
    chunk=st.integers(1, 50),
)
@settings(max_examples=60)
def test_chunks_cover_every_cell_once(sizes, outer, chunk):
    axes = {f"a{i}": list(range(size)) for i, size in enumerate(sizes)}
    inner = [name for name, is_outer in zip(axes, outer, strict=False) if not is_outer]
    read = read_axes(axes, inner)
    seen = np.zeros(sizes, dtype=int)
    for box in plan(read, chunk):
        assert seen[box].size <= chunk
        seen[box] += 1
    assert np.all(seen == 1)


def test_chunks_agree_to_rounding():
    whole = mdt.sweep(md(), GRID, ["dilation"])
    cut = mdt.sweep(md(), GRID, ["dilation"], chunk=3)
    np.testing.assert_allclose(whole.dilation, cut.dilation, rtol=1e-11)
    assert cut.attrs["chunk"] == 3


# ------------------------------------------------------------------------------ executors


class Watched(Executor):
    """Runs a task when its result is awaited, and notes how many were handed in at a time."""

    def __init__(self) -> None:
        self.pool, self.pending, self.most, self.tasks = ThreadPoolExecutor(1), 0, 0, 0

    def submit(self, function, /, *arguments, **named) -> Future:
        self.pending, self.tasks = self.pending + 1, self.tasks + 1
        self.most = max(self.most, self.pending)

        def work():
            try:
                return function(*arguments, **named)
            finally:
                self.pending -= 1

        return self.pool.submit(work)


MIXED = {"noise": NOISE, "decay": np.geomspace(1e-2, 1.0, 9), "loss": [mdt.CrossEntropy(), mdt.LabelRelaxation(0.1)]}


def test_threads_and_processes_give_the_same_bits():
    here = mdt.sweep(md(), MIXED, chunk=6)
    assert same_bits(here, mdt.sweep(md(), MIXED, chunk=6, executor=2))
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(1) as processes:
        assert same_bits(here, mdt.sweep(md(), MIXED, chunk=6, executor=threads))
        assert same_bits(here, mdt.sweep(md(), MIXED, chunk=6, executor=processes))


def test_a_dask_cluster_gives_the_same_bits():
    distributed = pytest.importorskip("distributed")
    skewed, decays = two_to_one(3.0, 1e-3), {"decay": np.geomspace(1e-3, 1e-2, 4)}
    here = mdt.sweep(md(), MIXED, chunk=6), mdt.sweep(skewed, decays)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        there = (
            mdt.sweep(md(), MIXED, chunk=6, executor=executor),
            mdt.sweep(skewed, decays, executor=executor),
        )
        workers = execution._workers(executor)
    for left, right in zip(here, there, strict=True):
        xr.testing.assert_identical(left, right)
        assert same_bits(left, right)
    assert workers == 2


def blas_threads(solution) -> float:
    return max(library["num_threads"] for library in execution._blas().info() if library["user_api"] == "blas")


def test_blas_has_one_thread_while_points_are_solved_and_as_many_as_before_afterwards():
    before = blas_threads(None)
    for executor in (None, 1):
        ds = mdt.sweep(md(), {"noise": [0.1, 0.2]}, {"threads": blas_threads}, executor=executor)
        assert ds.threads.values.tolist() == [1.0, 1.0]
    with ThreadPoolExecutor(4) as threads:
        ds = mdt.sweep(md(), GRID, {"threads": blas_threads}, chunk=2, executor=threads)
    assert np.all(ds.threads == 1)
    assert blas_threads(None) == before


def test_few_chunks_are_in_flight():
    watched = Watched()
    mdt.sweep(md(), GRID, ["dilation"], chunk=1, executor=watched)
    assert watched.tasks == 35
    assert watched.most <= 2 * execution._UNKNOWN_WORKERS


def test_losses_given_as_expressions_travel_between_processes():
    t = sp.Symbol("t")
    loss = mdt.MarginLoss(sp.log(1 + sp.exp(-t)))
    assert pickle.loads(pickle.dumps(loss)) == loss
    problem = replace(md(), ufm=ufm(loss))
    assert same_bits(mdt.sweep(problem, {"noise": NOISE}), mdt.sweep(problem, {"noise": NOISE}, executor=1))


def mortal(noise):
    if noise > 0.2:
        os._exit(3)
    return md(noise=noise)


def test_a_worker_that_dies_is_a_solver_error():
    with pytest.raises(mdt.SolverError, match="ended abruptly"):
        mdt.sweep(mortal, {"noise": NOISE}, executor=1)


# ------------------------------------------------------------------------------ stores


@pytest.fixture
def counted(monkeypatch):
    """How many chunks are solved."""
    calls = Counter()

    def solve_and_count(task):
        calls["solved"] += 1
        return solve_chunk(task)

    monkeypatch.setattr(execution, "solve_chunk", solve_and_count)
    return calls


def test_only_missing_and_damaged_chunks_are_solved_again(tmp_path, counted):
    whole = mdt.sweep(md(), MIXED, chunk=9, store=tmp_path)
    files = sorted(tmp_path.glob("chunk-*.nc"))
    assert len(files) == counted["solved"] == 14
    assert same_bits(whole, mdt.sweep(md(), MIXED, chunk=9, store=tmp_path))
    assert counted["solved"] == 14
    files[0].unlink()
    files[3].write_bytes(files[3].read_bytes()[:200])
    data = bytearray(files[5].read_bytes())
    data[data.index(whole.dilation[5, 0, 0].values.astype(">f8").tobytes()) + 4] ^= 1
    files[5].write_bytes(bytes(data))
    files[7].write_bytes(b"")
    files[8].write_bytes(files[6].read_bytes())
    (tmp_path / "chunk-000002.nc.part").write_bytes(b"half")
    again = mdt.sweep(md(), MIXED, chunk=9, store=tmp_path)
    assert same_bits(whole, again)
    assert counted["solved"] == 19
    assert not list(tmp_path.glob("*.part"))
    assert same_bits(whole, mdt.sweep(md(), MIXED, chunk=9))


@given(st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=100)
def test_a_flipped_bit_anywhere_in_a_chunk_is_noticed_or_harmless(kept_chunk, position, bit):
    data, chunk, shape, names = kept_chunk
    damaged = bytearray(data)
    damaged[position % len(data)] ^= 1 << bit
    read = store._decode(bytes(damaged), shape, names, "seal 0")
    if read is not None:
        assert read.reasons == chunk.reasons
        assert read.status.tobytes() == chunk.status.tobytes()
        assert all(read.values[name].tobytes() == chunk.values[name].tobytes() for name in names)


@pytest.fixture(scope="module")
def kept_chunk():
    axes, names = read_axes({"noise": NOISE, "decay": [1e-3, 1.0]}, None), ("dilation", "test_error")
    chunk = solve_chunk(Task(md(), axes, tuple(zip(names, names, strict=True)), "auto", None, True))
    return store._encode(chunk, axes, "seal 0"), chunk, (7, 2), names


def test_a_chunk_is_a_netcdf_file_with_its_coordinates(tmp_path):
    ds = mdt.sweep(md(), GRID, chunk=10, store=tmp_path)
    chunk = xr.load_dataset(tmp_path / "chunk-000001.nc", engine="scipy")
    np.testing.assert_array_equal(chunk.dilation, ds.dilation[2:4])
    np.testing.assert_array_equal(chunk.noise, ds.noise[2:4])


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("problem", {"problem": md(slope=2.0)}),
        ("axes", {"axes": {**SMALL, "slope": [0.1, 1.0, 10.000000000000002]}}),
        ("outputs", {"outputs": ["gap"]}),
        ("method", {"method": "expansion"}),
        ("chunk", {"chunk": 2}),
        ("versions", {}),
    ],
)
def test_the_store_of_another_sweep_is_refused(tmp_path, monkeypatch, what, changes):
    call = {"problem": md(), "axes": SMALL, "outputs": ["dilation"]}
    mdt.sweep(**call, store=tmp_path)
    if what == "versions":
        monkeypatch.setattr(fingerprint, "__version__", "0.0.9")
    with pytest.raises(mdt.AssumptionError, match=rf"holds another sweep \(other {what}\)") as caught:
        mdt.sweep(**{**call, **changes}, store=tmp_path)
    assert "\n" not in str(caught.value)


def test_directories_that_are_no_store_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(mdt.AssumptionError, match="holds other files"):
        mdt.sweep(md(), SMALL, store=tmp_path)
    with pytest.raises(mdt.AssumptionError, match="is a file"):
        mdt.sweep(md(), SMALL, store=tmp_path / "thesis.tex")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "precious"}')
    with pytest.raises(mdt.AssumptionError, match="cannot be read"):
        mdt.sweep(md(), SMALL, store=tmp_path / "app")
    assert "precious" in (tmp_path / "app" / "manifest.json").read_text()
    mdt.sweep(md(), SMALL, store=tmp_path / "good")
    (tmp_path / "good" / "manifest.json").write_text("{")
    with pytest.raises(mdt.AssumptionError, match="cannot be read"):
        mdt.sweep(md(), SMALL, store=tmp_path / "good")
    (tmp_path / "good" / "manifest.json").unlink()
    with pytest.raises(mdt.AssumptionError, match="without their manifest"):
        mdt.sweep(md(), SMALL, store=tmp_path / "good")


def test_a_store_without_chunks_may_become_that_of_another_sweep(tmp_path, monkeypatch):
    with pytest.raises(mdt.AssumptionError, match="outputs"):
        mdt.sweep(md(), SMALL, ["class_means"], store=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "manifest.json"]
    ds = mdt.sweep(md(), SMALL, ["dilation"], store=tmp_path)
    monkeypatch.setattr(sweeping, "run", lambda *_, **__: iter(()))
    assert mdt.sweep(md(), SMALL, ["dilation"], store=tmp_path).equals(ds)


def test_a_store_in_use_is_refused(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    assert fcntl
    mdt.sweep(md(), SMALL, store=tmp_path)
    hold = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(mdt.AssumptionError, match="in use"):
            mdt.sweep(md(), SMALL, store=tmp_path)
        holder.stdin.close()
    mdt.sweep(md(), SMALL, store=tmp_path)


KILLED = """
import sys, time
import numpy as np
import mdtheory as mdt

def slowly(noise, slope):
    time.sleep(0.004)
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    return mdt.MemorizationDilation(ufm, noise=noise, slope=slope)

if __name__ == "__main__":
    axes = {"noise": np.geomspace(1e-3, 1.2, 20), "slope": np.geomspace(0.1, 10.0, 12)}
    jobs = int(sys.argv[2]) or None
    store = sys.argv[1] if sys.argv[1] != "-" else None
    ds = mdt.sweep(slowly, axes, chunk=4, store=store, executor=jobs, progress=lambda line: print(line, flush=True))
    ds.to_netcdf(sys.argv[3], engine="scipy")
"""


@pytest.mark.parametrize("jobs", [0, 2])
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_sweep_killed_at_any_moment_resumes_and_ends_with_the_same_bits(tmp_path, jobs):
    script, kept = tmp_path / "slow.py", tmp_path / "kept"
    script.write_text(textwrap.dedent(KILLED))
    command = [sys.executable, str(script)]
    subprocess.run([*command, "-", "0", str(tmp_path / "whole.nc")], check=True, capture_output=True)
    rng, kills, done = random.Random(jobs), 0, []
    for _ in range(60):
        with subprocess.Popen(
            [*command, str(kept), str(jobs), str(tmp_path / "pieces.nc")],
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            process.stdout.readline()  # the first progress: it is at work
            time.sleep(rng.uniform(0.0, 0.25))
            if kills < 4 and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
        done.append(len(list(kept.glob("chunk-*.nc"))))
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        _wait_for_the_end_of_session(process.pid)
    assert kills >= 2
    assert done == sorted(done)
    whole, pieces = (xr.load_dataset(tmp_path / name, engine="scipy") for name in ("whole.nc", "pieces.nc"))
    assert same_bits(whole, pieces)
    assert whole.attrs["cells_undefined"] > 0


def _wait_for_the_end_of_session(session: int) -> None:
    """No worker outlives a parent that was killed."""
    if not Path("/proc/self/stat").exists():
        return
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        alive = [stat for stat in map(_stat, Path("/proc").glob("[0-9]*/stat")) if stat and stat[3] == str(session)]
        if all(stat[0] == "Z" for stat in alive):
            return
        time.sleep(0.05)
    pytest.fail("worker processes outlive their parent")


def _stat(path: Path) -> list[str] | None:
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return None


# ------------------------------------------------------------------------------ progress


def test_progress_counts_cells_without_an_answer(capsys):
    lines = []
    mdt.sweep(md(), {"noise": [0.1, 2.0], "decay": [1e-3, 1.0]}, progress=lines.append)
    assert "4/4 cells" in lines[-1]
    assert lines[-1].endswith("no answer: 1 collapsed, 2 undefined")
    assert capsys.readouterr().err == ""
    mdt.sweep(md(), {"noise": [0.1, 2.0]}, progress=True)
    assert capsys.readouterr().err.count("no answer: 1 undefined\n") == 1
    mdt.sweep(md(), {"noise": [0.1, 2.0]})
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"axes": {}}, "must map names of parameters to values"),
        ({"axes": ["noise"]}, "must map names of parameters to values"),
        ({"axes": {"noise": 0.1}}, "noise = 0.1: must be one-dimensional"),
        ({"axes": {"noise": "abc"}}, "must be one-dimensional"),
        ({"axes": {"noise": np.ones((2, 2))}}, "must be one-dimensional"),
        ({"axes": {"noise": []}}, "must hold at least one value"),
        ({"axes": {"noise": [0.1, np.nan]}}, "must be finite"),
        ({"axes": {"loss": [mdt.Hinge(), mdt.Hinge()]}}, "loss = 'hinge': is given twice"),
        ({"axes": {"smoothing": [0.1]}}, "parameter = 'smoothing': must be one of noise, slope"),
        ({"axes": {"loss.focusing": [0.1]}}, "must be one of .*loss.smoothing"),
        ({"axes": {"decay": [0.1], "weight_decay": [0.1]}}, "sets weight_decay too"),
        ({"axes": {"weight_decay": [0.1], "ufm.weight_decay": [0.1]}}, "given twice"),
        ({"outputs": []}, "outputs = .*must be a list of names"),
        ({"outputs": "dilation"}, "must be a list of names"),
        ({"outputs": ["dilatation"]}, "outputs = 'dilatation': must be one of .*dilation"),
        ({"outputs": ["class_means"]}, "outputs = 'class_means': must be one number for every point"),
        ({"outputs": {"noise": "dilation"}}, "outputs = 'noise': the name is taken"),
        ({"outputs": ["dilation", "dilation"]}, "the name is taken"),
        ({"method": "factorized"}, "method = 'factorized'"),
        ({"executor": "dask"}, "executor = 'dask'"),
        ({"executor": 0}, "executor = 0"),
        ({"executor": 2, "outputs": {"r": lambda solution: 1.0}}, "executor = 2: functions must be importable"),
        ({"chunk": 0}, "chunk = 0"),
        ({"tolerance": -1.0}, "tolerance = -1"),
        ({"problem": md(noise=np.array([0.1, 0.2])), "axes": {"slope": [1.0]}}, "problem = .*must be one point"),
        ({"progress": "yes"}, "progress = 'yes'"),
        ({"problem": 3}, "problem = 3"),
        ({"vectorized": True}, "vectorized = True"),
        ({"problem": lambda noise: 3}, "problem = 3"),
        ({"problem": lambda noise: md(noise=-noise)}, "no point has a problem; the last said: noise"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.sweep(**{"problem": md(), "axes": {"noise": [0.1, 0.2]}, **call})


# ------------------------------------------------------------------------------ parameters


def test_every_parameter_can_be_replaced_and_has_a_label():
    problem = md()
    values = {
        "noise": 0.2,
        "slope": 2.0,
        "spread": mdt.Gaussian(3),
        "scaling": "relative",
        "noisy_feature_decay": 0.0,
        "nonnegative_noisy_features": True,
        "given_configuration": None,
        "spread.dim": 5,
        "num_classes": 2,
        "weight_decay": 1e-3,
        "bias": True,
        "feature_decay": 2e-3,
        "nonnegative": True,
        "bias_decay": 0.0,
        "class_weights": None,
        "feature_dim": 4,
        "label_distribution": None,
        "decay": 1e-3,
        "loss": mdt.Focal(1.0),
        "loss.smoothing": 0.1,
    }
    assert set(paths(problem)) == set(values)
    for path, value in values.items():
        changed = with_values(problem, {path: value})
        assert type(changed) is mdt.MemorizationDilation
        assert (changed == problem) == (value is None or path in ("num_classes", "nonnegative", "bias_decay"))
        assert with_values(changed, {path: value}) == changed
        entry = parameter(path)
        assert entry.path == path
        assert entry.unit == "1"
        assert entry.label
    assert parameter("ufm.decay") == parameter("decay")
    assert output("normalized_dilation").log


def test_values_of_the_loss_apply_to_the_new_loss():
    changed = with_values(md(), {"loss.focusing": 3.0, "loss": mdt.Focal(1.0)})
    assert changed.ufm.loss == mdt.Focal(3.0)


def test_descriptions_tell_values_apart():
    functions = [lambda s: s.margin, lambda s: s.gap, lambda s, k=1: s.margin, partial(minority), minority]
    values = [
        0.1,
        0.1 + 1e-17 + 2e-17,
        1,
        True,
        None,
        "a",
        [1.0],
        np.ones(3),
        np.ones(4),
        np.arange(2000.0),
        mdt.Hinge(),
    ]
    values += [*functions, md(), md(slope=2.0), md(noise=np.arange(5) / 5), sp.Symbol("t"), np.log]
    texts = [repr(description(value)) for value in values]
    assert len(set(texts)) == len({repr(v) for v in values[:2]}) + len(values) - 2
    assert repr(description(md())) == repr(description(md()))
    with pytest.raises(mdt.AssumptionError, match="store"):
        description(object())


def test_importing_the_package_does_not_load_xarray():
    code = "import sys, mdtheory.phase; print([m for m in ('xarray', 'pandas', 'matplotlib', 'distributed') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"


def test_stores_are_closed_after_a_failure(tmp_path):
    with pytest.raises(mdt.AssumptionError):
        mdt.sweep(md(), SMALL, ["class_means"], store=tmp_path)
    assert store._locked(tmp_path) is not None
