"""The real cohorts beside the project: each builds in one go, quickly, with the counts of its paper."""

from __future__ import annotations

import csv
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from features.cohort import Cohort
from features.counts import two_way
from features.overlap import overlap
from features.sources.manifest import build

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parent.parent
SECONDS = 20
"""Issue 3: each cohort builds in under 20 s."""

# manifest, sheet, arm: cases, responders, of n by the estimand, of n evaluable, with findings
EXPECTED = {
    ("loris", "Chowell_train", None): (964, 282, 964, 964, 0),
    ("loris", "MSK1", None): (453, 116, 453, 453, 0),
    ("loris", "Shim_NSCLC", None): (198, 61, 198, 198, 0),
    ("loris", "Vanguri_NSCLC", None): (246, 61, 246, 246, 0),
    ("loris", "MSK_nonICB", None): (841, 0, 0, 0, 0),
    ("oak", None, "atezolizumab"): (425, 58, 425, 395, 414),
    ("oak", None, "docetaxel"): (425, 57, 425, 351, 416),
    ("oak", None, None): (850, 115, 850, 746, 830),
    ("braun", None, "nivolumab"): (608, 137, 608, 577, 261),
    ("braun", None, "everolimus"): (397, 17, 397, 347, 193),
    ("liu", None, None): (144, 55, 144, 144, 143),
    ("rizvi18", None, None): (240, 69, 227, 227, 240),
    ("summit-biliary", None, None): (25, 4, 25, 19, 23),
}


@cache
def built(shared: Path, manifest: str, sheet: str | None = None, arm: str | None = None) -> tuple[Cohort, float]:
    """Build a cohort once for all tests, with the CPU seconds that it took."""
    start = time.process_time()
    cohort = build(ROOT / "experiments" / "cohorts" / f"{manifest}.yaml", shared / "data" / manifest, sheet, arm)
    return cohort, time.process_time() - start


@pytest.mark.parametrize("which", EXPECTED, ids=lambda which: "-".join(part for part in which if part))
def test_counts(which: tuple[str, str | None, str | None], shared_dir: Path) -> None:
    cohort, seconds = built(shared_dir, *which)
    report = cohort.build or {}
    known, evaluable = cohort.response[~np.isnan(cohort.response)], cohort.response_if_evaluable
    seen = (
        len(cohort),
        int(known.sum()),
        len(known),
        int((~np.isnan(evaluable)).sum()),
        int(cohort.batch().findings_recorded.sum()),
    )
    assert seen == EXPECTED[which]
    assert seconds < SECONDS
    assert report["unmapped"] == []
    assert report["rows_read"] == report["cases"] + sum(entry["count"] for entry in report["left_out"])


@pytest.mark.parametrize(
    ("arm", "gene", "altered", "wild_type"),
    [
        ("atezolizumab", "STK11", "2/23", "44/276"),
        ("atezolizumab", "EGFR", "4/30", "42/269"),
        ("atezolizumab", "KEAP1", "4/43", "42/256"),
        ("docetaxel", "STK11", "0/15", "40/259"),
    ],
)
def test_oak_sequenced_and_evaluable(arm: str, gene: str, altered: str, wild_type: str, shared_dir: Path) -> None:
    cohort, _ = built(shared_dir, "oak", None, arm)
    (row,) = two_way(cohort, [gene], calls="any", specimen="blood")
    assert f"{row.with_it.responders}/{row.with_it.n}" == altered
    assert f"{row.without.responders}/{row.without.n}" == wild_type
    assert row.fisher_p > 0.05


def test_who_was_not_sequenced_is_not_wild_type(shared_dir: Path) -> None:
    cohort, _ = built(shared_dir, "oak", None, "atezolizumab")
    sources = cohort.batch().texts["specimen.source"].texts()
    assert (sources.count("blood"), sources.count("tissue"), sources.count(None)) == (324, 90, 11)


@pytest.mark.parametrize(
    ("arm", "truncated", "others"), [("nivolumab", (25, 80), (31, 165)), ("everolimus", (1, 40), (4, 127))]
)
def test_braun_pbrm1(arm: str, truncated: tuple[int, int], others: tuple[int, int], shared_dir: Path) -> None:
    """The paper's PBRM1 column is a truncating or splice call; the same from the calls themselves."""
    cohort, _ = built(shared_dir, "braun", None, arm)
    batch = cohort.batch()
    kinds = ("Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site")
    hit = np.array([a.gene == "PBRM1" and a.variant_classification in kinds for a in batch.findings.levels])
    has = np.zeros(batch.n, dtype=bool)
    has[batch.findings.row[hit[batch.findings.codes]]] = True
    response = cohort.response_if_evaluable
    chosen = ~np.isnan(response) & batch.findings_recorded
    assert (int(response[chosen & has].sum()), int((chosen & has).sum())) == truncated
    assert (int(response[chosen & ~has].sum()), int((chosen & ~has).sum())) == others


def test_summit_erbb2_classes(shared_dir: Path) -> None:
    cohort, _ = built(shared_dir, "summit-biliary")
    rows = {row.finding: row for row in two_way(cohort, ["ERBB2_S310", "ERBB2_KINASE"], not_evaluable=True)}
    assert (rows["ERBB2_S310"].with_it.responders, rows["ERBB2_S310"].with_it.n) == (2, 11)
    assert (rows["ERBB2_KINASE"].with_it.responders, rows["ERBB2_KINASE"].with_it.n) == (1, 8)
    vafs = np.array(cohort.alterations.column("vaf").to_pylist(), dtype=float)
    assert 0.01 < np.nanmedian(vafs) < 0.5


def test_vanguri_shares_patients_with_the_msk_cohorts(shared_dir: Path) -> None:
    vanguri = built(shared_dir, "loris", "Vanguri_NSCLC")[0]
    found = overlap(vanguri, built(shared_dir, "loris", "Chowell_train")[0])
    assert found.matched == 64
    assert found.expected == pytest.approx(10, abs=3)
    assert found.probable
    assert overlap(vanguri, built(shared_dir, "loris", "MSK1")[0]).probable
    assert not overlap(vanguri, built(shared_dir, "loris", "Shim_NSCLC")[0]).probable


def test_nothing_is_invented_for_loris(shared_dir: Path) -> None:
    cohort = built(shared_dir, "loris", "Chowell_train")[0]
    cases = list(cohort)
    assert {(case.prior_systemic_therapy, case.prior_lines) for case in cases} == {(True, None), (False, 0)}
    assert {case.therapy.agents for case in cases} == {None}
    assert all(case.patient is not None and case.patient.sex is None and case.stage is None for case in cases)


def test_trial_families_are_those_of_the_published_arms(shared_dir: Path) -> None:
    with (shared_dir / "evidence" / "published_arms.csv").open(encoding="utf-8", newline="") as file:
        families = {row["cohort"]: row["trial_family"] for row in csv.DictReader(file) if row["cohort"]}
    for name, family in families.items():
        provenance = built(shared_dir, name)[0].provenance
        assert (provenance.published_cohort, provenance.trial_family) == (name, family)


def test_saved_and_loaded_again(shared_dir: Path, tmp_path: Path) -> None:
    cohort = built(shared_dir, "summit-biliary")[0]
    assert Cohort.load(cohort.save(tmp_path)).content_hash == cohort.content_hash
