"""The gallery: every script runs, every diagram is in the page and can be read."""

import importlib.util
import re
from pathlib import Path

import pytest
from matplotlib.image import imread
from texts import texts_outside

from mdtheory.drawing import canvas

DOCS = Path(__file__).parent.parent / "docs"
SCRIPTS = sorted((DOCS / "gallery").glob("*.py"))
SIZE = 16


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a script at low resolution; the figure and the file it has made."""

    def run(script):
        figures = []
        render = canvas.render
        monkeypatch.setattr(
            canvas, "render", lambda figure, kind, dpi=None: figures.append(figure) or render(figure, kind, 60)
        )
        spec = importlib.util.spec_from_file_location(f"gallery_{script.stem}", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main(tmp_path / "out.png", SIZE)
        (figure,) = figures
        return figure, tmp_path / "out.png"

    return run


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_draws_a_picture_whose_texts_fit(script, run):
    if "import torch" in script.read_text(encoding="utf-8"):
        pytest.importorskip("torch", reason="an extra of its own")
    figure, path = run(script)
    height, width, _ = imread(path).shape
    assert width in (round(3.4 * 60), round(7.0 * 60))
    assert height > 100
    for ax in figure.axes:
        assert ax.get_xlabel() or ax.get_ylabel()
    assert texts_outside(figure) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_page_shows_it_with_a_paragraph(script):
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    image = DOCS / "gallery" / f"{script.stem}.png"
    (section,) = [part for part in page.split("\n## ") if f"(gallery/{image.name})" in part]
    assert f"(gallery/{script.name})" in section
    assert len(section.split()) > 50
    # Printed at 200 dots an inch or more.
    assert imread(image).shape[1] in range(680, 2101)


def test_at_least_eight_diagrams_of_moderate_size_are_committed():
    images = list((DOCS / "gallery").glob("*.png"))
    assert {path.stem for path in images} == {path.stem for path in SCRIPTS}
    assert len(images) >= 8
    assert sum(path.stat().st_size for path in images) < 3 * 2**20


def test_the_page_is_in_the_index():
    assert re.search(r"^gallery$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
