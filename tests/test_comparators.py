"""Comparators: LORIS against the printed formulas, rules that say when they cannot tell, rivals fitted on training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.case import Case, read_case
from features.from_cases import batch_of
from models.comparators import PUBLISHED, comparator_flags, msi_high
from models.comparators_fitted import BaseRate, HistologyBaseRate, RecalibratedLoris
from models.loris import LorisNsclc, LorisPanCancer, only_loris_inputs, prior_systemic_therapy
from models.metrics import auroc
from models.metrics_calibration import recalibration
from tests.cases import golden


def case(**fields: Any) -> Case:
    return read_case({"histology": "MEL", "therapy": {"class": "pd1_pdl1"}, **fields})


def golden_case(text: str) -> Case:
    read = dict(part.split("=") for part in text.split(";"))
    names = {"albumin_g_per_dl": "albumin", "nlr": "nlr", "age_years": "age", "pdl1_tps_percent": "pdl1"}
    patient = {field: read[short] for field, short in names.items()}
    return case(
        histology=read["histology"],
        tmb={"mut_per_mb": float(read["tmb"])},
        prior_systemic_therapy=read["prior"] == "1",
        patient={name: float(value) for name, value in patient.items() if value},
    )


@pytest.mark.parametrize("row", golden("loris"), ids=lambda row: row["case"])
def test_loris_equals_the_printed_formula(row):
    batch = batch_of([golden_case(row["input"])])
    for loris, expected in ((LorisPanCancer(), row["expected"]), (LorisNsclc(), row["expected_nsclc"])):
        found = float(loris.score(batch)[0])
        assert found == pytest.approx(float(expected), abs=1e-11) if expected else np.isnan(found)


def test_loris_is_not_made_up_where_its_inputs_are_unknown():
    unknown = batch_of([case(), case(tmb={"mut_per_mb": 5.0}), case(prior_lines=0, patient={"age_years": 60.0})])
    assert np.isnan(LorisPanCancer().score(unknown)).all()


def test_prior_therapy_is_as_recorded_else_implied():
    cases = [
        case(prior_systemic_therapy=True),
        case(prior_lines=2),
        case(prior_lines=0),
        case(prior_therapies=[{"agents": ["carboplatin"]}]),
        case(prior_therapies=[]),
        case(),
    ]
    assert prior_systemic_therapy(batch_of(cases)).tolist()[:5] == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert np.isnan(prior_systemic_therapy(batch_of(cases))[5])


def test_rules_say_when_they_cannot_tell():
    cases = [
        case(tmb={"mut_per_mb": 10.0}),
        case(tmb={"mut_per_mb": 9.9}, mmr={"msi_pcr": "MSS"}),
        case(tmb={"mut_per_mb": 9.9}),
        case(mmr={"ihc": "deficient", "msi_ngs": "MSS"}),
        case(),
    ]
    batch = batch_of(cases)
    flags = [comparator_flags(batch, row) for row in range(5)]
    assert [one["tmb_10_or_more"] for one in flags] == [True, False, False, None, None]
    assert [one["msi_high_or_tmb_10"] for one in flags] == [True, False, None, True, None]
    scores = {one.name: one.score(batch) for one in PUBLISHED}
    assert np.array_equal(scores["msi_high_or_tmb_10"], [np.nan, 0, np.nan, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(msi_high(batch), [np.nan, 0, np.nan, 1, np.nan], equal_nan=True)


def test_flags_are_those_of_the_case_alone_whatever_the_batch():
    cases = [golden_case(row["input"]) for row in golden("loris")]
    together = batch_of(cases)
    alone = [comparator_flags(batch_of([one]), 0) for one in cases]
    assert [comparator_flags(together, row) for row in range(len(cases))] == alone
    assert alone[0]["loris_pan_cancer"]["what"] == "score, not a probability"
    assert "loris_nsclc" in alone[2]
    assert "loris_nsclc" not in alone[3]


def test_targeted_therapy_has_no_checkpoint_comparators():
    batch = batch_of([case(histology="LUAD", therapy={"agents": ["osimertinib"]}, tmb={"mut_per_mb": 20.0})])
    assert comparator_flags(batch, 0) == {}


def drawn(n=400, seed=0):
    random = np.random.default_rng(seed)
    codes = random.choice(["MEL", "LUAD", "COADREAD", "PAAD"], n, p=[0.4, 0.4, 0.17, 0.03])
    cases = [
        case(
            histology=str(code),
            tmb={"mut_per_mb": float(random.gamma(2, 5))},
            prior_systemic_therapy=bool(random.integers(0, 2)),
            patient={"age_years": float(random.integers(30, 80)), "albumin_g_per_dl": float(random.normal(3.9, 0.4))},
        )
        for code in codes
    ]
    rate = {"MEL": 0.45, "LUAD": 0.2, "COADREAD": 0.1, "PAAD": 0.02}
    return batch_of(cases), np.array([float(random.random() < rate[code]) for code in codes])


def test_base_rates_are_learned_and_shrunk_along_the_lineage():
    batch, y = drawn()
    assert BaseRate.fit(y).score(batch).tolist() == [pytest.approx(y.mean())] * batch.n
    fitted = HistologyBaseRate.fit(batch, y)
    rates = dict(zip(batch.texts["histology"].texts(), fitted.score(batch).tolist(), strict=True))
    assert rates["MEL"] > y.mean() > rates["COADREAD"]
    assert 0 < rates["PAAD"] < 1
    unseen = batch_of([case(histology="LUSC"), case(histology="PRAD")])
    lung, prostate = fitted.score(unseen).tolist()
    assert lung == fitted.rates["NSCLC"]
    assert prostate == fitted.overall


def test_recalibrated_loris_is_calibrated_on_its_training_cases():
    batch, y = drawn(seed=3)
    fitted = RecalibratedLoris.fit(batch, y)
    again = recalibration(y, fitted.score(batch))
    assert again.intercept == pytest.approx(0.0, abs=1e-6)
    assert again.slope == pytest.approx(1.0, abs=1e-6)
    order = np.argsort(LorisPanCancer().score(batch))
    assert np.all(np.diff(fitted.score(batch)[order]) >= 0) == (fitted.slope >= 0)


def test_loris_inputs_leave_nothing_else_known():
    batch, _ = drawn(n=20)
    masked = only_loris_inputs(batch)
    assert np.array_equal(LorisPanCancer().score(masked), LorisPanCancer().score(batch), equal_nan=True)
    known = {path for path, values in masked.numbers.items() if not np.isnan(values).all()}
    blood = {"patient.albumin_g_per_dl", "patient.nlr"}
    assert known <= {"tmb.mut_per_mb", "patient.age_years", "prior_systemic_therapy", *blood}
    assert {path for path, column in masked.texts.items() if column.levels} == {"histology", "therapy"}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("sheet", "expected"), [("Chowell_train", 0.741), ("MSK1", 0.699), ("Shim_NSCLC", 0.605), ("Vanguri_NSCLC", 0.664)]
)
def test_loris_ranks_as_it_was_recomputed_on_the_published_cohorts(shared_dir, project_root, sheet, expected):
    from features.sources.manifest import build

    manifest = project_root / "experiments" / "cohorts" / "loris.yaml"
    cohort = build(manifest, shared_dir / "data" / "loris" / "AllData.xlsx", sheet=sheet)
    score = LorisPanCancer().score(cohort.batch())
    held = np.isfinite(score)
    assert held.mean() > 0.95
    assert auroc(cohort.response[held], score[held]) == pytest.approx(expected, abs=0.0006)
