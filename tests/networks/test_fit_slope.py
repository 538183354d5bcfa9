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
        (lambda t: t.assign(mean_distance=1e-200), "mean_distance"),
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


def settings_drawn(rng, seeds, spread, levels=(0.0, 0.05, 0.1, 0.2, 0.3), baselines=(0.3,), losses="ab"):
    """Runs in which r = r_0 + 1.5 eta rho and normal noise, whatever the loss; a baseline for each setting."""
    rows = [
        {
            "noise": noise,
            "memorization": rho,
            "mean_distance": 3.0,
            "loss": loss,
            "seed": seed,
            "setting": str(k),
            "test_error": 0.1,
            "dilation": base + 1.5 * noise * rho + spread * rng.normal(),
        }
        for k, base in enumerate(baselines)
        for loss in losses
        for noise in levels
        for seed in range(seeds)
        for rho in [1.5 * (1 + 0.1 * rng.normal())]
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_cover_at_their_rate_as_the_baseline_is_drawn_with_the_seeds(seeds):
    rng, hits = np.random.default_rng(0), np.zeros(3)
    for _ in range(200):
        found = mdt.fit_slope(settings_drawn(rng, seeds, 0.03), resamples=200)
        intervals = (found.groups["a"].interval, found.ratios["b"][1], found.exponent_interval)
        hits += [low <= right <= high for (low, high), right in zip(intervals, (1.5, 1.0, 1.0), strict=True)]
    # 95 % of 200, give or take three standard deviations.
    assert np.all(hits >= 180)


def test_every_setting_has_its_own_baseline():
    rng, right, wrong = np.random.default_rng(0), 0, 0
    for _ in range(60):
        found = mdt.fit_slope(settings_drawn(rng, 8, 0.01, baselines=(0.2, 0.5)), resamples=200)
        right += found.exponent_interval[0] <= 1.0 <= found.exponent_interval[1]
        wrong += found.same_for_every_loss == "contradicted"
    assert right >= 52
    assert wrong <= 8


def test_many_losses_alike_are_rarely_called_different():
    rng = np.random.default_rng(0)
    found = [mdt.fit_slope(settings_drawn(rng, 8, 0.01, losses="abcdef"), resamples=500) for _ in range(60)]
    assert sum(one.same_for_every_loss == "contradicted" for one in found) <= 9


def test_without_a_baseline_nothing_is_decided():
    rng = np.random.default_rng(0)
    bare = settings_drawn(rng, 8, 1e-4, levels=(0.1, 0.3))
    assert mdt.fit_slope(bare).same_for_every_loss == "undecided"
    report = mdt.check_runs(bare, "a", "b").hypotheses
    for law in ("linear-absolute", "linear-relative"):
        assert report[f"proportional, {law}"].verdict == report[f"one slope, {law}"].verdict == "undecided"
        assert "nothing was subtracted" in report[f"proportional, {law}"].statement
    runs = settings_drawn(rng, 8, 1e-4)
    keep = (runs["noise"] > 0) | (runs["loss"] == "a")
    half = mdt.fit_slope({name: column[keep] for name, column in runs.items()})
    assert half.same_for_every_loss == "undecided"
    assert "of some loss or setting" in str(half)


@pytest.mark.parametrize(("name", "values"), [("seed", np.nan), ("loss", None), ("level", np.nan), ("setting", None)])
def test_nothing_in_the_place_of_a_name_is_refused(name, values):
    runs = settings_drawn(np.random.default_rng(0), 5, 0.01)
    column = np.array(
        runs.get(name, runs["noise"]), dtype=object if values is None else float if name != "loss" else object
    )
    column[3] = values
    with pytest.raises(mdt.AssumptionError, match=name):
        mdt.fit_slope(runs | {name: column})


def test_doubled_runs_of_either_loss_are_refused():
    runs = settings_drawn(np.random.default_rng(0), 5, 0.01)
    for loss in "ab":
        again = runs["loss"] == loss
        doubled = {name: np.concatenate([column, column[again]]) for name, column in runs.items()}
        with pytest.raises(mdt.AssumptionError, match="one run for each"):
            mdt.check_runs(doubled, "a", "b")
