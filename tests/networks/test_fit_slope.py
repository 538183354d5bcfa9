"""Laws fitted to runs: drawn with a known coefficient, intervals that cover, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import mdtheory as mdt


def drawn(law="linear-relative", coefficient=2.0, seeds=8, scatter=0.0, losses=None, exponent=1.0, rng=0):
    """Runs of a few noise levels, with what seeds and runs add at random."""
    rng = np.random.default_rng(rng)
    losses = {"ce": coefficient} if losses is None else losses
    rows = []
    for seed in range(seeds):
        own = 1.0 + scatter * rng.normal()
        for loss, a in losses.items():
            for noise in (0.0, 0.05, 0.1, 0.2, 0.3):
                rho, distance = rng.uniform(1, 3), rng.uniform(2, 4)
                share = noise / (1 + noise)
                a_here = a * own * (1.0 + 0.2 * scatter * rng.normal())
                base = 0.1
                x = {
                    "linear-relative": noise * rho,
                    "linear-absolute": noise * rho * distance,
                    "copy": share * (rho / distance) ** 2,
                    "transport": share * rho / distance,
                }[law]
                y = a_here * x**exponent
                dilation = distance * np.sqrt(base**2 + y) if law == "copy" else base + y
                row = {"noise": noise, "memorization": rho if noise else np.nan, "mean_distance": distance}
                rows.append(row | {"dilation": dilation, "drift": 0.02 + y, "loss": loss, "seed": seed})
    return pd.DataFrame(rows)


LAWS = ["linear-relative", "linear-absolute", "copy", "transport"]


@pytest.mark.parametrize("law", LAWS)
def test_the_coefficient_that_runs_are_drawn_with_is_found(law):
    found = mdt.fit_slope(drawn(law), law)
    assert found.pooled.coefficient == pytest.approx(2.0, rel=1e-9)
    assert found.exponent == pytest.approx(1.0, abs=1e-9)
    assert found.pooled.r_squared == pytest.approx(1.0, abs=1e-9)
    assert found.pooled.runs == 32
    assert found.pooled.seeds == 8
    assert found.baseline
    assert found.slope == pytest.approx(0.5, rel=1e-9) if law.startswith("linear") else np.isnan(found.slope)


def test_tables_of_other_kinds_say_the_same():
    frame = drawn(scatter=0.1)
    found = mdt.fit_slope(frame)
    assert mdt.fit_slope({name: frame[name].to_numpy() for name in frame}) == found
    assert mdt.fit_slope(frame.to_xarray()) == found
    assert mdt.fit_slope(frame, random_seed=1).pooled.interval != found.pooled.interval


def test_a_wrong_exponent_shows():
    assert mdt.fit_slope(drawn(exponent=2.0)).exponent == pytest.approx(2.0, abs=1e-9)
    # Of runs that follow the copy law the linear one explains less.
    runs = drawn("copy", 1.0, scatter=0.05)
    assert mdt.fit_slope(runs, "copy").pooled.r_squared > 0.95
    assert mdt.fit_slope(runs, "linear-absolute").pooled.r_squared < 0.9


@pytest.mark.slow
def test_intervals_cover_at_their_rate():
    """400 tables; a share of .9 is met up to five of its standard deviations and what few seeds cost."""
    inside = 0
    for number in range(400):
        runs = drawn(scatter=0.15, seeds=10, rng=number)
        low, high = mdt.fit_slope(runs, confidence=0.9, resamples=400).pooled.interval
        inside += low <= 2.0 <= high
    assert 0.85 <= inside / 400 <= 0.95


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [({"ce": 2.0, "ls": 3.0}, "contradicted"), ({"ce": 2.0, "ls": 2.0}, "supported")],
    ids=["unlike", "alike"],
)
def test_whether_losses_share_a_coefficient(losses, verdict):
    found = mdt.fit_slope(drawn(losses=losses, scatter=0.05))
    ratio, (low, high) = found.ratios["ls"]
    assert low < ratio < high
    assert ratio == pytest.approx(losses["ls"] / losses["ce"], rel=0.05)
    assert found.same_for_every_loss == verdict
    assert "one coefficient for every loss: " + verdict in str(found)


def test_few_seeds_give_no_interval_and_no_verdict():
    found = mdt.fit_slope(drawn(losses={"ce": 2.0, "ls": 3.0}, seeds=4))
    assert found.pooled.interval is None
    assert found.ratios["ls"][1] is None
    assert found.same_for_every_loss == "undecided"
    assert "no interval below 5 seeds" in str(found)
    assert mdt.fit_slope(drawn(seeds=5, scatter=0.1)).pooled.interval is not None


def test_without_a_baseline_nothing_is_subtracted_and_that_is_said():
    runs = drawn()
    found = mdt.fit_slope(runs[runs.noise > 0])
    assert not found.baseline
    assert found.pooled.coefficient > 2.05
    assert "nothing was subtracted" in str(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="dilation"), "'dilation'"),
        (lambda t: t.assign(noise=0.0), "positive in some"),
        (lambda t: t.assign(noise=-t.noise), "negative"),
        (lambda t: t.assign(memorization=np.nan), "memorization"),
        (lambda t: t.assign(mean_distance=0.0), "mean_distance"),
        (lambda t: t.assign(dilation=np.inf), "dilation"),
        (
            lambda t: {"noise": [0.1, 0.2], "memorization": [1.0], "mean_distance": [1.0, 1.0], "dilation": [1.0, 1.0]},
            "memorization",
        ),
        (lambda t: t.assign(memorization=0.0), "memorization"),
        (lambda t: t.assign(dilation=1e90), "must not exceed"),
        (lambda t: 3, "runs"),
        (lambda t: t["noise"].to_xarray(), "runs"),
    ],
)
def test_other_tables_are_refused(change, words):
    with pytest.raises(mdt.AssumptionError, match=words):
        mdt.fit_slope(change(drawn()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"law": "cubic"}, "law"),
        ({"confidence": 1.0}, "confidence"),
        ({"resamples": 3}, "resamples"),
        ({"random_seed": -1}, "random_seed"),
    ],
)
def test_other_options_are_refused(options, words):
    with pytest.raises(mdt.AssumptionError, match=words):
        mdt.fit_slope(drawn(), **options)
