"""Expectations of a loss over a spread: E phi(s + K zeta), its slope in K, and its curvature."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses import Loss
from mdtheory.spreads import EmpiricalSpread, Spread

_BLOCK = 4096
_PIECE = 256
# Few points are integrated at many nodes at once: calls of NumPy would cost more than the numbers. In cache, still.
_TOGETHER = 8192
# The spread whose nodes are few.
_NARROW = 0.5
Selection = NDArray[np.bool_] | NDArray[np.intp] | slice
_Kernel = Callable[[Loss, Spread, FloatArray, FloatArray, FloatArray | None], FloatArray]
# Scales at which expectations are taken. Below, the stiffness is constant to rounding; no solution lies above.
_NARROWEST = 1e-12
_WIDEST = 1e12


def mean_loss(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None = None
) -> FloatArray:
    """``E phi(centre + scale zeta)``, for arrays that broadcast against the loss's parameters.

    `room` is that of the loss at `centre`, where it is known better than by subtraction.
    """
    return _blockwise(_mean_loss, loss, spread, centre, scale, room)


def mean_stiffness(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None = None
) -> FloatArray:
    """``E zeta phi'(centre + scale zeta) / scale``, likewise; its limit where the scale is zero."""
    return _blockwise(lambda *block: stiffness(*block)[0], loss, spread, centre, scale, room)


