"""Pictures of phase diagrams: honest cells, boundaries where they are, labels that can be read."""

import subprocess
import sys
from io import BytesIO
from itertools import pairwise
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Circle, PathPatch
from texts import settled, texts_outside

import mdtheory as mdt
from mdtheory import phase
from mdtheory.drawing.canvas import render
from mdtheory.drawing.legends import legend_below
from mdtheory.drawing.line_labels import LineLabel

NOISE, SMOOTHING = np.geomspace(1e-3, 0.4, 30), np.linspace(0.0, 0.5, 20)
DIMS = ("loss.smoothing", "noise")
STATUS = "optimal observed approximate inaccurate bounded collapsed undefined failed"
EVIDENCE = "undecided float certified exact"
PHASES = "collapsed memorized not_memorized memorized_overlapping not_memorized_overlapping"


def dataset(values, name="normalized_dilation", **more):
    """A data set as `sweep` makes it, from an array (smoothing, noise)."""
    coordinates = {"noise": ("noise", NOISE), "loss.smoothing": ("loss.smoothing", SMOOTHING)}
    attrs = {
        key: {"long_name": entry.label, "symbol": entry.symbol, "units": "1", "log": int(entry.log)}
        for key, entry in (("noise", phase.parameter("noise")), ("loss.smoothing", phase.parameter("loss.smoothing")))
    }
    shown = phase.output(name)
    own = {"long_name": shown.label, "symbol": shown.symbol, "units": "1", "log": int(shown.log)}
    variables = {name: (DIMS, values, own), **more}
    return xr.Dataset(variables, {key: (*value, attrs[key]) for key, value in coordinates.items()})


def flags(codes, names):
    words = names.split()
    return (DIMS, np.asarray(codes, np.int8), {"flag_values": np.arange(len(words)), "flag_meanings": names})


def ramp():
    return NOISE * (1.0 - SMOOTHING[:, None])


def line(*segments, label="$t = 0$", x="noise", y="loss.smoothing"):
    return SimpleNamespace(kind="k", label=label, x=x, y=y, segments=tuple(np.array(s, float) for s in segments))


def steep(noise, label="$t = 0$"):
    """A boundary that is nearly upright."""
    y = np.linspace(0.0, 0.5, 40)
    return line(np.stack([noise * (1 + 2 * y**2), y], axis=1), label=label)


def drawn(ax, dpi=100):
    """The pixels of the figure, and a function from data to them."""
    image = imread(BytesIO(render(ax.figure, "png", dpi)))
    factor = dpi / ax.figure.dpi

    def pixel(x, y):
        column, row = ax.transData.transform((x, y)) * factor
        return image[image.shape[0] - 1 - int(row), int(column), :3]

    return pixel


# ------------------------------------------------------------------------------ plot


def test_axes_are_scaled_limited_and_labelled_as_the_coordinates_say():
    ax = phase.plot(dataset(ramp()), x="noise")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xlim() == pytest.approx((1e-3, 0.4))
    assert ax.get_ylim() == pytest.approx((0.0, 0.5))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"noise level $\eta$", r"label smoothing $\alpha$")
    (bar,) = [other for other in ax.figure.axes if other is not ax]
    assert bar.get_ylabel() == r"normalised dilation $\mathrm{ND}$"
    assert bar.get_yscale() == "log"


def test_a_unit_is_shown_and_a_long_label_has_two_lines():
    ds = dataset(ramp())
    ds.noise.attrs["units"] = "bit"
    ds.normalized_dilation.attrs["long_name"] = "a name that is far too long for the short side of a column"
    ax = phase.plot(ds)
    assert ax.get_xlabel() == r"noise level $\eta$ (bit)"
    assert ax.figure.axes[1].get_ylabel().count("\n") == 1
    assert texts_outside(ax.figure) == []


