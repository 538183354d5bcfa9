"""Nothing that is called frozen can be written into: not as made, not after a pickle, a copy or a deep copy."""

import copy
import pickle

import numpy as np
import pytest

import mdtheory as mdt
from mdtheory.foundation.frozen import Frozen
from mdtheory.models.dilation.problem import Configuration

ROUTES = {
    "as made": lambda x: x,
    "copied": copy.copy,
    "deep-copied": copy.deepcopy,
    "unpickled": lambda x: pickle.loads(pickle.dumps(x)),
}
DECAYS = {"weight_decay": 0.01, "feature_decay": 0.01}
SKEWED = {"class_weights": np.array([0.5, 0.3, 0.2])}
LABELS = np.array([[0.9, 0.2], [0.1, 0.8]])


def problems():
    yield mdt.UFM(
        mdt.CrossEntropy(smoothing=[0.0, 0.1]), num_classes=2, weight_decay=[[1e-3], [2e-3]], feature_decay=1e-3
    )
    yield mdt.UFM(mdt.CrossEntropy(), num_classes=3, **DECAYS, **SKEWED)
    yield mdt.UFM(mdt.Hinge(), num_classes=2, **DECAYS, label_distribution=LABELS, bias=True)
    yield mdt.UFM(mdt.MeanSquaredError(), num_classes=3, **DECAYS, **SKEWED, feature_dim=1)
    yield mdt.UFM(mdt.CrossEntropy(), num_classes=2, **DECAYS, label_distribution=LABELS, nonnegative=True)
    pair = mdt.UFM(mdt.LabelRelaxation([0.1, 0.2]), num_classes=2, weight_decay=1e-3, feature_decay=1e-3)
    yield mdt.MemorizationDilation(pair, noise=[[0.1], [0.2]], slope=1.0)
    yield mdt.MaxMargin(num_classes=3, **SKEWED, label_temperatures=np.array([1.0, 2.0, 0.5]))


def records():
    for problem in problems():
        yield problem
        yield mdt.solve(problem)
    general = mdt.solve(mdt.UFM(mdt.CrossEntropy(), num_classes=3, **DECAYS, **SKEWED))
    yield general.certificate
    yield general.logits_problem
    yield general.logits_problem.frame
    yield general.logits_problem.loss
    yield mdt.solve(mdt.MaxMargin(num_classes=3), method="convex")
    yield mdt.Focal([0.5, 2.0])
    yield mdt.collapse_measures(np.eye(3), np.eye(3))
    yield mdt.regression_optimum(np.eye(3), **DECAYS)
    yield mdt.exchangeable_optimum(np.eye(3), **DECAYS)
    yield Configuration.of(mdt.UFM(mdt.CrossEntropy(), num_classes=2, weight_decay=[1e-3, 2e-3], feature_decay=1e-3))


def arrays_of(record):
    """Every array that a name of the record leads to, through tuples and records."""
    seen, waiting = set(), [(type(record).__name__, record)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, np.ndarray):
            yield path, value
        elif isinstance(value, tuple):
            waiting += [(f"{path}[{i}]", part) for i, part in enumerate(value)]
        elif isinstance(value, Frozen) and id(value) not in seen:
            seen.add(id(value))
            for name in dir(value):
                if not name.startswith("__"):
                    try:
                        waiting.append((f"{path}.{name}", getattr(value, name)))
                    except (mdt.AssumptionError, mdt.CertificateError, AssertionError):
                        continue


@pytest.mark.parametrize("route", ROUTES)
def test_no_array_of_a_frozen_object_is_writeable(route):
    found = 0
    for record in records():
        list(arrays_of(record))  # what is cached travels with the copy
        for path, array in arrays_of(ROUTES[route](record)):
            found += 1
            assert not array.flags.writeable, path
    assert found > 200


@pytest.mark.parametrize("route", ROUTES)
def test_copies_are_equal_to_what_was_copied(route):
    for problem in problems():
        twin = ROUTES[route](problem)
        assert twin == problem
        before, after = mdt.solve(problem), mdt.solve(twin)
        assert np.array_equal(before.objective, after.objective)
        assert np.array_equal(ROUTES[route](before).objective, before.objective)


def test_an_array_that_shares_memory_with_a_writeable_one_is_kept_apart():
    shared = np.arange(6.0)
    optimum = mdt.regression_optimum(np.eye(2), **DECAYS)
    bias = type(optimum)(
        **{name: getattr(optimum, name) for name in type(optimum).__slots__} | {"bias": shared[:2]}
    ).bias
    shared[0] = 7.0
    assert bias[0] == 0.0