def stiffness(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """``E zeta phi'(centre + scale zeta) / scale`` and ``E zeta^2 phi''(centre + scale zeta)`` at any scale >= 0.

    For one block, like `slopes`. Beyond a scale of 1e12 the clean loss is continued by a parabola: it stays convex.
    """
    narrow = _NARROWEST if room is None else _NARROWEST * np.where(room > 0, np.minimum(room, 1.0), 1.0)
    scale = np.clip(scale, narrow, _WIDEST)
    first, second = slopes(loss, spread, centre, scale, room)
    first /= scale
    return first, second


def slopes(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """``E zeta phi'(centre + scale zeta)`` and ``E zeta^2 phi''(centre + scale zeta)``.

    For one block: one-dimensional arrays, and loss parameters that are scalars or arrays of the same length.
    """
    if isinstance(spread, EmpiricalSpread):
        found = _over_sample(loss, spread, centre, scale, room)
        return found[1], found[2]
    room = _room(loss, centre, room)
    position, inside = _split_positions(loss, spread, centre, scale, room)
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
        part, nodes, weights = _split(loss, spread, scale[pick], position[pick], pick)
        offset = scale[pick][:, None] * nodes
        if room is None:
            slope, curvature = part.slope_and_curvature(centre[pick][:, None] + offset)
        else:
            slope, curvature = part.slopes_before_minimizer(room[pick][:, None] - offset)
        weights = weights * nodes
        first[pick] = np.sum(weights * slope, axis=-1)
        second[pick] = np.sum(weights * nodes * curvature, axis=-1)
    return first, second


class Moments(NamedTuple):
    """``E phi(c + K zeta)`` and its derivatives in the centre c and the scale K, to second order."""

    value: FloatArray
    d_centre: FloatArray
    d_scale: FloatArray
    d_centre2: FloatArray
    d_centre_scale: FloatArray
    d_scale2: FloatArray


def moments(loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, *, rough: bool = False) -> Moments:
    """The expectation of a loss and its derivatives, for one block as in `slopes`; of a loss with a continuous slope.

    A `rough` one, to a few digits, is that of the few nodes that a narrow spread needs: a convex function still.
    """
    if rough:
        nodes, weights = spread.smooth_rule(np.zeros(1), np.full(1, _NARROW), np.pi)
        return _on_nodes(loss, centre, scale, nodes, weights)
    room = _room(loss, centre, None)
    position, inside = _split_positions(loss, spread, centre, scale, room)
    nodes, weights = spread.smooth_rule(centre, np.where(inside, 0.0, scale), loss.analytic_strip)
    found = _on_nodes(loss, centre, np.where(inside, 0.0, scale), nodes, weights)
    for pick in _pieces(inside):
        part, nodes, weights = _split(loss, spread, scale[pick], position[pick], pick)
        at = centre[pick][:, None] + scale[pick][:, None] * nodes
        slope, curvature = part.slope_and_curvature(at)
        terms = (part.profile(at), slope, nodes * slope, curvature, nodes * curvature, nodes**2 * curvature)
        for target, term in zip(found, terms, strict=True):
            target[pick] = np.sum(weights * term, axis=-1)
    return found


def _on_nodes(loss: Loss, centre: FloatArray, scale: FloatArray, nodes: FloatArray, weights: FloatArray) -> Moments:
    """By pairs of nodes +-zeta, many of them at once where there are few points."""
    zeta = np.stack([nodes, -nodes], axis=-1).ravel()
    shares = np.repeat(0.5 * weights, 2)
    found = np.zeros((6, *centre.shape))
    together = max(_TOGETHER // max(centre.size, 1), 1)
    for start in range(0, zeta.size, together):
        some = slice(start, start + together)
        at = centre + scale * zeta[some, None]
        slope, curvature = loss.slope_and_curvature(at)
        powers = shares[some] * zeta[some] ** np.arange(3)[:, None]
        found[0] += shares[some] @ loss.profile(at)
        found[1:3] += powers[:2] @ slope
        found[3:] += powers @ curvature
    return Moments(*found)


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


def _mean_loss(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None
) -> FloatArray:
    if isinstance(spread, EmpiricalSpread):
        return np.asarray(_over_sample(loss, spread, centre, scale, room)[0])
    room = _room(loss, centre, room)
    position, inside = _split_positions(loss, spread, centre, scale, room)
    nodes, weights = spread.smooth_rule(centre, np.where(inside, 0.0, scale), loss.analytic_strip)
    value = np.zeros(centre.shape)
    for node, weight in zip(nodes, weights, strict=True):
        if room is None:
            both = loss.profile(centre + scale * node) + loss.profile(centre - scale * node)
        else:
            both = loss.before_minimizer(room - scale * node) + loss.before_minimizer(room + scale * node)
        value += 0.5 * weight * both
    for pick in _pieces(inside):
        part, nodes, weights = _split(loss, spread, scale[pick], position[pick], pick)
        offset = scale[pick][:, None] * nodes
        if room is None:
            at = part.profile(centre[pick][:, None] + offset)
        else:
            at = part.before_minimizer(room[pick][:, None] - offset)
        value[pick] = np.sum(weights * at, axis=-1)
    return value


def _over_sample(
    loss: Loss, spread: EmpiricalSpread, centre: FloatArray, scale: FloatArray, room: FloatArray | None
) -> FloatArray:
    """``E phi``, ``E zeta phi'`` and ``E zeta^2 phi''`` (3, K) at ``centre + scale zeta``, zeta minus the coordinates: sums over all of them."""
    room = _room(loss, centre, room)
    found = np.zeros((3, *centre.shape))
    together = max(_TOGETHER // max(centre.size, 1), 1)
    for start in range(0, spread.coordinates.size, together):
        zeta = -spread.coordinates[start : start + together, None]
        if room is None:
            at = centre + scale * zeta
            value, (slope, curvature) = loss.profile(at), loss.slope_and_curvature(at)
        else:
            distance = room - scale * zeta
            value, (slope, curvature) = loss.before_minimizer(distance), loss.slopes_before_minimizer(distance)
        for target, term in zip(found, (value, zeta * slope, zeta**2 * curvature), strict=True):
            target += np.sum(term, axis=0)
    return np.asarray(found / spread.coordinates.size)


def _room(loss: Loss, centre: FloatArray, room: FloatArray | None) -> FloatArray | None:
    """The distance from `centre` up to the kink, or to the minimiser of a loss that is told."""
    if room is None and (kink := loss.kinks()) is not None:
        return np.asarray(kink - centre)
    return room


def _pieces(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """The selected points, few at a time: each needs hundreds of nodes of its own."""
    chosen = np.flatnonzero(mask)
    for start in range(0, chosen.size, _PIECE):
        yield chosen[start : start + _PIECE]


def _split(
    loss: Loss, spread: Spread, scale: FloatArray, position: FloatArray, pick: NDArray[np.intp]
) -> tuple[Loss, FloatArray, FloatArray]:
    """The loss at the picked points, and nodes and weights (points, nodes) of a rule split at `position`."""
    nodes, weights = spread.split_rule(position, scale * _sharpness(loss))
    return restrict(loss, pick, as_column=True), nodes, weights


def _split_positions(
    loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where to split the spread, and the points to split it for.

    At a kink inside the spread; and at the margin 0 where phi' is nearly a step on the scale of the spread, so that no
    rule for smooth functions has few nodes.
    """
    smooth = not np.isfinite(loss.analytic_strip)
    wide = np.zeros(scale.shape, dtype=bool) if smooth else scale * _sharpness(loss) > spread.wide_scale
    if room is None or loss.kinks() is None:
        if not np.any(wide):
            return np.zeros(centre.shape), wide
        return -centre / np.where(wide, scale, 1.0), wide
    # The slope of a softmax loss falls like e^-t: a kink 40 further out than what counts is smaller than rounding.
    kinked = np.full(room.shape, True) if smooth else (room <= 40.0) | (centre + room <= 40.0)
    with np.errstate(over="ignore"):
        position = np.where(kinked, room, -centre) / np.where(scale > 0, scale, 1.0)
    return position, wide | (kinked & (scale > 0) & (np.abs(position) < spread.reach))


def _sharpness(loss: Loss) -> float:
    """How much closer the poles of the profile are than those of a softmax loss."""
    return max(1.0, np.pi / loss.analytic_strip)


def _blockwise(
    kernel: _Kernel, loss: Loss, spread: Spread, centre: FloatArray, scale: FloatArray, room: FloatArray | None
) -> FloatArray:
    shape = np.broadcast_shapes(np.shape(centre), np.shape(scale), loss.shape)
    centre, scale = (np.broadcast_to(x, shape).ravel() for x in (centre, scale))
    room = None if room is None else np.broadcast_to(room, shape).ravel()
    flat = flatten(loss, shape)
    result = np.empty(centre.shape)
    for start in range(0, centre.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        near = None if room is None else room[block]
        result[block] = kernel(restrict(flat, block), spread, centre[block], scale[block], near)
    return result.reshape(shape)
