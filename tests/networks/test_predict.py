"""Predictions beside the null: runs that the model itself made, runs that follow the null, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import mdtheory as mdt
from mdtheory.networks.protocol import measured_runs

CE, LS = mdt.CrossEntropy(), mdt.CrossEntropy(smoothing=0.2)
CHI, OWN, PART = 1.3, 0.08, 0.5
# Copies at the measured rate: a plain formula, r = chi sqrt(p) rho for unseen examples.
LAWS = {
    "copy": lambda eta, rho, d: CHI * np.sqrt(eta / (1 + eta)) * rho,
    "linear-relative": lambda eta, rho, d: CHI * eta * rho,
    "linear-absolute": lambda eta, rho, d: CHI * eta * rho * d,
}


def made(law="copy", seeds=6, scatter=1e-4, decay=2e-3, likeness=None):
    """Runs with rho and t as the theory has them for a slope at which r is what the law says; likeness: LS in the units of CE instead."""
    rng, rows = np.random.default_rng(0), []
    for loss, name in ((CE, "cross-entropy"), (LS, "ls")):
        ufm = mdt.UFM(loss, num_classes=2, weight_decay=decay, feature_decay=decay, nonnegative=True)
        for eta in (0.0, 0.05, 0.1, 0.3):
            c = mdt.MemorizationDilation(ufm, noise=0.1, slope=1.0).configuration
            d, s, rho, t, added = float(c.mean_distance), float(c.margin), np.nan, np.nan, 0.0
            if eta:
                rate = LAWS[law](eta, 1.0, d) / eta * PART / (d if law == "linear-absolute" else 1.0)
                scaling = "absolute" if law == "linear-absolute" else "relative"
                sol = mdt.solve(mdt.MemorizationDilation(ufm, noise=eta, slope=1 / rate, scaling=scaling))
                rho, t, added = sol.memorization, sol.noisy_margin, LAWS[law](eta, sol.memorization, d)
            if likeness and name == "ls":
                rho, t, added = likeness[eta][0] * d, likeness[eta][1] * s, likeness[eta][2] * d
            base = OWN * d
            r = np.hypot(added, base) if law == "copy" else added + base
            for seed in range(seeds):
                jitter = np.exp(scatter * rng.normal(size=3))
                rows.append(
                    {
                        "loss": name,
                        "smoothing": loss.smoothing,
                        "noise": eta,
                        "seed": seed,
                        "margin": s,
                        "mean_distance": d,
                        "memorization": rho * jitter[0],
                        "noisy_margin": t,
                        "dilation": r * jitter[1],
                        "train_dilation": PART * r,
                        "test_error": 0.3 * (r / d) ** 2 * jitter[2],
                        "weight_decay": decay,
                        "effective_feature_decay": decay,
                    }
                )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("configuration", ["measured", "theory"])
@pytest.mark.parametrize("law", list(LAWS))
def test_runs_of_the_model_are_predicted_and_the_null_is_beaten(law, configuration):
    found = mdt.predict(made(law), law=law, configuration=configuration)
    assert found.coefficients["all runs"] == pytest.approx(CHI**2 if law == "copy" else CHI, rel=1e-3)
    for name in ("normalized_dilation", "relative_memorization", "noisy_margin"):
        entry = found.quantities[name]
        assert entry.model_error < 2e-3
        assert entry.null_error > 0.01
        assert entry.verdict == "beats the null"
        assert entry.interval[0] <= entry.advantage <= entry.interval[1]
    # Read off a curve through four points.
    assert found.quantities["test_error"].model_error < 0.3


def test_runs_that_are_the_same_in_relative_units_give_the_null_its_due():
    source = made()
    ce = source[source.loss == "cross-entropy"].groupby("noise").mean(numeric_only=True)
    like = {
        eta: (
            row.memorization / row.mean_distance,
            row.noisy_margin / row.margin,
            np.sqrt(max((row.dilation / row.mean_distance) ** 2 - OWN**2, 0.0)),
        )
        for eta, row in ce.iterrows()
    }
    found = mdt.predict(made(likeness=like))
    for name in ("normalized_dilation", "relative_memorization", "noisy_margin"):
        assert found.quantities[name].null_error < 1e-3
        assert found.quantities[name].verdict == "does not beat the null"
        assert found.quantities[name].interval[1] < 0


def test_below_five_seeds_nothing_is_beaten_and_a_prediction_says_what_it_was_told():
    found = mdt.predict(made(seeds=4))
    assert {entry.verdict for entry in found.quantities.values()} == {"does not beat the null"}
    assert all(entry.interval is None for entry in found.quantities.values())
    assert "margin" in found.measured_on_target
    assert "margin" not in mdt.predict(made(seeds=4), configuration="theory").measured_on_target
    assert "measured on the target: noise, margin" in str(found)
    assert found.noise.shape == found.seed.shape == found.quantities["test_error"].null.shape == (12,)


def test_what_the_target_memorizes_is_not_looked_at():
    runs = made()
    other = runs.copy()
    noisy = (other.loss == "ls") & (other.noise > 0)
    other.loc[noisy, ["memorization", "noisy_margin", "dilation", "test_error"]] *= 1.7
    a, b = mdt.predict(runs), mdt.predict(other)
    for name, entry in a.quantities.items():
        np.testing.assert_array_equal(entry.model, b.quantities[name].model)
        np.testing.assert_array_equal(entry.null, b.quantities[name].null)
        assert not np.any(entry.measured == b.quantities[name].measured)


def test_shipped_runs_the_null_is_not_beaten():
    found = mdt.predict(measured_runs())
    assert found.noise.size == 100
    assert all(entry.verdict == "does not beat the null" for entry in found.quantities.values())
    assert found.quantities["relative_memorization"].null_error < 0.05


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"law": "transport"}, "law"),
        ({}, {"target": "hinge"}, "hinge"),
        ({}, {"train": "ls", "target": "ls"}, "target"),
        ({}, {"losses": {"ls": LS}}, "losses"),
        ({}, {"losses": {"ls": "LS", "cross-entropy": CE}}, "losses"),
        ({}, {"configuration": "guessed"}, "configuration"),
        ({}, {"nonnegative": "yes"}, "nonnegative"),
        ({"margin": 0.0}, {}, "margin"),
        ({"noisy_margin": np.nan}, {}, "noisy_margin"),
        ({"dilation": 60.0 - np.arange(48)}, {}, "must have dilation that grows"),
        ({"smoothing": np.linspace(0, 0.5, 48)}, {}, "smoothing"),
        ({"weight_decay": -1.0}, {}, "weight_decay"),
        ({"dilation": 0.0}, {}, "dilation"),
    ],
)
def test_runs_that_carry_no_prediction_are_refused(change, options, message):
    with pytest.raises(mdt.AssumptionError, match=message):
        mdt.predict(made().assign(**change), **options)


def test_missing_columns_and_missing_baselines_are_named():
    runs = made()
    with pytest.raises(mdt.AssumptionError, match="train_dilation"):
        mdt.predict(runs.drop(columns="train_dilation"))
    for name in ("cross-entropy", "ls"):
        with pytest.raises(mdt.AssumptionError, match="baseline"):
            mdt.predict(runs[(runs.noise > 0) | (runs.loss != name)])
