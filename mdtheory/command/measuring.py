"""A trained network from a file of arrays, measured and compared."""

import html
from difflib import get_close_matches
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mdtheory.foundation.validation import fail
from mdtheory.foundation.wording import shown
from mdtheory.losses import CrossEntropy
from mdtheory.networks.comparing import compare
from mdtheory.networks.measurement import Measurement
from mdtheory.networks.measuring import measure

# What a file has to hold, with the shapes, and what it may hold.
_NEEDED = {"features": "(n, M)", "labels": "(n,)", "true_labels": "(n,)", "weights": "(N, M)"}
_OPTIONAL = ("bias", "test_features", "test_labels")


def measure_file(
    path: Path, *, smoothing: float = 0.0, weight_decay: float | None = None, feature_decay: float | None = None
) -> Measurement:
    """Measure the network whose arrays a .npz file holds, under the names of the parameters of `measure`.

    Raises
    ------
    AssumptionError
        If the file is no .npz file, an array is missing or of no use; it names the array.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.ndarray):
            with stored:
                names = stored.files
                arrays = {name: stored[name] for name in (*_NEEDED, *_OPTIONAL) if name in names}
    except OSError as error:
        raise fail("file", str(path), f"cannot be read ({error.strerror or 'not an array file'})") from None
    except (ValueError, EOFError, BadZipFile) as error:
        raise fail("file", str(path), f"must be a .npz file of numbers ({shown(str(error))})") from None
    if isinstance(stored, np.ndarray):
        raise fail("file", str(path), "must be a .npz file of several arrays")
    for name in names:
        near = get_close_matches(name, [*_NEEDED, *_OPTIONAL], 1, 0.8)
        if name not in arrays and near and near[0] not in arrays:
            raise fail("file", str(path), f"holds an array {name!r}: did you mean {near[0]!r}?")
    for name, shape in _NEEDED.items():
        if name not in arrays:
            held = ", ".join(sorted(arrays)) or "none of the arrays"
            raise fail(name, "missing", f"must be in the file, an array {shape}; it holds {held}")
    loss = CrossEntropy(smoothing)
    return measure(**arrays, loss=loss, weight_decay=weight_decay, feature_decay=feature_decay)


def measurement_text(found: Measurement) -> str:
    """A table of what is one number, why others are missing, and the comparison where there is a weight decay."""
    numbers = found.numbers()
    lines = [f"{name.replace('_', ' '):26}{value:.6g}" for name, value in numbers.items() if not np.isnan(value)]
    lines += [
        f"{name.replace('_', ' '):26}not measured: {why}" for name, why in found.missing.items() if name in numbers
    ]
    if not np.isnan(found.weight_decay):
        lines += ["", "beside the features model:", str(compare(found))]
    return "\n".join(lines)


def measurement_page(found: Measurement, name: str) -> str:
    """One HTML page."""
    title = html.escape(f"mdtheory: {name}")
    compared = "" if np.isnan(found.weight_decay) else f"<pre>{html.escape(str(compare(found)))}</pre>"
    head = f"<meta charset='utf-8'><title>{title}</title>"
    style = "<style>body{font-family:sans-serif;margin:2em}td,th{padding:.1em 1em}</style>"
    return f"<!doctype html><html lang='en'><head>{head}{style}</head><body><h1>{title}</h1>{found._repr_html_()}{compared}</body></html>\n"
