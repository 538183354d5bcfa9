"""Local searches over all weights of a deep linear features model, from named arrangements and from random ones of low rank."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mdtheory.foundation.validation import FloatArray
from mdtheory.losses.label_loss import LabelLoss
from mdtheory.models.deep.codes import Code, codes
from mdtheory.models.deep.problem import DeepUFM

_SCALES = np.geomspace(0.05, 60.0, 60)
_STEPS = 3000
# Of a first look at a start where steps are dear; the best few are then settled.
_LOOK, _SETTLED = 250, 2
# Relative to the largest singular value; the p-th powers of smaller ones would be seen.
_RANK = 1e-6
# How much less, relative to itself, an objective must be to displace a simpler answer.
_BETTER = 1e-9
_NUDGE = 1e-3
_MOST_RANDOM_RANK = 8
# Beyond so many classes only the best of the codes are searched from.
_SEARCHED_CODES, _MANY = 6, 30


@dataclass(frozen=True, slots=True)
class Found:
    """Logits (N, K), and the name of the arrangement that they keep; an empty one where they keep none."""

    objective: float
    logits: FloatArray
    name: str


class Landscape:
    """Objective and gradient in the logits and in the weights."""

    def __init__(self, problem: DeepUFM) -> None:
        self.problem = problem
        self.root = np.sqrt(problem.proportions)
        self.loss = LabelLoss(problem.loss, problem.labels, problem.proportions)

    def objective(self, logits: FloatArray) -> float:
        """Mean loss plus what the singular values of X cost."""
        values: FloatArray = np.asarray(np.linalg.svd(logits * self.root, compute_uv=False))
        return self.loss.value(logits) + self.penalty(values)

    def penalty(self, values: FloatArray) -> float:
        """Rounding makes no singular value of zero: its power would be seen."""
        kept = values[values > _RANK * max(float(np.max(values, initial=0.0)), 1e-300)]
        return float(self.problem.cost * np.sum(kept**self.problem.exponent))

    def descend(self, logits: FloatArray, rank: int, steps: int = _STEPS) -> FloatArray:
        """The logits at a minimum of the objective over balanced weights of width `rank`, from those of `logits`."""
        from scipy.optimize import minimize

        u, s, vt = np.linalg.svd(logits * self.root, full_matrices=False)
        s = np.maximum(s[:rank], 1e-12)
        count = self.problem.layers + 1
        middle = np.diag(s ** (1.0 / count))
        factors = [u[:, :rank] @ middle, *(middle,) * (count - 2), middle @ vt[:rank]]
        shapes = [factor.shape for factor in factors]
        start: FloatArray = np.concatenate([factor.ravel() for factor in factors])

        def value(flat: FloatArray) -> tuple[float, FloatArray]:
            return self._of_weights(_cut(flat, shapes))

        found = minimize(
            value,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 20},
        )
        return np.asarray(_product(_cut(found.x, shapes)) / self.root)

    def polished(self, logits: FloatArray) -> FloatArray:
        """Without singular values that vanish, and settled at the rank that is left."""
        u, s, vt = np.linalg.svd(logits * self.root, full_matrices=False)
        rank = int(np.sum(s > 1e-3 * max(float(s[0]), 1e-300)))
        if rank == 0:
            return np.zeros(logits.shape)
        cut = (u[:, :rank] * s[:rank]) @ vt[:rank] / self.root
        settled = self.descend(cut, rank) if rank < np.sum(s > _RANK * s[0]) else cut
        return min((logits, cut, settled), key=self.objective)

    def _of_weights(self, factors: list[FloatArray]) -> tuple[float, FloatArray]:
        decay = self.problem.decay
        left, right = [np.eye(factors[0].shape[0])], [np.eye(factors[-1].shape[1])]
        for factor in factors:
            left.append(left[-1] @ factor)
        for factor in reversed(factors):
            right.append(factor @ right[-1])
        logits = left[-1] / self.root
        pull = self.loss.gradient(logits) * self.root
        size = len(factors)
        gradient = [left[i].T @ pull @ right[size - 1 - i].T + 2.0 * decay * factors[i] for i in range(size)]
        value = self.loss.value(logits) + decay * sum(float(np.sum(factor**2)) for factor in factors)
        return value, np.concatenate([part.ravel() for part in gradient])


def search(problem: DeepUFM, *, starts: int, seed: int, progress: Callable[[str], object] | None = None) -> Found:
    """The best of searches from arrangements with a name, then from random logits of each low rank."""
    landscape = Landscape(problem)
    shape = problem.labels.shape
    best = Found(landscape.objective(np.zeros(shape)), np.zeros(shape), "zero")
    rng = np.random.default_rng(seed)
    steps = _STEPS if shape[0] <= _MANY else _LOOK
    looked: list[tuple[float, FloatArray, int]] = []
    for index, (name, logits, rank, code) in enumerate(_starts(landscape, starts, rng)):
        if progress is not None:
            progress(
                f"start {index + 1}, {name or 'random'}: best so far {best.objective:.9g} ({best.name or 'no name'})"
            )
        best = _better(landscape, best, logits, code) if code is not None else best
        nudged = logits + _NUDGE * float(np.max(np.abs(logits))) * rng.normal(size=shape)
        answer = landscape.descend(nudged, rank, steps)
        if steps == _STEPS:
            best = _better(landscape, best, landscape.polished(answer), code)
        else:
            looked.append((landscape.objective(answer), answer, rank))
    for _, answer, rank in sorted(looked, key=lambda entry: entry[0])[:_SETTLED]:
        best = _better(landscape, best, landscape.polished(landscape.descend(answer, rank)), None)
    return best


def _better(landscape: Landscape, best: Found, answer: FloatArray, code: Code | None) -> Found:
    """The better one; an answer as good as another takes its place only if it has a name, and that has none."""
    value = landscape.objective(answer)
    kept = code.name if code is not None and keeps(answer, code) else ""
    ahead = (best.objective - value) / abs(best.objective)
    if ahead > _BETTER or (ahead > -_BETTER and kept and not best.name):
        return Found(value, answer, kept)
    return best


def keeps(logits: FloatArray, code: Code) -> bool:
    """Whether logits have the equal entries of an arrangement, and its rank."""
    size = max(float(np.max(np.abs(logits))), 1e-300)
    counts = np.bincount(code.pattern.ravel())
    mean = np.bincount(code.pattern.ravel(), logits.ravel()) / counts
    even = float(np.max(np.abs(logits - mean[code.pattern]))) <= 1e-4 * size
    return even and _rank(logits) == _rank(code.logits)


def _rank(logits: FloatArray) -> int:
    values = np.linalg.svd(logits, compute_uv=False)
    return int(np.sum(values > 1e-5 * max(float(values[0]), 1e-300)))


def _starts(
    landscape: Landscape, starts: int, rng: np.random.Generator
) -> Iterator[tuple[str, FloatArray, int, Code | None]]:
    problem = landscape.problem
    n, k = problem.labels.shape
    if n == k:
        # Where classes are not alike the arrangements are starts all the same.
        scaled = [(code, _best_scale(landscape, code.logits)) for code in codes(n)]
        if n > _MANY:
            scaled = sorted(scaled, key=lambda pair: landscape.objective(pair[1]))[:_SEARCHED_CODES]
        for code, logits in scaled:
            yield code.name, logits, _rank(code.logits), code if problem.balanced else None
    target = problem.labels - problem.labels.mean(axis=0)
    top = min(n - 1, k, max(_MOST_RANDOM_RANK, n // 4))
    ranks: list[int] = np.unique(np.rint(np.geomspace(1, top, starts)).astype(int)).tolist() if starts else []
    for index in range(starts):
        rank = ranks[::-1][index % len(ranks)]
        logits = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, k)) / np.sqrt(rank)
        logits = logits - logits.mean(axis=0) if index else target
        yield "", _best_scale(landscape, logits), rank, None


def _best_scale(landscape: Landscape, logits: FloatArray) -> FloatArray:
    """The multiple with the least objective."""
    values: FloatArray = np.asarray(np.linalg.svd(logits * landscape.root, compute_uv=False))
    penalty, p = landscape.penalty(values), landscape.problem.exponent
    costs = [landscape.loss.value(scale * logits) + penalty * scale**p for scale in _SCALES]
    scale = float(_SCALES[int(np.argmin(costs))])
    return np.asarray(scale * logits)


def _cut(flat: FloatArray, shapes: list[tuple[int, ...]]) -> list[FloatArray]:
    parts, start = [], 0
    for rows, columns in shapes:
        parts.append(flat[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return parts


def _product(factors: list[FloatArray]) -> FloatArray:
    whole = factors[0]
    for factor in factors[1:]:
        whole = whole @ factor
    return whole
