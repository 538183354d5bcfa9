"""`mdtheory phase`: words to pictures, data beside them, and errors of one line."""

import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import mdtheory as mdt
from mdtheory.command import phase as command
from mdtheory.command.axis_text import parse_axis, parse_boundary
from mdtheory.command.main import main
from mdtheory.phase import boundary
from mdtheory.sweeps import sweeping

X, Y = "noise:1e-3:0.4:6:log", "loss.smoothing:0:0.5:5"
PROBLEM = ["--nonnegative", "--slope", "0.2", "--noisy-feature-decay", "1e-4"]


def problem():
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    return mdt.MemorizationDilation(ufm, noise=0.1, slope=0.2, noisy_feature_decay=1e-4)


def phase(*options, x=X, y=Y):
    return main(["phase", "--x", x, "--y", y, *map(str, options)])


def test_the_numbers_and_the_boundaries_are_those_of_the_library(tmp_path, capsys):
    out, data = tmp_path / "new" / "out.png", tmp_path / "out.nc"
    traced = ["--boundary", "memorization", "--boundary", "equal-dilation=label-relaxation:0.1"]
    assert phase(*PROBLEM, *traced, "-o", out, "--data", data) == 0
    assert imread(out).shape[:2] == (810, 1020)
    with xr.load_dataset(data, engine="scipy") as ds:
        grid = {"noise": np.geomspace(1e-3, 0.4, 6), "loss.smoothing": np.linspace(0, 0.5, 5)}
        for name, values in grid.items():
            assert np.allclose(ds[name], values, rtol=1e-15)
        ufm = mdt.UFM(
            mdt.CrossEntropy(ds["loss.smoothing"].values[:, None]),
            num_classes=2,
            weight_decay=5e-3,
            feature_decay=5e-3,
            nonnegative=True,
        )
        md = mdt.MemorizationDilation(ufm, noise=ds.noise.values, slope=0.2, noisy_feature_decay=1e-4)
        assert np.allclose(ds.normalized_dilation, mdt.solve(md).normalized_dilation, rtol=1e-9)
        ranges = {"noise": (1e-3, 0.4, "log"), "loss.smoothing": (0.0, 0.5)}
        for i, options in enumerate((("memorization", None), ("equal-dilation", mdt.LabelRelaxation(0.1)))):
            line = boundary(problem(), options[0], ranges, other=options[1])
            points = np.stack([ds[f"boundary_{i}_x"], ds[f"boundary_{i}_y"]], axis=1)
            assert np.array_equal(points[np.isfinite(points[:, 0])], np.concatenate(line.segments))
            assert (ds[f"boundary_{i}_x"].parameter, ds[f"boundary_{i}_y"].parameter) == ("noise", "loss.smoothing")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{out}: 6 x 5 cells: 30 optimal"
    assert re.fullmatch(r"boundary memorization: 1 segment, 200 points, within \S+, closed form", said[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "out.nc"]
    assert [path.name for path in out.parent.iterdir()] == ["out.png"]


@pytest.mark.parametrize(
    ("options", "x", "y", "variable"),
    [
        (["--model", "ufm", "--num-classes", "10"], "loss.smoothing:0:0.9:4", "decay:1e-3:0.3:5:log", "margin"),
        (["--loss", "label-relaxation"], X, "loss.relaxation:0.01:0.4:3", "normalized_dilation"),
        (["--loss", "hinge", "--quantity", "noisy_margin"], X, "slope:0.1:1:3:log", "noisy_margin"),
        (["--quantity", "test_error", "--scale", "linear"], X, "spread.dim:2:8:4", "test_error"),
        (["--quantity", "phase", "--certify"], X, "slope:0.1:1:3:log", "evidence"),
    ],
)
def test_any_model_loss_parameter_and_quantity_can_be_drawn(options, x, y, variable, tmp_path):
    assert phase(*options, "-o", tmp_path / "out.svg", "--data", tmp_path / "out.nc", x=x, y=y) == 0
    assert (tmp_path / "out.svg").read_text(encoding="utf-8").startswith("<?xml")
    with xr.load_dataset(tmp_path / "out.nc", engine="scipy") as ds:
        assert not np.any(np.isnan(ds[variable]))
        assert ds[variable].sizes == {y.split(":")[0]: int(y.split(":")[3]), x.split(":")[0]: int(x.split(":")[3])}


def test_collapsed_cells_are_counted(tmp_path, capsys):
    assert phase("-o", tmp_path / "out.png", "--boundary", "collapse", y="decay:1e-3:10:5:log") == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("6 x 5 cells: 18 optimal, 12 collapsed")


def test_a_boundary_out_of_view_is_said_to_be(tmp_path, capsys):
    assert phase("-o", tmp_path / "out.png", "--boundary", "normalized-dilation=50") == 0
    assert capsys.readouterr().out.splitlines()[1] == "boundary normalized-dilation: none in the picture"


# ------------------------------------------------------------------------------ what is wrong is said in one line

AXIS = "NAME:LOW:HIGH:COUNT"


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ("noise", Y, [], f"x = 'noise': must be {AXIS}.*for example noise:0.001:0.4:200:log"),
        ("noise:1:2", Y, [], AXIS),
        ("noise:a:0.4:20", Y, [], AXIS),
        ("noise:0:0.4:2.5", Y, [], AXIS),
        ("noise:0:0.4:20:cubic", Y, [], AXIS),
        ("noise:0:0.4:20:log:log", Y, [], AXIS),
        (":0:0.4:20", Y, [], AXIS),
        (X, "loss.smoothing=0..0.5", [], f"y = .*{AXIS}.*for example loss.smoothing:0:0.5:200"),
        ("noise:0.4:0.1:20", Y, [], f"LOW must be below HIGH; the form {AXIS}"),
        ("noise:0:nan:20", Y, [], "LOW and HIGH must be finite"),
        ("noise:0:0.4:1", Y, [], "COUNT must lie in 2..100000"),
        ("noise:0:0.4:20:log", Y, [], "LOW must be positive on a logarithmic axis"),
        ("nose:0:0.4:20", Y, [], "parameter = 'nose': must be one of noise, slope"),
        (X, "loss.focusing:0:2:20", [], "parameter = 'loss.focusing': must be one of .*loss.smoothing"),
        (X, X, [], "y = 'noise': must be another parameter than that of x"),
        (X, Y, ["-o", "out.gif"], "must end in one of .png, .svg, .pdf"),
        (X, Y, ["--data", "out.csv"], "data = 'out.csv': must end in .nc"),
        (X, Y, ["--boundary", "edge"], "kind = 'edge': must be one of 'collapse'"),
        (X, Y, ["--boundary", "test-error=much"], "boundary = 'test-error=much': must be KIND or KIND=LEVEL"),
        (X, Y, ["--boundary", "=1"], "must be KIND or KIND=LEVEL"),
        (X, Y, ["--boundary", "test-error=inf"], "LEVEL must be finite"),
        (X, Y, ["--boundary", "memorization=1"], "level = 1.0: must be omitted"),
        (X, Y, ["--boundary", "equal-dilation=focal"], "focal needs its focusing"),
        (X, Y, ["--boundary", "equal-dilation=hinge:1"], "must be a loss with its parameter"),
        (X, Y, ["--boundary", "equal-dilation=cross-entropy:2"], r"smoothing = 2.0: must lie in \[0, 1\)"),
        (X, Y, ["--quantity", "dilution"], "dilution"),
        (X, Y, ["--certify"], "needs --quantity phase"),
        (X, Y, ["--model", "ufm"], "parameter = 'noise': must be one of num_classes"),
        (X, Y, ["--jobs", "0"], "0"),
        (X, Y, ["--loss", "hinge", "--smoothing", "0.1"], "hinge has no parameter smoothing"),
    ],
)
def test_bad_words_end_in_one_line(x, y, options, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = [] if "-o" in options else ["-o", "out.png"]
    assert phase(*output, *options, x=x, y=y) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"mdtheory: error: [^\n]+\n", captured.err)
    assert re.search(message, captured.err)
    assert not list(tmp_path.glob("out.*g"))


