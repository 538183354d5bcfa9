"""Expectations of a loss over a spread: E phi(s + K zeta), its slope in K, and its curvature."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mdtheory.losses import Loss
from mdtheory.spreads import Spread
from mdtheory.validation import FloatArray

_BLOCK = 4096
_PIECE = 256
# Few points are integrated at many nodes at once: calls of NumPy would cost more than the numbers. In cache, still.
_TOGETHER = 8192
Selection = NDArray[np.bool_] | NDArray[np.intp] | slice
_Kernel = Callable[[Loss, Spread, FloatArray, FloatArray], FloatArray]


def mean_loss(loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """``E phi(centre + scale zeta)``, for arrays that broadcast against the loss's parameters."""
    return _blockwise(_mean_loss, loss, spread, centre, scale)


def mean_slope(loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """``E zeta phi'(centre + scale zeta)``, likewise."""
    return _blockwise(lambda *block: slopes(*block)[0], loss, spread, centre, scale)


def slopes(loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``E zeta phi'(centre + scale zeta)`` and ``E zeta^2 phi''(centre + scale zeta)``.

    For one block: one-dimensional arrays, and loss parameters that are scalars or arrays of the same length.
    """
    position, inside = _split_positions(loss, spread, centre, scale)
    nodes, weights = spread.smooth_rule(centre, np.where(inside, 0.0, scale), loss.analytic_strip)
    first, second = np.zeros(centre.shape), np.zeros(centre.shape)
    pair = loss.paired_slopes_at(centre)
    together = _TOGETHER // max(centre.size, 1)
    if together < 4:
        for node, weight in zip(nodes, weights, strict=True):
            difference, curvature = pair(scale * node)
            first += (0.5 * weight * node) * difference
            second += (0.5 * weight * node * node) * curvature
    else:
        for start in range(0, nodes.size, together):
            some = slice(start, start + together)
            difference, curvature = pair(scale * nodes[some, None])
            moments = 0.5 * weights[some] * nodes[some]
            first += np.einsum("m,mk->k", moments, difference)
            second += np.einsum("m,mk->k", moments * nodes[some], curvature)
    for pick in _pieces(inside):
        part, nodes, weights, at = _split(loss, spread, centre[pick], scale[pick], position[pick], pick)
        weights = weights * nodes
        first[pick] = np.sum(weights * part.profile_derivative(at), axis=-1)
        second[pick] = np.sum(weights * nodes * part.profile_curvature(at), axis=-1)
    return first, second


def restrict(loss: Loss, selection: Selection, *, as_column: bool = False) -> Loss:
    """The loss at the selected points, where its parameters are arrays over points."""
    parameters: dict[str, FloatArray] = {}
    for name in loss.parameter_names():
        value = getattr(loss, name)
        if isinstance(value, np.ndarray) and value.ndim:
            parameters[name] = value[selection][:, None] if as_column else value[selection]
    return loss.with_parameters(**parameters) if parameters else loss


def flatten(loss: Loss, shape: tuple[int, ...]) -> Loss:
    """The loss with array parameters broadcast to `shape` and flattened; scalars stay scalars."""
    parameters = {
        name: np.broadcast_to(getattr(loss, name), shape).ravel()
        for name in loss.parameter_names()
        if np.ndim(getattr(loss, name))
    }
    return loss.with_parameters(**parameters) if parameters else loss


def _mean_loss(loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray) -> FloatArray:
    position, inside = _split_positions(loss, spread, centre, scale)
    nodes, weights = spread.smooth_rule(centre, np.where(inside, 0.0, scale), loss.analytic_strip)
    value = np.zeros(centre.shape)
    for node, weight in zip(nodes, weights, strict=True):
        value += 0.5 * weight * (loss.profile(centre + scale * node) + loss.profile(centre - scale * node))
    for pick in _pieces(inside):
        part, _, weights, at = _split(loss, spread, centre[pick], scale[pick], position[pick], pick)
        value[pick] = np.sum(weights * part.profile(at), axis=-1)
    return value


def _pieces(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """The selected points, few at a time: each needs hundreds of nodes of its own."""
    chosen = np.flatnonzero(mask)
    for start in range(0, chosen.size, _PIECE):
        yield chosen[start : start + _PIECE]


def _split(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, position: FloatArray, pick: NDArray[np.intp]
) -> tuple[Loss, FloatArray, FloatArray, FloatArray]:
    """The loss at the picked points, and nodes, weights and margins (points, nodes) of a rule split at `position`."""
    nodes, weights = spread.split_rule(position, scale * _sharpness(loss))
    return restrict(loss, pick, as_column=True), nodes, weights, centre[:, None] + scale[:, None] * nodes


def _split_positions(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where to split the spread, and the points to split it for.

    At a kink inside the spread; and at the margin 0 where phi' is nearly a step on the scale of the spread, so that no
    rule for smooth functions has few nodes.
    """
    kink, smooth = loss.kinks(), not np.isfinite(loss.analytic_strip)
    wide = np.zeros(scale.shape, dtype=bool) if smooth else scale * _sharpness(loss) > spread.wide_scale
    if kink is None:
        kink = np.full((), np.inf)
        if not np.any(wide):
            return np.zeros(centre.shape), wide
    # Beyond 40 the slope of a softmax loss is smaller than rounding, and so is its kink.
    kinked = np.isfinite(kink) if smooth else kink <= 40.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        position = np.where(scale > 0, (np.where(kinked, kink, 0.0) - centre) / scale, np.inf)
    return position, wide | (kinked & (np.abs(position) < spread.radius))


def _sharpness(loss: Loss) -> float:
    """How much closer the poles of the profile are than those of a softmax loss."""
    return max(1.0, np.pi / loss.analytic_strip)


def _blockwise(kernel: _Kernel, loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray) -> FloatArray:
    shape = np.broadcast_shapes(np.shape(centre), np.shape(scale), loss.shape)
    centre, scale = (np.broadcast_to(x, shape).ravel() for x in (centre, scale))
    flat = flatten(loss, shape)
    result = np.empty(centre.shape)
    for start in range(0, centre.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        result[block] = kernel(restrict(flat, block), spread, centre[block], scale[block])
    return result.reshape(shape)