def test_cells_have_the_colour_of_their_number_right_to_their_edge():
    values = np.where(np.arange(30) % 2 == 0, 1.0, 2.0) * np.ones((20, 1))
    ax = phase.plot(dataset(values), x="noise")
    pixel = drawn(ax, dpi=300)
    cividis = matplotlib.colormaps["cividis"]
    for i in (10, 11, 20, 21):
        edge = np.sqrt(NOISE[i] * NOISE[i + 1])
        colour = cividis(0.0 if i % 2 == 0 else 1.0)[:3]
        for noise in (NOISE[i], NOISE[i] * (edge / NOISE[i]) ** 0.8):
            assert pixel(noise, 0.25) == pytest.approx(colour, abs=0.01)


def test_the_axes_may_change_places():
    ds = dataset(ramp())
    across, up = phase.plot(ds, x="noise"), phase.plot(ds, y="noise")
    assert up.get_ylabel() == across.get_xlabel()
    a, b = (next(iter(ax.findobj(QuadMesh))).get_array() for ax in (across, up))
    assert np.array_equal(a, b.T)


def test_cells_without_a_solution_are_grey_and_named():
    values = ramp()
    status = np.zeros(values.shape, np.int8)
    status[:, :10], status[:, 10:12], status[:, 12:14] = 5, 6, 7
    values[status > 0] = np.nan
    ax = phase.plot(dataset(values, status=flags(status, STATUS)), x="noise")
    pixel = drawn(ax)
    assert pixel(NOISE[4], 0.25) == pytest.approx(to_rgb("0.80"), abs=0.01)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["collapsed to zero", "undefined", "not solved"]
    hatches = [patch.get_hatch() for patch in ax.patches if isinstance(patch, PathPatch)]
    assert hatches == ["", "....", "xxxx"]
    assert texts_outside(ax.figure) == []


def test_a_field_without_any_number_is_drawn_as_unsolved():
    values = np.full((20, 30), np.nan)
    ax = phase.plot(dataset(values, status=flags(np.full((20, 30), 5), STATUS)), x="noise")
    assert len(ax.figure.axes) == 1
    assert drawn(ax)(1e-2, 0.25) == pytest.approx(to_rgb("0.80"), abs=0.01)


def test_both_signs_get_a_diverging_map_with_its_neutral_colour_at_zero():
    values = np.linspace(-1.0, 3.0, 30) * np.ones((20, 1))
    ax = phase.plot(dataset(values, "noisy_margin"), x="noise", quantity="noisy_margin")
    (mesh,) = ax.findobj(QuadMesh)
    neutral = matplotlib.colormaps["PuOr_r"](0.5)
    assert mesh.cmap(mesh.norm(0.0)) == pytest.approx(neutral, abs=0.02)
    # Equal distances from zero are equally far from neutral: the lesser side does not reach the end of the map.
    assert mesh.cmap(mesh.norm(-1.0)) == pytest.approx(matplotlib.colormaps["PuOr_r"](0.5 - 1 / 6), abs=0.02)


def test_zero_has_no_place_on_a_logarithmic_scale_and_gets_a_name():
    values = np.where(NOISE < 0.02, 0.0, NOISE) * np.ones((20, 1))
    ax = phase.plot(dataset(values), x="noise", scale="log")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["zero"]
    assert drawn(ax)(3e-3, 0.25) == pytest.approx((1, 1, 1))
    (mesh,) = ax.findobj(QuadMesh)
    assert mesh.norm.vmin == pytest.approx(NOISE[NOISE >= 0.02][0])


