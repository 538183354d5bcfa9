"""Which phase each cell of a grid is in, and how that is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdtheory.foundation.validation import FloatArray, fail, fail_at, finite, fits_in_memory, flag, integer
from mdtheory.losses import CrossEntropy, Hinge, LabelRelaxation, MeanSquaredError
from mdtheory.models.dilation.problem import MemorizationDilation
from mdtheory.models.parameters import canonical, is_count, parameter, paths
from mdtheory.models.solving import solve
from mdtheory.phase import residuals
from mdtheory.phase.proofs import Certifier, can_certify
from mdtheory.phase.rectangle import evaluator, not_collapsed
from mdtheory.sweeps.fingerprint import provenance

if TYPE_CHECKING:
    import xarray

    from mdtheory.phase.proofs import Box, Certifier

    _Proof = Callable[[Box], bool]

PHASES = ("collapsed", "memorized", "not_memorized", "memorized_overlapping", "not_memorized_overlapping")
EVIDENCE = ("undecided", "float", "certified", "exact")

_BLOCK = 65_536
UNDECIDED, FLOAT, CERTIFIED, EXACT = range(4)


def regions(
    problem: MemorizationDilation, axes: Mapping[str, ArrayLike], *, certify: bool = False, splits: int = 3
) -> "xarray.Dataset":
    r"""Label the cells of a grid with their phase.

    A cell is the rectangle around a grid point that ends half-way to its neighbours (in the logarithm, if the grid is
    geometric) and, at the border, at the grid point itself. Its phase is one of

    ============================== =======================================================================
    "collapsed"                    the class means are zero: there is no memorization-dilation problem
    "memorized"                    noisy examples have a positive margin for their wrong label, and no
                                   unseen clean example is misclassified
    "not_memorized"                a negative margin, and no error either
    "memorized_overlapping",
    "not_memorized_overlapping"    the dilated clusters overlap, ND > 1/(2 radius): unseen clean examples
                                   are misclassified (always, for Gaussian spread and positive noise)
    ============================== =======================================================================

    Every sign is explicit; the problem is solved only for the hinge and losses that are not convex.

    Parameters
    ----------
    problem : MemorizationDilation
        One point.
    axes : mapping
        From parameters (as in `with_values`) to increasing values, any number of axes.
    certify : bool, default False
        Whether to prove, in ball arithmetic, that the phase holds on the whole cell. Cross-entropy on the sphere and the
        two-point spread; with noise among the axes a line of cells costs a few proofs, without it each cell one.
    splits : int, default 3
        How often a cell is halved before it is left undecided.

    Returns
    -------
    xarray.Dataset
        ``phase`` and ``evidence``, int8, with the attributes ``flag_values`` and ``flag_meanings``. Evidence is "exact"
        (a closed form decides the whole cell: collapsed), "certified" (proved on the whole cell), "float" (the sign at
        the grid point in double precision, which says nothing about the rest of the cell) or "undecided" (not proved:
        a boundary passes through or close by; the phase is that of the grid point). The dataset's attributes count
        the cells of each evidence and say why nothing was proved, if so.

    Raises
    ------
    AssumptionError
        If the problem is not one point, or an axis is unknown, not increasing, or leaves its domain.

    Examples
    --------
    >>> import mdtheory as mdt
    >>> ufm = mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=5e-3, feature_decay=5e-3, nonnegative=True)
    >>> md = mdt.MemorizationDilation(ufm, noise=0.1, slope=0.3)
    >>> ds = regions(md, {"noise": [0.01, 0.02, 0.04, 0.3, 0.5, 0.9]}, certify=True)
    >>> for phase, evidence in zip(ds["phase"].values, ds["evidence"].values):
    ...     print(PHASES[phase], EVIDENCE[evidence])
    memorized certified
    memorized certified
    memorized undecided
    not_memorized_overlapping certified
    not_memorized_overlapping certified
    not_memorized_overlapping certified
    """
    if not isinstance(problem, MemorizationDilation):
        raise fail("problem", problem, "must be a MemorizationDilation")
    problem.check_by_formula()
    if problem.shape != ():
        raise fail("problem", problem.shape, "must be one point: the axes supply the arrays")
    grid = _Grid.of(problem, axes)
    phase = _labels(problem, grid)
    evidence = np.full(grid.shape, FLOAT, dtype=np.int8)
    reason = ""
    if flag("certify", certify):
        reason = can_certify(problem, grid.names)
        if not reason:
            evidence = _proved(Certifier(problem, int(np.asarray(integer("splits", splits, 0, 12)))), grid, phase)
    evidence[_exactly_collapsed(problem, grid)] = EXACT
    return _dataset(problem, grid, phase, evidence, reason)


# ------------------------------------------------------------------------------ the grid


@dataclass(frozen=True, slots=True)
class _Grid:
    names: tuple[str, ...]
    values: tuple[FloatArray, ...]
    edges: tuple[FloatArray, ...]

    @classmethod
    def of(cls, problem: MemorizationDilation, axes: Mapping[str, ArrayLike]) -> "_Grid":
        if not isinstance(axes, Mapping) or not axes:
            raise fail("axes", axes, "must map at least one parameter to its values")
        values = tuple(_increasing(name, given) for name, given in axes.items())
        fits_in_memory("axes", tuple(v.size for v in values), 2 * len(values) + 4)
        known = paths(problem)
        for name in axes:
            if canonical(name) not in known:
                raise fail("parameter", name, "must be one of " + ", ".join(known))
            if is_count(name):
                raise fail("axes", name, "must vary continuously: a cell reaches half-way to its neighbours")
        return cls(tuple(axes), values, tuple(cell_edges(v) for v in values))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(v.size for v in self.values)

    def points(self, columns: tuple[FloatArray, ...]) -> dict[str, FloatArray]:
        """One array of the grid's shape per axis, flattened."""
        spread = np.meshgrid(*columns, indexing="ij")
        return {name: array.ravel() for name, array in zip(self.names, spread, strict=True)}

    def box(self, index: tuple[int, ...]) -> "Box":
        """The cell of a grid point."""
        parts = zip(self.names, self.edges, index, strict=True)
        return {name: (float(edges[i]), float(edges[i + 1])) for name, edges, i in parts}


