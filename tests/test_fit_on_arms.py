"""A family without patients: evidence alone, calibrated on arms whose own trial family was held out."""

from __future__ import annotations

import numpy as np
import pytest

from models.inputs import logistic
from models.response_fit import fit_response
from models.settings import BoostedSettings, CalibrationSettings, LinearSettings, ResponseSettings
from tests.invented_models import InventedEvidence, InventedTable, draw

SETTINGS = ResponseSettings(
    linear=LinearSettings(on=False),
    boosted=BoostedSettings(on=False),
    calibration=CalibrationSettings(method="affine"),
)
ARMS = draw(120, seed=41)
N = np.random.default_rng(2).integers(15, 300, 120).astype(float)
TRUTH = 0.8 * InventedEvidence().evaluate(ARMS.batch).log_odds + 0.2
RATE = np.random.default_rng(3).binomial(N.astype(int), logistic(TRUTH)) / N


def fit(held_out=None):
    return fit_response(
        ARMS.batch,
        RATE,
        [f"trial-{i // 3}" for i in range(120)],
        table=InventedTable.of(ARMS.batch),
        evidence=InventedEvidence(),
        settings=SETTINGS,
        card={"name": "invented-response"},
        weight=N,
        held_out_evidence=held_out,
    )


def test_responders_of_n_calibrate_the_evidence():
    model = fit().model
    assert model.terms.evidence_weight == 1.0
    assert model.calibration.a == pytest.approx(0.8, abs=0.1)
    assert model.calibration.b == pytest.approx(0.2, abs=0.1)
    assert model.card["fit"]["cases"] == N.sum()


def test_the_calibrator_sees_held_out_evidence_and_the_answer_the_whole():
    held_out = 0.5 * InventedEvidence().evaluate(ARMS.batch).log_odds
    found = fit(held_out)
    np.testing.assert_array_equal(found.out_of_fold, held_out)
    assert found.model.calibration.a == pytest.approx(1.6, abs=0.2)
    scores = found.model.answers(ARMS.batch).scores
    np.testing.assert_allclose(scores.z, InventedEvidence().evaluate(ARMS.batch).log_odds, atol=1e-12)
    assert np.average(scores.log_odds, weights=N) == pytest.approx(scores.base, abs=1e-9)