def test_infinite_values_take_the_colour_at_the_end():
    values = ramp()
    values[:, -1] = np.inf
    ax = phase.plot(dataset(values), x="noise")
    assert drawn(ax)(0.395, 0.25) == pytest.approx(matplotlib.colormaps["cividis"](1.0)[:3], abs=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("scale", ["auto", "linear", "diverging"])
def test_a_constant_field_can_be_drawn(value, scale):
    ax = phase.plot(dataset(np.full((20, 30), value)), scale=scale)
    assert render(ax.figure, "png", 50)


def test_limits_of_the_colours_are_kept():
    ax = phase.plot(dataset(ramp()), limits=(1e-2, 1e-1))
    (mesh,) = ax.findobj(QuadMesh)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (1e-2, 1e-1)
    # Arrows at the ends of the bar, and only there, where values lie beyond.
    assert mesh.colorbar.extend == "both"
    for limits, extend in ((None, "neither"), ((1e-2, 1e3), "min"), ((1e-9, 1e-1), "max")):
        (mesh,) = phase.plot(dataset(ramp()), limits=limits, scale="linear").findobj(QuadMesh)
        assert mesh.colorbar.extend == extend


def test_a_dimension_of_words_has_them_as_ticks():
    ds = xr.Dataset(
        {"dilation": (("scaling", "noise"), np.stack([NOISE, 2 * NOISE]))},
        {"noise": NOISE, "scaling": ["absolute", "relative"]},
    )
    ax = phase.plot(ds, x="noise", quantity="dilation")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["absolute", "relative"]
    assert ax.get_ylim() == (-0.5, 1.5)


def test_phases_are_drawn_in_flat_colours_with_a_legend_that_fits():
    codes = np.zeros((20, 30), int) + np.arange(30) // 6
    evidence = np.where(np.arange(30) % 6 == 0, 0, 2) * np.ones((20, 1), int)
    ds = dataset(ramp(), phase=flags(codes, PHASES), evidence=flags(evidence, EVIDENCE))
    ax = phase.plot(ds, x="noise", quantity="phase")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(names) == len(set(names)) == 6
    assert names[-1] == "undecided"
    assert texts_outside(ax.figure) == []
    pixel = drawn(ax)
    shades = {tuple(np.round(pixel(NOISE[6 * k + 3], 0.25), 2)) for k in range(5)}
    assert len(shades) == 5


def test_a_few_integers_are_classes_and_many_are_numbers():
    classes = np.arange(30) % 3 * np.ones((20, 1), int)
    ds = dataset(
        ramp(), rank=(DIMS, classes, {"long_name": "rank"}), many=(DIMS, np.arange(30) * np.ones((20, 1), int))
    )
    ax = phase.plot(ds, x="noise", quantity="rank")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["rank 0", "rank 1", "rank 2"]
    assert len(ax.figure.axes) == 1
    assert len(phase.plot(ds, x="noise", quantity="many").figure.axes) == 2
    assert len(phase.plot(ds, x="noise", quantity="rank", scale="linear").figure.axes) == 2


def test_the_status_itself_is_hatched_like_its_legend():
    status = np.where(np.arange(30) < 10, 6, 0) * np.ones((20, 1), int)
    ax = phase.plot(dataset(ramp(), status=flags(status, STATUS)), x="noise", quantity="status")
    assert [patch.get_hatch() for patch in ax.patches] == ["...."]
    assert [patch.get_hatch() for patch in ax.get_legend().legend_handles] == ["", "...."]


def test_undecided_cells_of_regions_are_hatched_over_numbers():
    evidence = np.where(np.arange(30) < 3, 0, 1) * np.ones((20, 1), int)
    regions = dataset(ramp(), evidence=flags(evidence, EVIDENCE))
    ax = phase.plot(dataset(ramp()), x="noise", regions=regions)
    (cells,) = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
    assert cells.get_hatch()
    box = cells.get_path().get_extents()
    assert box.x1 == pytest.approx(np.sqrt(NOISE[2] * NOISE[3]))
    assert (box.y0, box.y1) == pytest.approx((-0.5 / 38, 0.5 + 0.5 / 38))


def test_boundaries_are_drawn_where_they_are_in_either_orientation():
    straight = steep(0.01)
    turned = line(straight.segments[0][:, ::-1], x="loss.smoothing", y="noise")
    ax = phase.plot(dataset(ramp()), x="noise", boundaries=[straight, turned])
    black = [drawn_line for drawn_line in ax.get_lines() if drawn_line.get_color() == "black"]
    for drawn_line in black:
        assert np.array_equal(drawn_line.get_xydata(), straight.segments[0])
    # A white line below every black one keeps it visible on dark cells.
    assert [drawn_line.get_color() for drawn_line in ax.get_lines()] == ["white", "black"] * 2
    assert len({str(drawn_line.get_linestyle()) + str(drawn_line._dash_pattern) for drawn_line in black}) == 2


@pytest.mark.parametrize("size", [(3.4, 2.7), (7.0, 4.0), (2.2, 2.2)])
def test_labels_of_boundaries_stay_inside_clear_of_lines_and_of_each_other(size):
    curves = [steep(0.004, "$t = 0$"), steep(0.03, r"$\mathrm{ND} = 0.1$"), steep(0.12, "error > 0")]
    curves.append(line([(1e-3, 0.3), (0.4, 0.35)], label="across"))
    ax = phase.plot(dataset(ramp()), x="noise", boundaries=curves)
    ax.figure.set_size_inches(*size)
    ax.figure.draw_without_rendering()
    labels = ax.findobj(LineLabel)
    assert [label.get_text() for label in labels] == [curve.label for curve in curves]
    placed = [label for label in labels if label.corners is not None]
    assert len(placed) == len(labels)
    frame = ax.bbox
    lines = [dense(ax.transData.transform(s)) for curve in curves for s in curve.segments]
    for i, label in enumerate(placed):
        assert np.all(label.corners > [frame.x0, frame.y0])
        assert np.all(label.corners < [frame.x1, frame.y1])
        for other in placed[i + 1 :]:
            assert not np.any(inside(label.corners, grid_of(other.corners)))
        own = dense(ax.transData.transform(curves[i].segments[0]))
        assert not np.any(inside(label.corners, own))
        if size[0] > 3.0:
            assert not any(np.any(inside(label.corners, points)) for points in lines)


def dense(points):
    at = np.linspace(0, len(points) - 1, 3000)
    return np.stack([np.interp(at, np.arange(len(points)), points[:, k]) for k in (0, 1)], axis=1)


def grid_of(corners):
    i, j = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 5))
    return corners[0] + i.ravel()[:, None] * (corners[1] - corners[0]) + j.ravel()[:, None] * (corners[3] - corners[0])


