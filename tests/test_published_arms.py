"""Published arms: every row resolves to the vocabularies, and an arm is read like the case it describes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest

from features.case import read_case
from features.errors import InvalidCase
from features.evidence_profile import profiles_of
from features.evidence_terms import family_of, terms_of
from features.from_cases import batch_of
from features.sources.published_arms import ArmCase, UnreadableArm, arms, finding
from features.vocabulary import table

if TYPE_CHECKING:
    from pathlib import Path

    from features.sources.published_arms import Arm

ARMS = arms()
BY_ID = {arm.arm_id: arm for arm in ARMS}
OF_THE_CASE = ("case_", "overlap_", "version")


def terms_of_case(raw: dict[str, Any]) -> dict[str, float]:
    (profile,), _ = profiles_of(batch_of([read_case(raw)]))
    return dict(terms_of(profile))


def terms_of_arm(arm: Arm, reading: int = 0) -> dict[str, float]:
    (profile,), _ = profiles_of(batch_of([arm.readings[reading][1]]))
    return dict(terms_of(profile))


@pytest.mark.shared
def test_the_facts_are_carried_over_exactly(shared_dir: Path) -> None:
    with (shared_dir / "evidence" / "published_arms.csv").open(encoding="utf-8") as file:
        given = sorted(csv.DictReader(file), key=lambda row: row["arm_id"])
    carried = [{k: v for k, v in row.items() if not k.startswith(OF_THE_CASE)} for row in table("published_arms")]
    assert carried == given


def test_ids_are_unique_and_sorted() -> None:
    ids = [arm.arm_id for arm in ARMS]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.arm_id)
def test_every_row_resolves(arm: Arm) -> None:
    assert abs(sum(weight for weight, _ in arm.readings) - 1) < 1e-12
    for weight, case in arm.readings:
        assert weight > 0
        assert isinstance(case, ArmCase)
        for alteration in case.alterations or ():
            assert alteration.gene == alteration.gene.upper()
    profiles, _ = profiles_of(batch_of([case for _, case in arm.readings]))
    if arm.role != "control":
        assert {family_of(profile) for profile in profiles} == {arm.family}
    printed = int(arm.printed["n"]) if arm.printed["n"] else None
    assert arm.treated == printed


def test_an_alteration_that_is_said_is_a_curated_class() -> None:
    unread = []
    for arm in ARMS:
        for profile in profiles_of(batch_of([case for _, case in arm.readings]))[0]:
            unread += [(arm.arm_id, one) for one in profile.findings or () if one.present and not one.reading.classes]
    assert unread == []


@pytest.mark.parametrize(
    ("line", "treated", "lines"),
    [("1L", False, 0), ("2L", True, 1), ("2L+", True, None), ("3L+", True, 2), ("mixed", None, None)],
)
def test_lines_are_prior_lines(line: str, treated: bool | None, lines: int | None) -> None:
    cases = [case for arm in ARMS if arm.printed["line"] == line for _, case in arm.readings]
    assert {(case.prior_systemic_therapy, case.prior_lines) for case in cases} == {(treated, lines)}


def test_what_is_not_fitted() -> None:
    assert not BY_ID["arrow_nsclc_naive_2022"].fits, "a later cut of another row"
    assert not BY_ID["cml_ap_hr"].fits, "haematologic response is shown, not fitted"
    assert not BY_ID["cm057_kl"].fits, "no n: orderings only"
    assert not BY_ID["eurtac_chemo"].fits, "a control"
    assert BY_ID["gainor_pos"].fits, "agents given as a class"
    assert sum(arm.judged for arm in ARMS if arm.family == "checkpoint") == 125
    assert sum(arm.judged for arm in ARMS if arm.family == "targeted") == 202


def test_a_basket_is_legal_for_an_arm_and_never_for_a_case() -> None:
    assert BY_ID["laro_55"].readings[0][1].histology == "MIXED"
    with pytest.raises(InvalidCase, match="basket"):
        read_case({"histology": "MIXED", "therapy": {"class": "pd1_pdl1"}})
    assert BY_ID["mdacc_matched"].readings[0][1].therapy.regimen_class == "targeted_unspecified"
    with pytest.raises(InvalidCase):
        read_case({"histology": "LUAD", "therapy": {"class": "targeted_unspecified"}})


V600E = {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}
LIKE_AN_ARM = [
    (
        "beacon_doublet",
        {
            "histology": "COADREAD",
            "alterations": [V600E],
            "prior_lines": 1,
            "therapy": {"agents": ["encorafenib", "cetuximab"]},
        },
    ),
    (
        "beacon_doublet",
        {
            "histology": "colorectal adenocarcinoma",
            "alterations": [{"gene": "BRAF", "kind": "mutation", "protein_change": "V600E"}],
            "prior_systemic_therapy": True,
            "therapy": {"agents": ["Erbitux", "Braftovi"]},
        },
    ),
    (
        "kn158_msi_endo",
        {
            "histology": "UCEC",
            "mmr": {"ihc": "deficient"},
            "prior_lines": 1,
            "therapy": {"agents": ["pembrolizumab"]},
        },
    ),
    (
        "kn158_tmbh_sclc",
        {
            "histology": "small cell lung cancer",
            "tmb": {"mut_per_mb": 16},  # amid the patients of an arm of 10 or more, not the least of them
            "prior_lines": 1,
            "therapy": {"agents": ["pembrolizumab"]},
        },
    ),
    (
        "empower_lung1",
        {
            "histology": "NSCLC",
            "patient": {"pdl1_tps_percent": 50},
            "prior_lines": 0,
            "therapy": {"agents": ["cemiplimab"]},
        },
    ),
    (
        "alta_b",
        {
            "histology": "NSCLC",
            "alterations": [{"gene": "ALK", "kind": "fusion", "partner": "EML4"}],
            "prior_lines": 1,
            "prior_therapies": [{"agents": ["Xalkori"]}],
            "therapy": {"agents": ["brigatinib"]},
        },
    ),
    (
        "drup_pt_crc",
        {
            "histology": "COADREAD",
            "alterations": [{"gene": "HER2", "kind": "amplification"}],
            "prior_lines": 3,
            "therapy": {"agents": ["trastuzumab", "pertuzumab"]},
        },
    ),
    (
        "immunot_alk",
        {
            "histology": "NSCLC",
            "alterations": [{"gene": "ALK", "kind": "fusion"}],
            "prior_lines": 1,
            "therapy": {"class": "pd1_pdl1"},
        },
    ),
]


@pytest.mark.parametrize(("arm_id", "case"), LIKE_AN_ARM, ids=[arm_id for arm_id, _ in LIKE_AN_ARM])
def test_a_case_like_an_arm_has_the_terms_of_the_arm(arm_id: str, case: dict[str, Any]) -> None:
    assert terms_of_case(case) == terms_of_arm(BY_ID[arm_id])


def test_an_unreadable_finding_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(UnreadableArm, match="'V600E' is neither a kind of alteration nor a protein change"):
        finding("BRAF V600E", "some_arm")
    with pytest.raises(UnreadableArm, match="no attribute"):
        finding("BRAF p.V600E often", "some_arm")


def test_overlap_groups_have_fewer_patients_than_their_arms_list() -> None:
    groups: dict[str, list[Arm]] = {}
    for arm in ARMS:
        if arm.overlap_group:
            groups.setdefault(arm.overlap_group, []).append(arm)
    for name, members in groups.items():
        (patients,) = {arm.overlap_patients for arm in members}
        assert patients is not None
        assert max(arm.treated or 0 for arm in members) <= patients < sum(arm.treated or 0 for arm in members), name
