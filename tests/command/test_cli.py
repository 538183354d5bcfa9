"""The command line: the report, single solutions, and errors of one line."""

import contextlib
import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mdtheory as mdt
from mdtheory.command.main import main
from mdtheory.command.report import default_losses, default_setting, phase_caption, phase_diagram

FILES = (
    *("index.html", "phase.png", "phase.svg", "phase.nc", "dilation.png", "dilation.svg", "dilation.csv"),
    *("solutions.json", "manifest.json"),
)


@dataclass(frozen=True)
class Run:
    directory: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report") / "deep" / "down"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["report", "-o", str(directory), "--json"]) == 0
    return Run(directory, out.getvalue(), err.getvalue())


@pytest.mark.slow
def test_report_writes_exactly_its_files(report):
    assert sorted(path.name for path in report.directory.iterdir()) == sorted(FILES)
    assert all(path.stat().st_size > 0 for path in report.directory.iterdir())


@pytest.mark.slow
def test_report_page_loads_nothing_from_elsewhere(report):
    html = (report.directory / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//cdn|<link|<script|@import|url\(", html)
    assert html.count('src="data:image/png;base64,') == html.count("src=") == 2


@pytest.mark.slow
def test_report_names_no_path_outside_itself(report):
    for name in ("index.html", "manifest.json", "solutions.json", "phase.svg", "dilation.svg"):
        assert str(report.directory.parent) not in (report.directory / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_report_json_on_stdout_is_the_file(report):
    assert report.stdout == (report.directory / "solutions.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_report_holds_the_reference_dilations(report):
    found = {record["label"]: record["normalized_dilation"] for record in json.loads(report.stdout)["solutions"]}
    assert len(found) == len(default_losses())
    assert found["cross-entropy"] == pytest.approx(0.29169, abs=5e-6)
    assert found["cross-entropy, smoothing 0.1"] == pytest.approx(0.22637, abs=5e-6)


@pytest.mark.slow
def test_report_has_the_joint_optimum_beside_it(report):
    records = {record["label"]: record for record in json.loads(report.stdout)["solutions"]}
    for loss in default_losses():
        found = records[loss.label]["joint_normalized_dilation"]
        if loss.smooth_slope and loss.is_convex and loss.shift_invariant:
            assert found == mdt.solve(default_setting().joint(loss)).normalized_dilation
        else:
            assert found is None


@pytest.mark.slow
def test_report_dilations_agree_with_the_conic_programme(report):
    records = json.loads(report.stdout)["solutions"]
    checks = {record["label"]: record["cross_check"] for record in records}
    assert {label for label, check in checks.items() if check != "cvxpy"} == {"focal, focusing 2"}
    assert checks["focal, focusing 2"] == "not convex"
    assert all(record["difference"] < 1e-6 for record in records if record["cross_check"] == "cvxpy")


@pytest.mark.slow
def test_report_geometry_reproduces_the_memorisation(report):
    for record in json.loads(report.stdout)["solutions"]:
        means, noisy = np.array(record["class_means"]), np.array(record["noisy_features"])
        assert np.linalg.norm(noisy[:, 0] - means[:, 1]) == pytest.approx(record["memorization"], rel=1e-12)
        cosine = means[:, 0] @ means[:, 1] / np.prod(np.linalg.norm(means, axis=0))
        assert np.cos(np.radians(record["class_mean_angle"])) == pytest.approx(cosine, abs=1e-12)


@pytest.mark.slow
def test_report_noisy_margin_vanishes_on_the_boundary(report):
    with xr.load_dataset(report.directory / "phase.nc", engine="scipy") as data:
        noise, smoothing = data["boundary_0_x"].values, data["boundary_0_y"].values
        margins = data["noisy_margin"].transpose("noise", "loss.smoothing")
    slope = json.loads((report.directory / "manifest.json").read_text(encoding="utf-8"))["parameters"]["phase_slope"]
    problem = replace(default_setting(), slope=slope).problem(mdt.CrossEntropy(smoothing))
    on_curve = mdt.solve(replace(problem, noise=noise)).noisy_margin
    # The boundary is traced to 1e-10 of its range and the margin moves by less than 10 per unit of log(noise).
    assert np.max(np.abs(on_curve)) < 1e-8
    order = np.argsort(smoothing)
    across = np.interp(data["loss.smoothing"], smoothing[order], noise[order])
    near = np.abs(np.log(data["noise"].values[:, None] / across)) < 1e-3
    assert np.array_equal((margins.values > 0)[~near], (data["noise"].values[:, None] < across)[~near])


@pytest.mark.slow
def test_report_curves_pass_through_the_table(report):
    header, *rows = (report.directory / "dilation.csv").read_text(encoding="utf-8").splitlines()
    curves = np.array([[float(x) for x in row.split(",")] for row in rows])
    assert re.findall(r'"([^"]*)"', header) == [record["label"] for record in json.loads(report.stdout)["solutions"]]
    for column, loss in enumerate(default_losses(), start=1):
        single = mdt.solve(replace(default_setting(), noise=float(curves[60, 0])).problem(loss)).dilation
        assert curves[60, column] == pytest.approx(single, rel=1e-9)


@pytest.mark.slow
def test_report_manifest_says_what_made_it(report):
    manifest = json.loads((report.directory / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["versions"]) == {"mdtheory", "python", "numpy", "scipy", "cvxpy", "matplotlib"}
    assert manifest["versions"]["mdtheory"] == mdt.__version__
    assert manifest["parameters"]["noise"] == 0.1
    assert 0 < manifest["wall_time_seconds"] < 600
    assert manifest["date_utc"].endswith("+00:00")


@pytest.mark.slow
def test_report_prints_one_aligned_line_for_each_loss(tmp_path, capsys):
    assert main(["report", "-o", str(tmp_path), "--noise", "0.05", "--spread", "gaussian"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(default_losses())
    end = lines[0].index("dilation") + len("dilation")
    for line, loss in zip(lines[1:], default_losses(), strict=True):
        setting = replace(default_setting(), noise=0.05, spread=mdt.Gaussian(8))
        assert line[:end].endswith(f" {mdt.solve(setting.problem(loss)).dilation:.6g}")


def test_report_takes_a_slope_with_the_boundary_in_view():
    # At slope 10 noisy examples are memorised at every noise in the picture.
    diagram = phase_diagram(replace(default_setting(), slope=10.0), size=5)
    assert diagram.slope == pytest.approx(0.2)
    (segment,) = diagram.boundary.segments
    assert sorted(segment[[0, -1], 1]) == pytest.approx([0.0, 0.5], abs=1e-9)


def test_report_says_that_no_boundary_is_in_view():
    # At slope 100 none of the slopes tried has one.
    setting = replace(default_setting(), slope=100.0)
    diagram = phase_diagram(setting, size=5)
    assert diagram.slope == 100.0
    assert "does not change sign within the picture" in phase_caption(diagram, setting)


def test_report_into_an_unwritable_directory_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["report", "-o", str(tmp_path / "file" / "sub")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"mdtheory: error: .*Not a directory\n", captured.err)


def test_undefined_report_writes_nothing(tmp_path, capsys):
    assert main(["report", "-o", str(tmp_path / "new"), "--weight-decay", "100"]) == 2
    assert "collapsed to zero" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "unknown",
        "solve",
        "solve unknown",
        "report --unknown",
        "report --js",
        "report --noise 2",
        "report --dim 0",
        "solve ufm --smooth 0.1",
        "solve ufm --noise 0.1",
        "solve ufm --loss unknown",
        "solve ufm --smoothing 1",
        "solve ufm --smoothing nan",
        "solve ufm --smoothing many",
        "solve ufm --loss hinge --smoothing 0.1",
        "solve ufm --loss hinge --smoothing 0",
        "solve ufm --loss focal --focusing 2 --relaxation 0.1",
        "solve ufm --loss label-relaxation",
        "solve ufm --loss focal",
        "solve ufm --num-classes 1",
        "solve ufm --num-classes 2.5",
        "solve ufm --weight-decay 0",
        "solve ufm --feature-decay inf",
        "solve ufm --feature-dim 0",
        "solve ufm --class-weights 0.5,half",
        "solve ufm --nonnegative --class-weights 0.5,0.6",
        "solve ufm --nonnegative --num-classes 3 --class-weights 0.5,0.5",
        "solve ufm --class-weights 0.5,0.6",
        "solve ufm --class-weights weights.txt",
        "solve ufm --class-weights missing.npy",
        "solve ufm --label-distribution missing.csv",
        "solve ufm --label-distribution labels.txt",
        "solve ufm --bias-decay 0.1",
        "solve ufm --bias --bias-decay -1",
        "solve ufm --class-weights 0.7,0.3 --tolerance 0",
        "solve ufm --num-classes 3 --feature-dim 1 --starts 0",
        "solve ufm --num-classes 3 --feature-dim 1 --seed -1",
        "solve ufm --class-weights 0.7,0.3 --method closed-form",
        "solve ufm --loss focal --focusing 2 --certificate never.json",
        "solve ufm --starts 3",
        "solve ufm --seed 1",
        "solve ufm --class-weights 0.7,0.3 --starts 3",
        "solve md --certificate never.json",
        "verify",
        "solve ufm --method reduced",
        "solve md --method closed-form",
        "solve md --noise -0.1",
        "solve md --slope 0",
        "solve md --spread square",
        "solve md --dim 1.5",
        "solve md --scaling other",
        "solve md --noisy-feature-decay -1",
        "solve md --nonnegative-noisy-features",
        "solve md --num-classes 3 --method expansion",
        "solve md --weight-decay 100",
    ],
)
def test_bad_input_is_exit_code_2_and_one_line(line, capsys):
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"mdtheory: error: [^\n]+\n", captured.err)


UFM_FLAGS = [
    ("--loss cross-entropy --smoothing 0.1", {"loss": mdt.CrossEntropy(0.1)}),
    ("--loss mean-squared-error --smoothing 0.2 --bias", {"loss": mdt.MeanSquaredError(0.2), "bias": True}),
    ("--loss label-relaxation --relaxation 0.1", {"loss": mdt.LabelRelaxation(0.1)}),
    ("--loss focal --focusing 2", {"loss": mdt.Focal(2.0)}),
    ("--loss hinge", {"loss": mdt.Hinge()}),
    ("--loss squared-hinge", {"loss": mdt.SquaredHinge()}),
    ("--num-classes 10 --feature-dim 12", {"num_classes": 10, "feature_dim": 12}),
    ("--weight-decay 0.01 --feature-decay 0.02", {"weight_decay": 0.01, "feature_decay": 0.02}),
    (
        "--nonnegative --class-weights 0.5,0.3,0.2",
        {"nonnegative": True, "num_classes": 3, "class_weights": np.array([0.5, 0.3, 0.2])},
    ),
    ("--class-weights 0.5,0.3,0.2", {"num_classes": 3, "class_weights": np.array([0.5, 0.3, 0.2])}),
    (
        "--class-weights 0.5,0.3,0.2 --bias --bias-decay 0.1 --tolerance 1e-7",
        {"num_classes": 3, "class_weights": np.array([0.5, 0.3, 0.2]), "bias": True, "bias_decay": 0.1},
    ),
    ("--num-classes 5 --feature-dim 2 --starts 3 --seed 1", {"num_classes": 5, "feature_dim": 2}),
]
SEARCH = {"--tolerance": ("tolerance", float), "--starts": ("starts", int), "--seed": ("seed", int)}
UFM_DEFAULTS = {"loss": mdt.CrossEntropy(), "num_classes": 2, "weight_decay": 5e-3, "feature_decay": 5e-3}


@pytest.mark.parametrize(("flags", "changes"), UFM_FLAGS)
def test_solve_ufm_flags_reach_the_problem(flags, changes, capsys):
    assert main(["solve", "ufm", *flags.split(), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    words = flags.split()
    search = {SEARCH[w][0]: SEARCH[w][1](words[i + 1]) for i, w in enumerate(words) if w in SEARCH}
    expected = mdt.solve(mdt.UFM(**{**UFM_DEFAULTS, **changes}), **search)
    assert record["margin"] == np.asarray(expected.margin).tolist()
    assert record["objective"] == expected.objective
    assert record["geometry"] == expected.geometry
    assert record["class_means"] == expected.class_means.tolist()
    assert record["weights"] == expected.weights.tolist()


@pytest.mark.parametrize(
    ("flags", "changes"),
    [
        ("--noise 0.2 --slope 0.5", {"noise": 0.2, "slope": 0.5}),
        ("--spread gaussian --dim 5", {"spread": mdt.Gaussian(5)}),
        ("--spread uniform-ball", {"spread": mdt.UniformBall(8)}),
        ("--spread two-point --dim 3", {"spread": mdt.TwoPoint(3)}),
        ("--scaling relative", {"scaling": "relative"}),
        ("--noisy-feature-decay 1e-4", {"noisy_feature_decay": 1e-4}),
        ("--noisy-feature-decay 0", {"noisy_feature_decay": 0.0}),
        ("--nonnegative-noisy-features", {"nonnegative_noisy_features": True}),
    ],
)
def test_solve_md_flags_reach_the_problem(flags, changes, capsys):
    assert main(["solve", "md", "--nonnegative", *flags.split(), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    ufm = mdt.UFM(**UFM_DEFAULTS, nonnegative=True)
    expected = mdt.solve(mdt.MemorizationDilation(ufm, **{"noise": 0.1, "slope": 1.0, **changes}))
    for name in ("dilation", "normalized_dilation", "memorization", "noisy_margin", "test_error", "gap"):
        assert record[name] == getattr(expected, name)
    assert record["noisy_features"] == expected.noisy_features.tolist()
    assert record["status"] == "optimal"


def test_solve_md_method_is_passed_on(capsys):
    assert main(["solve", "md", "--method", "expansion", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["method"], record["status"]) == ("expansion", "approximate")


def test_solve_prints_scalars_status_and_small_matrices(capsys):
    assert main(["solve", "md", "--nonnegative", "--noisy-feature-decay", "1e-4"]) == 0
    out = capsys.readouterr().out
    values = dict(line.split(maxsplit=1) for line in out.splitlines() if len(line.split()) == 2)
    assert float(values["normalized_dilation"]) == pytest.approx(0.29169, abs=5e-6)
    assert values["geometry"] == "orthogonal-frame"
    assert mdt.Status.OPTIMAL.message in out
    assert all(name in out for name in ("class_means", "weights", "noisy_features"))


def test_solve_leaves_out_matrices_too_large_to_hold(capsys):
    assert main(["solve", "ufm", "--num-classes", "67108864", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["class_means"] is None
    assert record["weights"] is None


def test_quantities_that_run_off_to_infinity_are_valid_json(capsys):
    assert main(["solve", "md", "--noise", "0", "--noisy-feature-decay", "0", "--json"]) == 0
    record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert record["noisy_margin"] == "inf"
    assert record["gap"] <= 1e-12 * record["objective"]  # without noise no example is noisy
    assert record["dilation"] == 0.0


def test_version_and_lazy_imports_of_the_module():
    script = "import sys; from mdtheory.command.main import main; main(['solve', 'md']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"cvxpy", "matplotlib", "sympy"} & set(done.stdout.split())
    done = subprocess.run([sys.executable, "-m", "mdtheory", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"mdtheory {mdt.__version__}\n"


@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_solve_ufm_reads_proportions_and_labels_from_files(suffix, tmp_path, capsys):
    weights, labels = np.array([0.4, 0.3, 0.2, 0.1]), np.random.default_rng(0).dirichlet(np.ones(3), 4).T
    for name, array in (("weights", weights), ("labels", labels)):
        path = tmp_path / f"{name}.{suffix}"
        np.save(path, array) if suffix == "npy" else np.savetxt(path, np.atleast_2d(array), delimiter=",", fmt="%.17g")
    flags = ["--class-weights", str(tmp_path / f"weights.{suffix}")]
    flags += ["--label-distribution", str(tmp_path / f"labels.{suffix}"), "--json"]
    assert main(["solve", "ufm", *flags]) == 0
    record = json.loads(capsys.readouterr().out)
    expected = mdt.solve(
        mdt.UFM(**{**UFM_DEFAULTS, "num_classes": 3}, class_weights=weights, label_distribution=labels)
    )
    assert record["objective"] == expected.objective
    assert record["logits"] == expected.logits.tolist()
    assert record["status"] == "optimal"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "0.5,half", "must hold numbers only"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", "0.5,0.5\n1", "rows of different lengths"),
        ("a.csv", "0.5,0.5\n0.5,0.5", "must hold one row or one column"),
        ("a.csv", "0.5,nan", "class_weights = nan"),
        ("a.npy", "not an array", "class_weights = .*a.npy"),
    ],
)
def test_a_bad_file_is_one_line(name, content, message, tmp_path, capsys):
    (tmp_path / name).write_text(content)
    assert main(["solve", "ufm", "--class-weights", str(tmp_path / name)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"mdtheory: error: [^\n]+\n", captured.err)
    assert re.search(message, captured.err)


def test_a_saved_certificate_is_verified_and_a_tampered_one_is_not(tmp_path, capsys):
    path = tmp_path / "proof.json"
    assert main(["solve", "ufm", "--class-weights", "0.6,0.3,0.1", "--certificate", str(path)]) == 0
    for flags in ([], ["--rigorous"]):
        capsys.readouterr()
        assert main(["verify", str(path), *flags]) == 0
        assert "the optimum lies in [" in capsys.readouterr().out
    record = json.loads(path.read_text())
    record["upper"] = record["lower"]
    path.write_text(json.dumps(record))
    assert main(["verify", str(path)]) == 1
    assert re.fullmatch(r"mdtheory: error: [^\n]+\n", capsys.readouterr().err)
    assert main(["verify", str(tmp_path / "missing.json")]) in (1, 2)


def test_progress_is_shown_only_for_slow_work(monkeypatch, capsys):
    clock = iter(range(0, 10**6, 2))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert main(["solve", "ufm", "--class-weights", "0.6,0.3,0.1"]) == 0
    assert "mdtheory: iteration 0" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["solve", "ufm", "--class-weights", "0.6,0.3,0.1"]) == 0
    assert capsys.readouterr().err == ""


def test_a_noise_matrix_takes_the_place_of_the_noise(tmp_path, capsys):
    path = tmp_path / "flips.csv"
    path.write_text("0.9,0.2\n0.1,0.8\n", encoding="utf-8")
    assert main(["solve", "joint", "--noise-matrix", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    joint = mdt.LimitedExpressivity(
        mdt.CrossEntropy(), noise_matrix=[[0.9, 0.2], [0.1, 0.8]], slope=1.0, weight_decay=5e-3, feature_decay=5e-3
    )
    assert found["normalized_dilation"] == list(mdt.solve(joint).normalized_dilation)
    assert main(["solve", "joint", "--noise-matrix", str(path), "--noise", "0.1"]) == 2
    assert "not both" in capsys.readouterr().err