def inside(corners, points):
    """Which points lie in a rectangle."""
    a, b = corners[1] - corners[0], corners[3] - corners[0]
    u, v = (points - corners[0]) @ a / (a @ a), (points - corners[0]) @ b / (b @ b)
    return (u > 0) & (u < 1) & (v > 0) & (v < 1)


def test_a_label_runs_along_its_line_however_the_axes_change():
    ax = phase.plot(dataset(ramp()), x="noise", boundaries=[line([(1e-3, 0.0), (0.4, 0.5)])])
    (label,) = ax.findobj(LineLabel)
    for size in ((3.4, 2.7), (3.4, 6.0)):
        ax.figure.set_size_inches(*size)
        ax.figure.draw_without_rendering()
        # On a logarithmic axis the chord between the ends is curved: its slope where the label stands counts.
        corners = label.corners
        direction = np.degrees(np.arctan2(*(corners[1] - corners[0])[::-1]))
        assert label.get_rotation() % 360 == pytest.approx(direction % 360)
    assert 0 < direction < 90


def test_a_short_line_in_a_corner_is_labelled_beside():
    short = line([(0.3, 0.0), (0.4, 0.02)], label="where it is best")
    ax = phase.plot(dataset(ramp()), x="noise", boundaries=[short, steep(2e-3)])
    ax.figure.draw_without_rendering()
    label, _ = ax.findobj(LineLabel)
    frame = ax.bbox
    assert label.get_rotation() == 0
    assert np.all(label.corners > [frame.x0, frame.y0])
    assert np.all(label.corners < [frame.x1, frame.y1])


