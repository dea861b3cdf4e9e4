"""The evidence term: parts that sum, an exact store, unknowns that widen, and no arm of a patient's own trial."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.case import read_case
from features.from_cases import batch_of
from features.sources.published_arms import arms
from features.vocabulary import table
from models.evidence import EvidenceTerm
from models.evidence_arms import contrasts_of, rows_of
from models.evidence_design import data_of, declared, names_of, pools_of, rules
from models.evidence_fit import improbability, posterior

ARMS = {family: [arm for arm in arms() if arm.family == family] for family in ("checkpoint", "targeted")}
EVIDENCE = {family: EvidenceTerm.fit(of_family) for family, of_family in ARMS.items()}
OAK = {"histology": "NSCLC", "prior_lines": 1, "therapy": {"agents": ["atezolizumab"]}}
BEACON = {
    "histology": "COADREAD",
    "alterations": [{"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}],
    "prior_lines": 1,
    "therapy": {"agents": ["encorafenib", "cetuximab"]},
}


def batch(*cases: dict[str, Any]) -> Any:
    return batch_of([read_case(case) for case in cases])


def rate(family: str, case: dict[str, Any]) -> float:
    return float(1 / (1 + np.exp(-EVIDENCE[family].evaluate(batch(case)).log_odds[0])))


def everyone(family: str) -> Any:
    return batch_of([case for arm in ARMS[family] for _, case in arm.readings])


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_parts_and_terms_sum_to_the_log_odds(family: str) -> None:
    cases = everyone(family)
    found = EVIDENCE[family].evaluate(cases)
    assert np.abs(found.parts.sum(axis=1) - found.log_odds).max() <= 1e-12
    assert (found.variance >= 0).all()
    for row in range(0, cases.n, 25):
        assert abs(sum(z for _, _, z in EVIDENCE[family].terms(cases, row)) - found.log_odds[row]) <= 1e-9


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_json_round_trip_is_exact(family: str) -> None:
    stored = json.loads(json.dumps(EVIDENCE[family].to_json()))
    again = EvidenceTerm.from_json(stored)
    cases = everyone(family)
    before, after = EVIDENCE[family].evaluate(cases), again.evaluate(cases)
    assert (before.parts == after.parts).all()
    assert (before.variance == after.variance).all()
    assert (before.covered == after.covered).all()
    assert again.to_json() == EVIDENCE[family].to_json()
    assert again.nearest_arms(cases, 0) == EVIDENCE[family].nearest_arms(cases, 0)


def test_the_same_arms_give_the_same_bits() -> None:
    assert EvidenceTerm.fit(ARMS["checkpoint"]).to_json() == EVIDENCE["checkpoint"].to_json()


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_one_case_and_many_agree_to_the_bit(family: str) -> None:
    cases = [case for arm in ARMS[family][:40] for _, case in arm.readings]
    together = EVIDENCE[family].evaluate(batch_of(cases))
    alone = [EVIDENCE[family].evaluate(batch_of([case])) for case in cases]
    assert together.log_odds.tolist() == [float(one.log_odds[0]) for one in alone]
    assert together.variance.tolist() == [float(one.variance[0]) for one in alone]


# --- leakage ------------------------------------------------------------------------------------------------------


def test_with_oak_at_hand_no_arm_of_oak_is_left() -> None:
    without = EvidenceTerm.fit(ARMS["checkpoint"], drop_cohorts=["oak"])
    assert "oak" in {row.arm_id for row in EVIDENCE["checkpoint"].arms}
    assert "oak" not in {row.trial_family for row in without.arms}
    assert {arm["arm_id"] for arm in EVIDENCE["checkpoint"].nearest_arms(batch(OAK), 0, k=3)} >= {"oak"}
    assert "oak" not in {arm["arm_id"] for arm in without.nearest_arms(batch(OAK), 0, k=500)}


def test_the_counts_of_a_left_out_trial_do_not_matter() -> None:
    """Whatever OAK had found, the evidence without it is the same to the bit."""
    from dataclasses import replace

    other = [replace(arm, responders=400) if arm.arm_id == "oak" else arm for arm in ARMS["checkpoint"]]
    one = EvidenceTerm.fit(ARMS["checkpoint"], drop_cohorts=["oak"]).evaluate(batch(OAK))
    two = EvidenceTerm.fit(other, drop_cohorts=["oak"]).evaluate(batch(OAK))
    assert float(one.log_odds[0]) == float(two.log_odds[0])
    assert float(EvidenceTerm.fit(other).evaluate(batch(OAK)).log_odds[0]) > float(one.log_odds[0])


def test_a_cohort_takes_its_whole_trial_with_it() -> None:
    without = EvidenceTerm.fit(ARMS["targeted"], drop_cohorts=["summit-biliary"])
    assert "summit" not in {row.trial_family for row in without.arms}
    assert "summit_breast" not in {row.arm_id for row in without.arms}
    same = EvidenceTerm.fit(ARMS["targeted"], drop_families=["summit"])
    assert same.to_json() == without.to_json()


def test_parts_and_their_whole_count_once() -> None:
    by_id = {row.arm_id: row for row in rows_of(ARMS["targeted"])}
    listed = sum(row.n * row.weight for name, row in by_id.items() if name.startswith("pt02_"))
    assert listed == pytest.approx(267)
    assert by_id["beacon_doublet"].weight == 0.5, "its denominator was not read"


# --- what is not known --------------------------------------------------------------------------------------------

PIK3CA = [{"gene": "PIK3CA", "kind": "mutation", "protein_change": "p.H1047R"}]


def test_a_match_without_evidence_has_no_uplift_over_its_histology() -> None:
    case = {"histology": "NSCLC", "prior_lines": 1, "therapy": {"agents": ["everolimus"]}}
    matched = EVIDENCE["targeted"].evaluate(batch({**case, "alterations": PIK3CA}, {**case, "alterations": []}))
    assert not matched.covered.any()
    assert matched.log_odds[0] <= matched.log_odds[1]
    assert EVIDENCE["targeted"].nearest_arms(batch({**case, "alterations": PIK3CA}), 0) == []


def test_a_match_of_a_class_given_in_the_histology_counts_as_unknown() -> None:
    case = {"histology": "BCC", "therapy": {"agents": ["sonidegib"]}}
    ptch1 = [{"gene": "PTCH1", "kind": "mutation", "protein_change": "p.Q365*"}]
    assert rate("targeted", {**case, "alterations": ptch1}) == rate("targeted", case)


def test_a_mutation_without_notation_is_near_those_the_regimen_needs() -> None:
    case = {"histology": "NSCLC", "prior_lines": 0, "therapy": {"agents": ["gefitinib"]}}
    bare = {**case, "alterations": [{"gene": "EGFR", "kind": "mutation"}]}
    named = {**case, "alterations": [{"gene": "EGFR", "kind": "mutation", "protein_change": "p.L858R"}]}
    assert rate("targeted", bare) == pytest.approx(rate("targeted", named), abs=0.1)


def test_a_checkpoint_regimen_with_a_class_no_arm_gave_is_not_covered() -> None:
    with_chemotherapy = {**OAK, "therapy": {"agents": ["pembrolizumab", "carboplatin", "pemetrexed"]}}
    assert not EVIDENCE["checkpoint"].evaluate(batch(with_chemotherapy)).covered[0]


def test_biomarkers_of_checkpoint_blockade_speak_whatever_is_given_beside_it() -> None:
    case = {"histology": "GASTRIC", "therapy": {"agents": ["nivolumab", "fluorouracil", "oxaliplatin"]}}
    deficient, proficient = ({**case, "mmr": {"ihc": status}} for status in ("deficient", "proficient"))
    assert rate("checkpoint", deficient) > rate("checkpoint", case) > rate("checkpoint", proficient)


def test_proficient_mismatch_repair_says_the_same_in_every_histology() -> None:
    """What a histology is worth is worth in proficient tumours; deficiency is worth something of its own there."""
    said = {}
    for histology, agents in [
        ("COAD", ["nivolumab"]),
        ("SKCM", ["pembrolizumab", "lenvatinib"]),
        ("STAD", ["oxaliplatin", "nivolumab"]),
    ]:
        cases = [
            {"histology": histology, "therapy": {"agents": agents}, "mmr": {"ihc": status}}
            for status in ("proficient", "deficient")
        ]
        names = [
            {name for name, _, _ in EVIDENCE["checkpoint"].terms(batch(*cases), row) if "mmr" in name} for row in (0, 1)
        ]
        assert names[0] == {"biomarker:mmr proficient"}
        said[histology] = names[1]
    assert "biomarker_x_histology:mmr deficient in COAD" in said["COAD"]


def test_an_unmatched_therapy_is_penalised() -> None:
    wild = [{"gene": "EGFR", "kind": "mutation", "status": "absent"}]
    case = {"histology": "LUAD", "prior_lines": 0, "therapy": {"agents": ["gefitinib"]}}
    assert rate("targeted", {**case, "alterations": wild}) < 0.1 < rate("targeted", case)


def test_unknown_is_not_negative() -> None:
    case = {"histology": "LUAD", "therapy": {"agents": ["gefitinib"]}}
    empty, wild = {**case, "alterations": []}, {**case, "alterations": [], "assay": {"genes_tested": ["EGFR"]}}
    found = EVIDENCE["targeted"].evaluate(batch(empty, wild)).log_odds
    assert found[0] != found[1]


def test_the_line_follows_from_the_list_of_earlier_regimens() -> None:
    before = [{"agents": ["carboplatin", "pemetrexed"], "line": 1}, {"agents": ["docetaxel"], "line": 2}]
    listed = {"histology": "NSCLC", "prior_therapies": before, "therapy": {"agents": ["nivolumab"]}}
    assert rate("checkpoint", listed) == rate("checkpoint", {**listed, "prior_lines": 2})
    once = {**listed, "prior_therapies": before[:1]}
    assert rate("checkpoint", once) == rate("checkpoint", {**once, "prior_lines": 1})
    assert rate("checkpoint", listed) != rate("checkpoint", once)


def test_a_new_agent_widens() -> None:
    known = EVIDENCE["checkpoint"].evaluate(batch({**OAK, "therapy": {"agents": ["nivolumab"]}}))
    new = EVIDENCE["checkpoint"].evaluate(batch({**OAK, "therapy": {"agents": ["toripalimab"]}}))
    assert new.covered[0]
    assert new.variance[0] > known.variance[0]


def test_the_other_family_is_not_covered() -> None:
    assert not EVIDENCE["targeted"].evaluate(batch(OAK)).covered[0]
    chemotherapy = {"histology": "LUAD", "therapy": {"class": "chemotherapy"}}
    assert not EVIDENCE["checkpoint"].evaluate(batch(chemotherapy)).covered[0]


def test_arms_of_two_families_are_refused() -> None:
    with pytest.raises(ValueError, match="one family"):
        EvidenceTerm.fit(arms())


# --- metamorphic --------------------------------------------------------------------------------------------------


def test_the_arm_itself_is_the_nearest() -> None:
    first = EVIDENCE["targeted"].nearest_arms(batch(BEACON), 0, k=1)[0]
    assert (first["arm_id"], first["n"], first["orr_percent"]) == ("beacon_doublet", 113, 20.0)


PASSENGERS = [
    {"gene": "TTN", "kind": "mutation", "protein_change": "p.A123V"},
    {"gene": "MUC16", "kind": "mutation", "protein_change": "p.G7S"},
]


@given(st.permutations([*BEACON["alterations"], *PASSENGERS]), st.permutations(["Erbitux", "encorafenib"]))  # type: ignore[misc]
@settings(max_examples=20)
def test_order_synonyms_and_passengers_do_not_matter(alterations: list[Any], agents: list[str]) -> None:
    case = {**BEACON, "alterations": alterations, "therapy": {"agents": agents}}
    assert rate("targeted", case) == rate("targeted", BEACON)


def test_blood_that_found_nothing_is_not_wild_type() -> None:
    case = {"histology": "LUAD", "therapy": {"agents": ["gefitinib"]}, "alterations": []}
    tested = {"assay": {"genes_tested": ["EGFR"]}}
    tissue, blood = {**case, **tested}, {**case, **tested, "specimen": {"source": "blood"}}
    assert rate("targeted", blood) > rate("targeted", tissue)


def test_a_case_is_quick() -> None:
    """Under 100 microseconds of CPU, best of several (issue 4's hot path)."""
    one = batch(BEACON)
    EVIDENCE["targeted"].evaluate(one)
    best = min(_seconds(one) for _ in range(15))
    assert best < 100e-6


def _seconds(one: Any, repeats: int = 50) -> float:
    start = time.process_time()
    for _ in range(repeats):
        EVIDENCE["targeted"].evaluate(one)
    return (time.process_time() - start) / repeats


# --- the fit ------------------------------------------------------------------------------------------------------


def test_the_mode_is_that_of_penalised_logistic_regression() -> None:
    """Coefficients solve the score equations of ridge logistic regression, the trials' deviations included."""
    rows = rows_of(ARMS["checkpoint"])
    pools, names = pools_of("checkpoint"), names_of("checkpoint", rows, [])
    data = data_of("checkpoint", rows, [], names, pools)
    variances = declared(pools)
    found = posterior(data, variances)
    score = data.terms.T @ data.gradient(found.latent)
    ridge = (found.coefficients - data.prior_mean) / variances.of_group[data.groups]
    assert np.abs(score - ridge).max() < 1e-5


def test_doubling_the_patients_narrows() -> None:
    from dataclasses import replace

    rows = rows_of(ARMS["checkpoint"])
    twice = [replace(row, weight=2 * row.weight) for row in rows]
    variances = EVIDENCE["checkpoint"].variances
    once, doubled = (EvidenceTerm.of_rows("checkpoint", some, variances) for some in (rows, twice))
    assert doubled.evaluate(batch(OAK)).variance[0] < once.evaluate(batch(OAK)).variance[0]


def test_the_gradient_of_the_marginal_likelihood_is_right() -> None:
    """Analytic against central differences, away from the optimum; contrasts are in it."""
    rows, contrasts = rows_of(ARMS["targeted"])[:50], contrasts_of("targeted")
    pools, names = pools_of("targeted"), names_of("targeted", rows, contrasts)
    data = data_of("targeted", rows, contrasts, names, pools)
    centre = declared(pools).packed()
    parts, logs = data.kernels(len(pools)), centre + np.linspace(-0.5, 0.7, len(centre))
    _, gradient, _ = improbability(logs, centre, parts, data)
    for place, step in enumerate(1e-4 * np.eye(len(logs))):
        up, down = (improbability(logs + sign * step, centre, parts, data)[0] for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / 2e-4, abs=2e-4)


def test_every_rule_has_a_size_and_a_source() -> None:
    for row in table("evidence_rules"):
        assert row["source"].startswith(("PMID ", "PMC"))
        assert row["note"]
        assert float(row["prior_mean"]) == rules(row["family"])[row["term"]]
        assert row["term"] in EVIDENCE[row["family"]].names, "a rule about a term that no arm has"
    assert len(EVIDENCE["targeted"].contrasts) == len(table("evidence_contrasts"))


# --- what arms say of what is nearly what they gave ---------------------------------------------------------------

GIST = {"histology": "GIST", "alterations": [{"gene": "PDGFRA", "kind": "mutation", "protein_change": "p.D842V"}]}
ALK = {"histology": "NSCLC", "alterations": [{"gene": "ALK", "kind": "fusion", "partner": "EML4"}], "prior_lines": 1}


def test_a_class_speaks_to_each_gene_it_is_named_for() -> None:
    """No arm that is fitted acted on PDGFRA; the class is named for KIT and PDGFRA, and arms of it acted on KIT."""
    met, undone = ({**GIST, "therapy": {"agents": [agent]}} for agent in ("avapritinib", "imatinib"))
    assert EVIDENCE["targeted"].evaluate(batch(met)).covered[0]
    assert rate("targeted", met) > 0.5 > 0.25 > rate("targeted", undone)


def test_a_class_does_not_speak_to_a_gene_that_no_arm_of_it_comes_near() -> None:
    case = {"histology": "CHOL", "prior_lines": 1, "therapy": {"agents": ["ivosidenib"]}}
    idh1 = [{"gene": "IDH1", "kind": "mutation", "protein_change": "p.R132C"}]
    assert not EVIDENCE["targeted"].evaluate(batch({**case, "alterations": idh1})).covered[0]


def test_the_same_generation_again_is_worth_less_than_a_later_one() -> None:
    def after(earlier: str) -> float:
        prior = [{"agents": [earlier]}]
        return rate("targeted", {**ALK, "prior_therapies": prior, "therapy": {"agents": ["brigatinib"]}})

    assert after("alectinib") < after("crizotinib") < rate("targeted", {**ALK, "therapy": {"agents": ["brigatinib"]}})


def test_a_target_found_in_two_ways_counts_once() -> None:
    amplified = {"gene": "ERBB2", "kind": "amplification"}
    stained = {"gene": "ERBB2", "kind": "expression", "level": "3+"}
    case = {"histology": "CHOL", "prior_lines": 1, "therapy": {"agents": ["zanidatamab"]}}
    one, other, both = (
        rate("targeted", {**case, "alterations": found}) for found in ([amplified], [stained], [amplified, stained])
    )
    assert min(one, other) <= both


# --- TMB is a number ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("histology", "agent"), [("LUAD", "pembrolizumab"), ("SKCM", "nivolumab")])
@pytest.mark.parametrize(("scale", "most"), [("mut_per_mb", 60.0), ("exome_nonsynonymous_count", 1000.0)])
def test_evidence_rises_with_tmb_and_does_not_leap(histology: str, agent: str, scale: str, most: float) -> None:
    """A cut-point at 10 gave an adenocarcinoma of the lung 12% at 9.9 mut/Mb and 26% at 10."""
    burdens = np.geomspace(most / 200, most, 400)
    case = {"histology": histology, "prior_lines": 1, "therapy": {"agents": [agent]}}
    found = EVIDENCE["checkpoint"].evaluate(batch(*({**case, "tmb": {scale: float(one)}} for one in burdens)))
    steps = np.diff(found.log_odds)
    assert (steps >= 0).all()
    assert steps.max() < 0.3
    assert found.log_odds[-1] - found.log_odds[0] > 1.0


def test_arms_of_a_cut_point_are_of_one_level() -> None:
    by_id = {row.arm_id: row.terms for row in rows_of(ARMS["checkpoint"])}
    assert by_id["kn158_tmbh"]["biomarker:tmb high"] == 1.0
    assert "biomarker:tmb low" not in by_id["kn158_tmbh"]
    assert by_id["kn158_tmbl_sclc"]["biomarker:tmb low"] == 1.0
