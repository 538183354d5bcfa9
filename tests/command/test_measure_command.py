"""`mdtheory measure`: the same numbers as from Python, and files that do not hold what is needed."""

import json

import numpy as np
import pytest

import mdtheory as mdt
from mdtheory.command.main import main


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1], 20)
    labels = np.where(np.arange(40) % 10 == 0, 1 - true, true)
    return {
        "features": 3 * np.eye(4)[true] + 0.3 * rng.normal(size=(40, 4)),
        "labels": labels,
        "true_labels": true,
        "weights": rng.normal(size=(2, 4)),
    }


@pytest.mark.slow
def test_the_report_takes_a_network(arrays, tmp_path, capsys):
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    assert main(["report", "-o", str(tmp_path / "report"), "--features", str(path)]) == 0
    capsys.readouterr()
    said = (tmp_path / "report" / "index.html").read_text()
    assert "A measured network" in said
    assert "Beside the features model" in said
    measured = mdt.measure(**arrays, weight_decay=5e-3, feature_decay=5e-3)
    assert (tmp_path / "report" / "network.json").read_text() == measured.to_json() + "\n"
    assert main(["report", "-o", str(tmp_path / "report"), "--features", str(tmp_path / "none.npz")]) == 2
    assert "none.npz" in capsys.readouterr().err


def test_the_command_prints_what_python_measures(arrays, tmp_path, capsys):
    path, page = tmp_path / "net.npz", tmp_path / "net.html"
    np.savez(path, **arrays)
    assert main(["measure", str(path), "--json", "--smoothing", "0.1", "--weight-decay", "0.01", "-o", str(page)]) == 0
    found = mdt.measure(**arrays, loss=mdt.CrossEntropy(0.1), weight_decay=0.01)
    assert json.loads(capsys.readouterr().out) == json.loads(found.to_json())
    text = page.read_text()
    assert f"{found.margin:.6g}" in text
    assert "predicted" in text


def test_the_table_names_what_is_missing(arrays, tmp_path, capsys):
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    assert main(["measure", str(path)]) == 0
    said = capsys.readouterr().out
    assert "not measured: test_features and test_labels were not given" in said
    assert "predicted" not in said
    assert main(["measure", str(path), "--weight-decay", "0.01"]) == 0
    assert "predicted" in capsys.readouterr().out


def test_files_without_the_arrays_are_refused_in_one_line(arrays, tmp_path, capsys):
    short, plain, other = tmp_path / "short.npz", tmp_path / "one.npy", tmp_path / "text.npz"
    np.savez(short, **{name: value for name, value in arrays.items() if name != "true_labels"})
    np.save(plain, arrays["features"])
    other.write_text("no arrays")
    for path, words in (
        (short, "true_labels = 'missing': must be in the file, an array (n,); it holds features, labels, weights"),
        (plain, "must be a .npz file of several arrays"),
        (other, "must be a .npz file"),
        (tmp_path / "none.npz", "cannot be read"),
    ):
        assert main(["measure", str(path)]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert len(error.splitlines()) == 1


def test_a_misspelt_array_is_asked_about_and_a_plain_one_named_once(arrays, tmp_path, capsys):
    path = tmp_path / "net.npz"
    np.savez(path, **arrays, test_feature=arrays["features"])
    assert main(["measure", str(path)]) == 2
    assert "did you mean 'test_features'" in capsys.readouterr().err
    np.save(tmp_path / "plain.npy", arrays["features"])
    assert main(["measure", str(tmp_path / "plain.npy")]) == 2
    assert capsys.readouterr().err.count("must be a .npz file") == 1