def test_a_line_too_short_for_its_label_or_out_of_view_has_none():
    far = line([(2.0, 0.1), (3.0, 0.2)], label="out of view")
    short = line([(0.01, 0.1), (0.01, 0.1)], label="a point")
    none = line(label="nowhere")
    for curves in ([far], [none], [short], [far, none, short]):
        ax = phase.plot(dataset(ramp()), x="noise", boundaries=curves)
        ax.figure.draw_without_rendering()
        assert [label.corners for label in ax.findobj(LineLabel)] == [None] * len(curves)


def test_a_given_axes_is_used_and_nothing_else_of_its_figure():
    panels = phase.panels(1, 2, width="two-columns")[0]
    assert phase.plot(dataset(ramp()), x="noise", ax=panels[1]) is panels[1]
    assert not panels[0].has_data()
    assert panels[0].figure.get_size_inches() == pytest.approx((7.0, 2.9))


@pytest.mark.parametrize(("decades", "labels"), [((0.2, 0.4), 3), ((0.3, 0.35), 3), ((0.02, 1.0), 5), ((1e-9, 1.0), 3)])
def test_logarithmic_axes_have_a_few_labels_that_do_not_overlap(decades, labels):
    values = np.geomspace(*decades, 10)
    ds = xr.Dataset({"q": (("b", "a"), np.ones((10, 10)) * values)}, {"a": values, "b": values})
    ax = phase.plot(ds, x="a", y="b", quantity="q")
    renderer = settled(ax.figure)
    boxes = [t.get_window_extent(renderer) for t in ax.get_xticklabels() if t.get_text()]
    low, high = ax.bbox.x0 - 1, ax.bbox.x1 + 1
    boxes = [box for box in boxes if low <= 0.5 * (box.x0 + box.x1) <= high]
    assert len(boxes) >= labels
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


@pytest.mark.parametrize("space", [np.linspace, np.geomspace])
def test_grids_finer_than_paper_are_drawn_with_fewer_cells_on_the_same_axes(space):
    x, y = space(1e-3, 0.4, 4001), np.linspace(0.0, 0.5, 3)
    shades = {"long_name": "noise level", "log": int(space is np.linspace)}
    ds = xr.Dataset({"q": (("y", "x"), x * (1 + y[:, None]))}, {"x": ("x", x, shades), "y": y})
    ax = phase.plot(ds, quantity="q")
    (mesh,) = ax.findobj(QuadMesh)
    assert mesh.get_array().shape == (3, 1500)
    assert ax.get_xlim() == pytest.approx((1e-3, 0.4))
    assert ax.get_xscale() == ("linear" if space is np.linspace else "log")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantity": "dilution"}, "quantity = 'dilution': must be one of 'normalized_dilation'"),
        ({"x": "slope"}, "x = 'slope': must be one of the dimensions"),
        ({"x": "noise", "y": "noise"}, "y = 'noise': must be another dimension than x"),
        ({"scale": "rainbow"}, "scale = 'rainbow': must be one of"),
        ({"width": "page"}, "width = 'page': must be one of"),
        ({"limits": (2.0, 1.0)}, "limits = "),
        (
            {"boundaries": [line([(0, 0), (1, 1)], x="slope")]},
            r"boundary = \('slope', 'loss.smoothing'\): must be over",
        ),
        ({"regions": dataset(ramp()).isel(noise=0).assign(evidence=("loss.smoothing", np.zeros(20)))}, "regions = "),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(options, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        phase.plot(dataset(ramp()), **options)


def test_other_numbers_of_dimensions_are_refused():
    ds = dataset(ramp()).expand_dims(slope=[1.0, 2.0])
    with pytest.raises(mdt.AssumptionError, match="must be two; choose from the others"):
        phase.plot(ds)
    with pytest.raises(mdt.AssumptionError, match="must increase or decrease"):
        phase.plot(dataset(ramp()).assign_coords(noise=np.sin(np.arange(30.0))))
    with pytest.raises(mdt.AssumptionError, match="must have its values as coordinate"):
        phase.plot(dataset(ramp()).drop_vars("noise"))


# ------------------------------------------------------------------------------ losses


def losses(values, names=("hinge", "cross-entropy, smoothing 0.1")):
    attrs = {"long_name": "dilation", "symbol": "r"}
    return xr.Dataset({"dilation": (("loss", "noise"), values, attrs)}, {"noise": NOISE, "loss": list(names)})


def test_every_loss_has_a_line_and_the_legend_follows_their_ends():
    ax = phase.plot_losses(losses(np.stack([NOISE, 2 * NOISE])), x="noise")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [r"cross-entropy, $\alpha = 0.1$", "hinge"]
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylabel()) == ("log", "log", "dilation $r$")
    by_label = {drawn_line.get_label(): drawn_line.get_ydata() for drawn_line in ax.get_lines()}
    assert np.array_equal(by_label["hinge"], NOISE)
    assert texts_outside(ax.figure) == []