def cell_edges(values: FloatArray) -> FloatArray:
    """The ends of the cells around increasing values: their midpoints, geometric for a geometric grid, and the ends.

    Examples
    --------
    >>> cell_edges(np.array([1.0, 4.0, 16.0])), cell_edges(np.array([0.0, 1.0, 2.0]))
    (array([ 1.,  2.,  8., 16.]), array([0. , 0.5, 1.5, 2. ]))
    """
    middle = 0.5 * (values[:-1] + values[1:])
    if values.size > 2 and values[0] > 0:
        ratios, steps = np.diff(np.log(values)), np.diff(values)
        if np.ptp(ratios) <= 1e-6 * np.max(ratios) and np.ptp(steps) > 1e-6 * np.max(steps):
            middle = np.sqrt(values[:-1] * values[1:])
    return np.concatenate([values[:1], middle, values[-1:]])


def _increasing(name: str, given: ArrayLike) -> FloatArray:
    values = np.asarray(finite(name, given))
    if values.ndim != 1:
        raise fail(name, given, "must be a one-dimensional list of increasing numbers")
    if np.any(falls := np.diff(values, prepend=-np.inf) <= 0):
        raise fail_at(name, values, falls, "must be larger than the number before it")
    return values


# ------------------------------------------------------------------------------ labels


def _labels(problem: MemorizationDilation, grid: _Grid) -> NDArray[np.int8]:
    points = grid.points(grid.values)
    size = int(np.prod(grid.shape))
    phase = np.zeros(size, dtype=np.int8)
    memorization = evaluator(problem, residuals.memorization)
    overlap = evaluator(problem, _overlap)
    for start in range(0, size, _BLOCK):
        part = {name: value[start : start + _BLOCK] for name, value in points.items()}
        alive = not_collapsed(problem, part)
        if not np.any(alive):
            continue
        inside = {name: value[alive] for name, value in part.items()}
        code = 1 + (memorization(inside) > 0).astype(np.int8) + 2 * (overlap(inside) > 0).astype(np.int8)
        phase[start : start + _BLOCK][alive] = code
    return phase.reshape(grid.shape)


def _overlap(problem: MemorizationDilation) -> FloatArray:
    """Positive where the test error is."""
    if np.isfinite(problem.spread.radius):
        return residuals.dilation_above(problem, 0.5 / problem.spread.radius)
    if isinstance(problem.ufm.loss, Hinge):
        return np.asarray(solve(problem).normalized_dilation)
    return np.asarray(problem.noise, dtype=np.float64)


# ------------------------------------------------------------------------------ evidence


