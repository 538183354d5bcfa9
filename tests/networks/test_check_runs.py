"""Hypotheses on runs: verdicts on tables that are drawn so that they hold or do not, intervals by another route, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mdtheory as mdt
from mdtheory.networks.run_table import Resamples


def drawn(seeds=8, exponent=1.0, slope=1.0, rho=1.0, distance=1.0, error=0.0, scatter=0.02, rng=0):
    """Runs of two losses; what the second has instead of the first, as factors."""
    rng, rows = np.random.default_rng(rng), []
    for seed in range(seeds):
        for loss, second in (("ce", False), ("ls", True)):
            for noise in (0.0, 0.1, 0.2, 0.3):
                moved, apart = 2.0 * (rho if second else 1.0), 3.0 * (distance if second else 1.0)
                grown = (slope if second else 1.0) * (noise * moved * apart) ** exponent
                row = {
                    "noise": noise,
                    "memorization": moved * np.exp(scatter * rng.normal()) if noise else np.nan,
                    "mean_distance": apart,
                    "dilation": 0.1 + grown * np.exp(scatter * rng.normal()),
                    "test_error": 0.1 + (error if second else 0.0) + 0.1 * scatter * rng.normal(),
                }
                rows.append(row | {"loss": loss, "seed": seed})
    return pd.DataFrame(rows)


def verdicts(runs, **options):
    return {name: entry.verdict for name, entry in mdt.check_runs(runs, "ce", **options).hypotheses.items()}


def test_statements_that_hold_are_supported():
    found = verdicts(drawn(rho=0.7, distance=0.9, error=-0.05))
    assert found == {
        "proportional, linear-absolute": "supported",
        "one slope, linear-absolute": "supported",
        "proportional, linear-relative": "supported",
        "one slope, linear-relative": "contradicted",
        "memorizes less": "supported",
        "memorizes less, relative": "supported",
        "dilates less": "supported",
        "dilates less, relative": "supported",
        "errs less": "supported",
    }


def test_statements_that_do_not_hold_are_contradicted():
    found = verdicts(drawn(exponent=0.5, slope=1.3, rho=1.2, distance=1.1, error=0.05))
    assert set(found.values()) == {"contradicted"}


def test_what_only_shrinks_with_the_scale_is_no_relative_effect():
    found = mdt.check_runs(drawn(rho=0.7, distance=0.7, scatter=0.05), "ce").hypotheses
    assert found["memorizes less"].verdict == "supported"
    assert found["memorizes less, relative"].verdict == "undecided"
    assert found["memorizes less, relative"].effect == pytest.approx(0.0, abs=0.05)
    assert found["errs less"].verdict == "undecided"


def test_effects_are_means_over_pairs():
    runs = drawn(rho=0.8)
    found = mdt.check_runs(runs, "ce").hypotheses["memorizes less"]
    noisy = runs[runs.noise > 0].set_index(["noise", "seed"])
    ce, ls = (noisy[noisy.loss == name].memorization.sort_index() for name in ("ce", "ls"))
    assert found.effect == pytest.approx(np.mean(np.log(ls / ce)))
    assert found.share == np.mean(ls < ce)
    assert found.pairs == 24
    # The order of rows says nothing.
    again = mdt.check_runs(runs.sample(frac=1, random_state=0), "ce").hypotheses["memorizes less"]
    assert again.effect == pytest.approx(found.effect, rel=1e-12)
    assert again.interval == pytest.approx(found.interval)
    # With the losses exchanged effects change sign.
    turned = mdt.check_runs(runs, "ls", "ce").hypotheses["memorizes less"]
    assert turned.effect == pytest.approx(-found.effect)
    assert turned.verdict == "contradicted"


def test_intervals_of_a_mean_are_those_of_student_for_one_run_a_seed():
    values = np.random.default_rng(0).normal(size=12)
    low, high = Resamples.checked(0.95, 200_000, 0).of_mean(values, np.arange(12))
    expected = stats.t.interval(0.95, 11, loc=values.mean(), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=0.02)
    assert Resamples.checked(0.95, 200, 0).of_mean(values, np.arange(12) % 4) is None


def test_runs_of_a_third_loss_change_nothing():
    runs = drawn(rho=0.8)
    third = drawn(slope=2.0, rng=1).query("loss == 'ls'").assign(loss="hinge")
    both = mdt.check_runs(pd.concat([third, runs], ignore_index=True), "ce", "ls")
    assert str(both) == str(mdt.check_runs(runs, "ce"))


def test_below_five_seeds_nothing_is_decided():
    report = mdt.check_runs(drawn(seeds=4, rho=0.5), "ce")
    assert {entry.verdict for entry in report.hypotheses.values()} == {"undecided"}
    assert "undecided    ls memorizes less than ce: effect" in str(report)
    assert "no interval, 100% of 12 pairs" in str(report)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda t: t.drop(columns="loss"), {}, "'loss'"),
        (lambda t: t.drop(columns="test_error"), {}, "'test_error'"),
        (lambda t: t.assign(loss="ce"), {}, "target"),
        (lambda t: t, {"baseline": "hinge"}, "baseline"),
        (lambda t: t, {"target": "ce"}, "target"),
        (lambda t: t.assign(seed=np.arange(len(t))), {}, "no pairs"),
        (lambda t: t.assign(seed=0), {}, "tells them apart"),
        (lambda t: t, {"confidence": 0.0}, "confidence"),
    ],
)
def test_other_tables_are_refused(change, options, words):
    with pytest.raises(mdt.AssumptionError, match=words):
        mdt.check_runs(change(drawn()), **({"baseline": "ce"} | options))