def test_a_loss_keeps_its_colour_wherever_its_line_ends():
    first = phase.plot_losses(losses(np.stack([NOISE, 2 * NOISE])), x="noise")
    second = phase.plot_losses(losses(np.stack([2 * NOISE, NOISE])), x="noise")
    colours = [{ln.get_label(): ln.get_color() for ln in ax.get_lines()} for ax in (first, second)]
    assert colours[0] == colours[1]


@pytest.mark.parametrize("width", ["one-column", "two-columns"])
def test_eight_losses_fit_the_paper(width):
    names = [f"mean-squared-error, smoothing 0.{i}" for i in range(1, 9)]
    ax = phase.plot_losses(losses(np.arange(1.0, 9.0)[:, None] * NOISE, names), x="noise", width=width)
    assert texts_outside(ax.figure) == []
    styles = {(ln.get_color(), str(ln._dash_pattern)) for ln in ax.get_lines()}
    assert len(styles) == 8


def test_missing_values_leave_gaps_and_no_legend_on_request():
    values = np.stack([NOISE, np.full(30, np.nan)])
    values[0, -3:] = np.nan
    ax = phase.plot_losses(losses(values), x="noise", legend=False)
    assert ax.get_legend() is None
    assert np.count_nonzero(np.isnan(ax.get_lines()[0].get_ydata())) == 3


def test_losses_need_their_dimension():
    with pytest.raises(mdt.AssumptionError, match="y = 'loss': must be one of the dimensions"):
        phase.plot_losses(dataset(ramp()), x="noise", quantity="normalized_dilation")


# ------------------------------------------------------------------------------ the configuration


def solved(nonnegative=True, **options):
    ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=nonnegative)
    return mdt.solve(mdt.MemorizationDilation(ufm, **{"noise": 0.1, "slope": 0.5, **options}))


@pytest.mark.parametrize("nonnegative", [True, False])
def test_the_configuration_is_drawn_to_scale(nonnegative):
    solution = solved(nonnegative)
    ax = phase.plot_configuration(solution)
    means, features = solution.class_means, solution.noisy_features
    discs = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert {disc.get_radius() for disc in discs} == {solution.dilation}
    centres = np.unique([disc.get_center() for disc in discs], axis=0)
    assert np.linalg.norm(centres[1] - centres[0]) == pytest.approx(np.linalg.norm(means[:, 0] - means[:, 1]))
    points = {ln.get_marker(): [] for ln in ax.get_lines()}
    for ln in ax.get_lines():
        points[ln.get_marker()].append(ln.get_xydata()[0])
    h, u = np.array(points["o"]), np.array(points["s"])
    assert np.linalg.norm(h, axis=1) == pytest.approx(np.linalg.norm(means, axis=0))
    assert np.linalg.norm(u, axis=1) == pytest.approx(np.linalg.norm(features, axis=0))
    assert np.linalg.norm(u[0] - h[1]) == pytest.approx(solution.memorization)
    assert (u[0, 0] > 0) == (solution.noisy_margin > 0)
    assert texts_outside(ax.figure) == []


