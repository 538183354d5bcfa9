"""What README shows is well typed: strict mypy takes its examples, and infers what `solve` returns."""

import doctest
import re
from pathlib import Path

import pytest

pytest.importorskip("mypy.api")
ROOT = Path(__file__).parents[1]

SAMPLE = """
import numpy as np
import mdtheory as mdt
from mdtheory.models.model import Problem

two = mdt.UFM(mdt.CrossEntropy(smoothing=[0.0, 0.1]), num_classes=2, weight_decay=np.array([1e-3]), feature_decay=1)
weighted = mdt.UFM(mdt.Focal(2), num_classes=2, weight_decay=1e-3, feature_decay=1e-3, class_weights=[0.7, 0.3],
                   label_distribution=[[0.9, 0.1], [0.1, 0.9]])
reveal_type(mdt.solve(weighted, method="factorized", starts=3))
md = mdt.MemorizationDilation(two, noise=[0.1, 0.2], slope=1, scaling="relative", noisy_feature_decay=0)
reveal_type(mdt.solve(md, method="expansion"))
reveal_type(mdt.solve(mdt.MaxMargin(num_classes=2, class_weights=[0.7, 0.3])))
class Own(Problem["mdt.MDSolution", str]): ...
reveal_type(mdt.solve(Own(), method="of its own", seed=1))
mdt.solve(md, method="closed-form")
mdt.solve(md, starts=3)
mdt.MemorizationDilation(two, noise=0.1, slope=1.0, scaling="other")
"""


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """What one run of mypy says of the sample and of the examples in README."""
    from mypy import api

    folder = tmp_path_factory.mktemp("typing")
    examples = doctest.DocTestParser().get_examples((ROOT / "README.md").read_text(encoding="utf-8"))
    sources = {"sample": SAMPLE, "readme": "".join(example.source for example in examples)}
    files = {name: folder / f"{name}.py" for name in sources}
    for name, file in files.items():
        file.write_text(sources[name], encoding="utf-8")
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(folder / "cache")]
    out, err, _ = api.run([*options, "--no-error-summary", "--allow-redefinition", *map(str, files.values())])
    assert not err
    return {
        name: [line.split(": ", 1)[1] for line in out.splitlines() if line.startswith(str(file))]
        for name, file in files.items()
    }


@pytest.mark.slow
def test_the_solution_is_inferred_and_wrong_options_are_found(messages):
    lines = messages["sample"]
    revealed = [match[1] for line in lines if (match := re.search(r'Revealed type is "[\w.]*\.(\w+)"', line))]
    assert revealed == ["UFMSolution", "MDSolution", "MaxMarginSolution", "MDSolution"]
    errors = [line for line in lines if line.startswith("error")]
    assert len(errors) == 3
    # The problem is none whose methods may be called anything: which overload fits best is for mypy to say.
    assert sum('"solve"' in line and "MemorizationDilation" in line for line in errors) == 2
    assert any("\"Literal['absolute', 'relative']\"" in line for line in errors)


@pytest.mark.slow
def test_calls_in_readme_are_well_typed(messages):
    assert [line for line in messages["readme"] if line.startswith("error")] == []
