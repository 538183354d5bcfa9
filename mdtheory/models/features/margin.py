"""The margin of an unconstrained features model, from the margin equation of its loss."""

from dataclasses import fields

import numpy as np

from mdtheory.foundation.blocks import blocks, take_block
from mdtheory.foundation.validation import scalar_or_array
from mdtheory.losses.margin_cost import MarginCost
from mdtheory.models.features.margin_solution import MarginSolution
from mdtheory.models.features.problem import UFM

_BLOCK = 8192


def solve_ufm(problem: UFM) -> MarginSolution:
    """The margin of a balanced UFM, or of a nonnegative one with class weights, in closed form."""
    loss, cost, shape = problem.profile_loss, problem.margin_cost, problem.shape
    margin = np.empty(shape)
    # Blocks keep the dozen temporaries of an elementwise formula in cache.
    for index in blocks(shape, _BLOCK):
        parameters = {n: take_block(getattr(loss, n), shape, index) for n in loss.parameter_names()}
        part = MarginCost(**{f.name: take_block(getattr(cost, f.name), shape, index) for f in fields(cost)})
        target = margin[(*index, ...)]
        solved = loss.with_parameters(**parameters).margin(part, take_block(problem.num_classes, shape, index))
        target[...] = np.broadcast_to(solved, (target.size,)).reshape(target.shape)
    return MarginSolution(problem, scalar_or_array(margin), "closed-form")