def test_everything_of_the_configuration_is_in_view():
    for noise in (0.0, 1e-3, 0.4):
        ax = phase.plot_configuration(solved(noise=noise, slope=0.2))
        ax.figure.draw_without_rendering()
        (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
        for disc in (patch for patch in ax.patches if isinstance(patch, Circle)):
            (x, y), r = disc.get_center(), disc.get_radius()
            assert x0 < x - r <= x + r < x1
            assert y0 < y - r <= y + r < y1


def together(**options):
    given = {"noise": 0.2, "slope": 0.5, "weight_decay": 5e-3, "feature_decay": 5e-3}
    return mdt.solve(mdt.LimitedExpressivity(options.pop("loss", mdt.CrossEntropy()), **(given | options)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nonnegative": True, "nonnegative_noisy_features": True},
        {"noise": None, "noise_matrix": [[0.9, 0.3], [0.1, 0.7]], "bias": True},
        {"num_classes": 3},
        {"num_classes": 3, "noise": 2 / 3, "slope": 1 / 6, "loss": mdt.MeanSquaredError(), "bias": True},
    ],
    ids=str,
)
def test_joint_configurations_are_drawn_to_scale(options):
    solution = together(**options)
    ax = phase.plot_configuration(solution)
    n = solution.problem.num_classes
    discs = [patch for patch in ax.patches if isinstance(patch, Circle)]
    radii = np.broadcast_to(solution.dilation, n)
    np.testing.assert_allclose(sorted({disc.get_radius() for disc in discs}), sorted(set(radii)), rtol=1e-12)
    h = np.array([ln.get_xydata()[0] for ln in ax.get_lines() if ln.get_marker() == "o"])
    u = np.array([ln.get_xydata()[0] for ln in ax.get_lines() if ln.get_marker() == "s"])
    for i in range(n):
        for j in range(i):
            apart = np.linalg.norm(solution.class_means[:, i] - solution.class_means[:, j])
            assert np.linalg.norm(h[i] - h[j]) == pytest.approx(apart, rel=1e-9)
    features = [solution.noisy_features[:, k, m] for m in range(n) for k in range(n) if k != m]
    np.testing.assert_allclose(
        sorted(np.linalg.norm(u, axis=1)), sorted(np.linalg.norm(features, axis=1)), rtol=1e-9, atol=1e-12
    )
    assert texts_outside(ax.figure) == []


def test_the_line_between_two_classes_moves_with_the_bias():
    solution = together(noise=None, noise_matrix=[[0.9, 0.3], [0.1, 0.7]], class_weights=[0.2, 0.8], bias=True)
    ax = phase.plot_configuration(solution)
    (line,) = [ln for ln in ax.get_lines() if ln.get_marker() == "None"][:1]
    along = solution.class_means[:, 0] - solution.class_means[:, 1]
    at = line.get_xdata()[0] * along / np.linalg.norm(along)
    logits = solution.weights @ at + solution.bias
    assert logits[0] == pytest.approx(logits[1], abs=1e-9)


def test_only_one_finite_solution_makes_a_configuration():
    with pytest.raises(mdt.AssumptionError, match="must be the MDSolution or JointSolution of one point"):
        phase.plot_configuration(solved(noise=[0.1, 0.2]))
    with pytest.raises(mdt.AssumptionError, match="run off to infinity"):
        phase.plot_configuration(solved(noise=0.0, noisy_feature_decay=0.0))
    with pytest.raises(mdt.AssumptionError, match="not zero"):
        phase.plot_configuration(together(weight_decay=1.0, feature_decay=1.0))
    with pytest.raises(mdt.AssumptionError, match="num_classes = 4"):
        phase.plot_configuration(mdt.solve(together(num_classes=4, slope=5.0).problem, method="symmetric"))


# ------------------------------------------------------------------------------ paper and files


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_equal_figures_are_equal_files(suffix, tmp_path):
    for name in ("a", "b"):
        ax = phase.plot(dataset(ramp()), x="noise", boundaries=[steep(0.01)])
        phase.save(ax, tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_vector_files_need_no_fonts_and_say_nothing_of_the_machine(tmp_path):
    phase.save(phase.plot(dataset(ramp()), x="noise"), tmp_path / "a.svg", tmp_path / "a.pdf")
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<text" not in svg
    assert b"/FontFile2" in (tmp_path / "a.pdf").read_bytes()
    assert "dc:date" not in svg
    assert str(tmp_path) not in svg
    # Cells are one picture, however many they are.
    assert svg.count("<image") == 2
    assert len(svg) < 200_000


def test_a_png_has_the_size_it_is_printed_at(tmp_path):
    phase.save(phase.plot(dataset(ramp()), x="noise"), tmp_path / "a.png", dpi=200)
    height, width, _ = imread(tmp_path / "a.png").shape
    assert (width, height) == (680, 540)


def test_an_unknown_kind_of_file_is_refused_before_anything_is_written(tmp_path):
    ax = phase.plot(dataset(ramp()))
    with pytest.raises(mdt.AssumptionError, match=r"must end in one of \.png, \.svg, \.pdf"):
        phase.save(ax, tmp_path / "a.png", tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(mdt.AssumptionError, match="must be axes on a figure"):
        phase.save(SimpleNamespace(figure=None), tmp_path / "a.png")


@pytest.mark.parametrize("options", [{"width": "page"}, {"rows": 0}, {"columns": 1.5}, {"height": -1.0}])
def test_impossible_paper_is_refused(options):
    with pytest.raises(mdt.AssumptionError, match=next(iter(options))):
        phase.panels(**options)


def test_the_users_own_settings_neither_change_nor_matter():
    with matplotlib.rc_context({"font.size": 20.0, "lines.linewidth": 9.0, "axes.grid": True}):
        before = dict(matplotlib.rcParams)
        ax = phase.plot_losses(losses(np.stack([NOISE, 2 * NOISE])), x="noise")
        assert dict(matplotlib.rcParams) == before
        assert ax.xaxis.label.get_size() == 8
        assert ax.get_lines()[0].get_linewidth() == 1.3


def test_the_style_is_part_of_the_package_and_needs_no_latex():
    with matplotlib.style.context("mdtheory.drawing.mdtheory"):
        assert matplotlib.rcParams["image.cmap"] == "cividis"
        assert not matplotlib.rcParams["text.usetex"]
        assert len(matplotlib.rcParams["axes.prop_cycle"]) == 8


def test_legends_take_as_many_columns_as_fit():
    panels = phase.panels(1, 2, width="two-columns")[0]
    with phase.style():
        for ax, words in zip(panels, ("a", "a name of some length, surely"), strict=True):
            handles = [ax.plot([0, 1], label=f"{words} {i}")[0] for i in range(4)]
            legend_below(ax, handles)
    assert [ax.get_legend()._ncols for ax in panels] == [4, 1]
    assert isinstance(panels[0].figure, Figure)


def test_pyplot_is_not_loaded():
    script = (
        "import sys, numpy as np, xarray as xr\nfrom mdtheory import phase\n"
        "ds = xr.Dataset({'q': (('a', 'b'), np.ones((3, 3)))}, {'a': [1, 2, 3], 'b': [1, 2, 3]})\n"
        "phase.plot(ds, quantity='q')\nprint('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