def _exactly_collapsed(problem: MemorizationDilation, grid: _Grid) -> NDArray[np.bool_]:
    """Cells that have collapsed already at their least decays and smoothing, hence everywhere."""
    known = isinstance(problem.ufm.loss, (CrossEntropy, MeanSquaredError, LabelRelaxation))
    if not known and any(canonical(name).startswith("loss.") for name in grid.names):
        # The threshold is not known to be monotone in the parameter of the loss.
        return np.zeros(grid.shape, dtype=bool)
    corners = grid.points(tuple(edges[:-1] for edges in grid.edges))
    return ~not_collapsed(problem, corners).reshape(grid.shape)


def _proved(certifier: "Certifier", grid: _Grid, phase: NDArray[np.int8]) -> NDArray[np.int8]:
    memorized = np.isin(phase, (1, 3))
    overlapping = phase >= 3
    noise = [k for k, name in enumerate(grid.names) if canonical(name) == "noise"]
    proofs = (
        (certifier.memorized, certifier.not_memorized, memorized),
        (certifier.separated, certifier.overlapping, ~overlapping),
    )
    proved = phase > 0
    for below, above, low in proofs:
        if noise:
            proved &= _prove_lines(grid, noise[0], below, above, low, phase > 0)
        else:
            for index in map(tuple, np.argwhere(proved)):
                proved[index] = (below if low[index] else above)(grid.box(index))
    return np.where(proved, CERTIFIED, UNDECIDED).astype(np.int8)


def _prove_lines(
    grid: _Grid, axis: int, below: "_Proof", above: "_Proof", low: NDArray[np.bool_], alive: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Prove along the noise, in which `low` is true up to some cell: the last provable cell proves all before it."""
    proved = np.zeros(low.shape, dtype=bool)
    lines = np.moveaxis(proved, axis, -1)
    for other in np.ndindex(*lines.shape[:-1]):
        if not np.any(np.moveaxis(alive, axis, -1)[other]):
            continue
        row = np.moveaxis(low, axis, -1)[other]
        count = int(np.sum(row))

        def box(k: int, other: tuple[int, ...] = other) -> "Box":
            return grid.box((*other[:axis], k, *other[axis:]))

        last = _nearest(lambda k: below(box(k)), count - 1, -1)
        first = _nearest(lambda k: above(box(k)), count, row.size)
        # A label that rounding has put on the wrong side of a boundary is not proved by its neighbours.
        lines[other][: last + 1] = row[: last + 1]
        lines[other][first:] = ~row[first:]
    return proved


def _nearest(holds: Callable[[int], bool], start: int, stop: int) -> int:
    """The place nearest to `start` from which on, towards `stop`, a property that persists holds; `stop` if none."""
    step = 1 if stop > start else -1
    room = (stop - start) * step
    if room <= 0 or holds(start):
        return start
    # It fails at `bad` steps and holds at `good`; beyond the end it holds trivially.
    bad, good = 0, 1
    while good < room and not holds(start + step * good):
        bad, good = good, 2 * good
    good = min(good, room)
    while good - bad > 1:
        middle = (bad + good) // 2
        bad, good = (bad, middle) if holds(start + step * middle) else (middle, good)
    return start + step * good


def _dataset(
    problem: MemorizationDilation, grid: _Grid, phase: NDArray[np.int8], evidence: NDArray[np.int8], reason: str
) -> "xarray.Dataset":
    import xarray

    coordinates = {}
    for name, values, edges in zip(grid.names, grid.values, grid.edges, strict=True):
        about = parameter(name)
        attrs = {"long_name": about.label, "symbol": about.symbol, "units": about.unit, "cell_edges": edges}
        coordinates[name] = (name, values, attrs)
    counts = {f"cells_{text}": int(np.sum(evidence == code)) for code, text in enumerate(EVIDENCE)}
    return xarray.Dataset(
        {
            "phase": (grid.names, phase, _flags("phase of the cell", PHASES)),
            "evidence": (grid.names, evidence, _flags("how the phase is known", EVIDENCE)),
        },
        coords=coordinates,
        attrs={**provenance(problem), **counts, "not_certified_because": reason},
    )


def _flags(long_name: str, meanings: tuple[str, ...]) -> dict[str, object]:
    values = np.arange(len(meanings), dtype=np.int8)
    return {"long_name": long_name, "flag_values": values, "flag_meanings": " ".join(meanings)}