def test_an_unwritable_place_is_said_before_anything_is_computed(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert phase("-o", tmp_path / "file" / "out.png") == 2
    assert re.fullmatch(r"mdtheory: error: .*Not a directory\n|mdtheory: error: .*exists\n", capsys.readouterr().err)


# ------------------------------------------------------------------------------ interrupted runs


def interrupted(tmp_path, monkeypatch):
    """A run that is interrupted in the middle of its chunks."""
    solved = []
    real = sweeping.sweep

    def small(*arguments, **options):
        return real(*arguments, **options, chunk=8, progress=tick)

    def tick(line):
        solved.append(line)
        if len(solved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("mdtheory.sweeps.progress._EVERY", -1.0)
    monkeypatch.setattr(command, "sweep", small)
    assert phase(*PROBLEM, "-o", tmp_path / "out.png") == 130
    assert len(list((tmp_path / "out.png.chunks").glob("*.nc"))) >= 1


def test_an_interrupted_run_says_so_and_goes_on(tmp_path, capsys, monkeypatch):
    interrupted(tmp_path, monkeypatch)
    assert capsys.readouterr().err == "mdtheory: interrupted; --resume goes on from the finished chunks\n"
    assert not (tmp_path / "out.png").exists()
    assert phase(*PROBLEM, "-o", tmp_path / "out.png") == 2
    assert re.search("give --resume to go on, or delete it", capsys.readouterr().err)
    # The rest of the chunks: the counter starts from those there are.
    monkeypatch.undo()
    real = sweeping.sweep
    monkeypatch.setattr(command, "sweep", lambda *a, **k: real(*a, **k, chunk=8))
    assert phase(*PROBLEM, "-o", tmp_path / "out.png", "--resume", "--data", tmp_path / "resumed.nc") == 0
    assert not (tmp_path / "out.png.chunks").exists()
    assert phase(*PROBLEM, "-o", tmp_path / "whole.png", "--data", tmp_path / "whole.nc") == 0
    assert (tmp_path / "resumed.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_a_run_that_failed_before_its_first_chunk_does_not_stand_in_the_way(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise mdt.SolverError("no worker")
        yield

    monkeypatch.setattr(sweeping, "run", fails)
    assert phase("-o", tmp_path / "out.png") == 1
    monkeypatch.undo()
    assert phase("--slope", "0.2", "-o", tmp_path / "out.png") == 0


def test_chunks_of_another_diagram_are_refused(tmp_path, capsys, monkeypatch):
    interrupted(tmp_path, monkeypatch)
    monkeypatch.undo()
    capsys.readouterr()
    assert phase(*PROBLEM, "--scaling", "relative", "-o", tmp_path / "out.png", "--resume") == 2
    assert re.fullmatch(r"mdtheory: error: [^\n]+\n", capsys.readouterr().err)
    assert (tmp_path / "out.png.chunks").exists()


def test_processes_draw_the_same_picture(tmp_path):
    for name, jobs in (("one", []), ("two", ["--jobs", "2"])):
        assert phase(*PROBLEM, *jobs, "-o", tmp_path / f"{name}.png") == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


# ------------------------------------------------------------------------------ pieces


def test_axes_end_where_they_are_said_to():
    for text in ("noise:1e-3:0.4:7:log", "noise:0.1:0.3:7", "noise:0.1:0.7:13:linear"):
        axis = parse_axis("x", text)
        assert (axis.values[0], axis.values[-1]) == tuple(map(float, text.split(":")[1:3]))
        assert axis.range == (*map(float, text.split(":")[1:3]), *(["log"] if axis.log else []))
    assert parse_axis("x", "num_classes:2:9:20:log").values.tolist() == list(range(2, 10))


def test_boundaries_in_words():
    assert parse_boundary("equal-dilation=cross-entropy") == ("equal-dilation", None, mdt.CrossEntropy())
    assert parse_boundary("equal-dilation=focal:2") == ("equal-dilation", None, mdt.Focal(2.0))
    assert parse_boundary("test-error=0") == ("test-error", 0.0, None)


def test_boundaries_with_several_segments_are_separated_in_the_data():
    ds = xr.Dataset({"q": ("a", [1.0])})
    parts = (np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([[5.0, 6.0], [6.0, 7.0]]))
    errors = (np.zeros(2), np.zeros(2))
    line = mdt.phase.Boundary(
        kind="k",
        label="l",
        x="a",
        y="b",
        segments=parts,
        residuals=errors,
        errors=errors,
        how="h",
        residual_meaning="m",
    )
    found = command.with_boundaries(ds, [line])
    assert np.array_equal(found.boundary_0_x, [0.0, 1.0, np.nan, 5.0, 6.0], equal_nan=True)
    assert np.array_equal(found.boundary_0_residual, [0.0, 0.0, np.nan, 0.0, 0.0], equal_nan=True)
    assert found.boundary_0_residual.long_name == "m"
    none = mdt.phase.Boundary(
        kind="k", label="l", x="a", y="b", segments=(), residuals=(), errors=(), how="h", residual_meaning="m"
    )
    assert command.with_boundaries(ds, [none]).boundary_0_x.size == 0


def test_solving_loads_nothing_that_draws():
    script = "import sys; from mdtheory.command.main import main; main(['solve', 'md']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"xarray", "matplotlib", "pandas"} & set(done.stdout.split())
