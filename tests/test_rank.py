"""The ranking: one order per endpoint, shared ranks, the same numbers as /predict, and never a directive."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.batch import regimen_key
from features.case import read_case
from features.errors import InvalidCase
from features.from_cases import batch_of
from features.regimens import regimen
from models.response import ResponseModel
from serving.body import TherapiesRefused
from serving.errors import NoModelForTherapy
from serving.more_openapi import EXAMPLE_RANK
from serving.predictor import Predictor
from serving.rank import HOW, LimitRefused, rank, ranks_of
from serving.rank_batch import side_by_side
from serving.rank_candidates import candidates
from tests.cases import golden

DIRECTIVE = re.compile(r"\b(should|must|give|start|prefer|best|recommended|choose|switch|avoid)\b", re.IGNORECASE)
MELANOMA = {
    "histology": "SKCM",
    "assay": {"panel": "MSK-IMPACT468"},
    "alterations": [{"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}],
    "prior_lines": 1,
    "prior_systemic_therapy": True,
    "tmb": {"mut_per_mb": 14.0},
    "patient": {"age_years": 58, "sex": "male", "ecog": 1, "albumin_g_per_dl": 4.1, "nlr": 2.0},
}
COLON = {
    **MELANOMA,
    "histology": "COAD",
    "alterations": [{"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12D"}],
}


@pytest.fixture(scope="module")
def predictor(served_models: Path) -> Predictor:
    loaded = Predictor.from_folder(served_models, synthetic=True)
    return Predictor({family: _however_wide(model) for family, model in loaded.by_family.items()})


def _however_wide(model: ResponseModel) -> ResponseModel:
    """A model of few cases has wide intervals; here it answers all the same, so that there is something to order."""
    rules = model.applicability
    return replace(model, applicability=replace(rules, settings=replace(rules.settings, widest_interval=1.0)))


@pytest.fixture(scope="module")
def full(predictor: Predictor) -> dict[str, Any]:
    return rank({**MELANOMA, "limit": 200}, predictor)


def _listed(ranking: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in ranking["lists"]:
        yield from one["therapies"]


def _key(entry: dict[str, Any]) -> str:
    return regimen_key(entry["therapy"].get("agents"), entry["therapy"].get("class"))


@pytest.mark.parametrize("row", golden("ranks"), ids=[row["case"] for row in golden("ranks")])
def test_ranks_are_shared_along_overlaps(row: dict[str, str]) -> None:
    assert ranks_of(json.loads(row["input"])) == json.loads(row["expected"])


def test_both_families_are_ordered_by_probability_within_one_endpoint(full: dict[str, Any]) -> None:
    assert [one["endpoint"] for one in full["lists"]] == ["orr"]
    entries = list(_listed(full))
    values = [one["answer"]["probability"] for one in entries]
    assert values == sorted(values, reverse=True)
    assert {one["answer"]["model"]["name"] for one in entries} == {"checkpoint-response", "targeted-response"}
    for above, one in pairwise(entries):
        overlaps = one["answer"]["interval"]["high"] >= above["answer"]["interval"]["low"]
        assert one["overlaps_above"] == overlaps == (one["rank"] == above["rank"])
    assert {"dabrafenib+trametinib", "nivolumab"} <= {_key(one) for one in entries}


def test_every_number_is_the_one_that_predict_gives(predictor: Predictor) -> None:
    for entry in _listed(rank({**MELANOMA, "limit": 8}, predictor)):
        [alone] = predictor.answers([read_case({**MELANOMA, "therapy": entry["therapy"]})])
        assert entry["answer"] == {**alone, "prediction_id": entry["answer"]["prediction_id"]}


def test_all_candidates_are_listed_abstained_or_named_as_not_judged(full: dict[str, Any]) -> None:
    found = full
    keys = [*(_key(one) for one in _listed(found)), *(_key(one) for one in found["abstained"]["therapies"])]
    assert sorted(keys) == sorted(key for key in candidates() if regimen(key).family != "other")
    assert {"chemotherapy", "endocrine"} <= {one["therapy_class"] for one in found["not_judged"]}
    assert all(one["reasons"] and "rank" not in one and "answer" not in one for one in found["abstained"]["therapies"])
    assert found["how"] == HOW


def test_the_limit_counts_lists_and_leaves_order_and_ranks_as_they_are(
    predictor: Predictor, full: dict[str, Any]
) -> None:
    short = rank({**MELANOMA, "limit": 3}, predictor)
    [few], [many] = short["lists"], full["lists"]
    assert len(few["therapies"]) == 3
    assert few["total"] == many["total"]
    assert [(_key(one), one["rank"]) for one in few["therapies"]] == [
        (_key(one), one["rank"]) for one in many["therapies"][:3]
    ]
    assert len(short["abstained"]["therapies"]) == min(3, short["abstained"]["total"])


def test_resistance_and_missing_support_are_named(predictor: Predictor) -> None:
    named = [{"agents": ["cetuximab"]}, {"agents": ["vemurafenib"]}]
    found = {_key(one): one for one in _listed(rank({**COLON, "therapies": named}, predictor))}
    abstained = {_key(one) for one in rank({**COLON, "therapies": named}, predictor)["abstained"]["therapies"]}
    assert set(found) | abstained == {"cetuximab", "vemurafenib"}
    if "cetuximab" in found:
        present = found["cetuximab"]["undone_by"]["present"]
        assert any("KRAS" in one["class"] for one in present)
        assert all(one["source"] for one in present)
    if "vemurafenib" in found:
        assert "target_unmatched" in {one["code"] for one in found["vemurafenib"]["not_supported"]}


def test_a_matched_therapy_with_an_arm_has_nothing_unsupported_about_its_target(predictor: Predictor) -> None:
    [entry] = _listed(rank({**MELANOMA, "therapies": [{"agents": ["vemurafenib"]}]}, predictor))
    assert entry["match"]["status"] == "matched"
    assert not {one["code"] for one in entry["not_supported"]} & {"no_published_arm", "target_unmatched"}
    assert entry["answer"]["evidence"]


def test_different_endpoints_are_listed_apart_and_never_ordered_together(predictor: Predictor) -> None:
    targeted = predictor.by_family["targeted"]
    other = replace(targeted, card={**targeted.card, "endpoint": "dcb"})
    found = rank({**MELANOMA, "limit": 5}, Predictor({**predictor.by_family, "targeted": other}))
    assert [one["endpoint"] for one in found["lists"]] == ["dcb", "orr"]
    for one in found["lists"]:
        assert {entry["answer"]["model"]["endpoint"] for entry in one["therapies"]} == {one["endpoint"]}
        assert one["therapies"][0]["rank"] == 1


def test_no_text_of_a_ranking_is_a_directive(full: dict[str, Any]) -> None:
    texts = [full["how"], *(said["text"] for one in _listed(full) for said in one["not_supported"])]
    assert not [text for text in texts if DIRECTIVE.search(text)]


@pytest.mark.parametrize("limit", [0, 201, -1, 1.5, "5", None, True, [], 10**30])
def test_a_limit_that_is_none_is_refused(predictor: Predictor, limit: object) -> None:
    with pytest.raises(LimitRefused):
        rank({**MELANOMA, "limit": limit}, predictor)


def test_what_cannot_be_ranked_is_refused(predictor: Predictor) -> None:
    with pytest.raises(InvalidCase):
        rank({"histology": "LAUD"}, predictor)
    with pytest.raises(InvalidCase):
        rank({}, predictor)
    with pytest.raises(NoModelForTherapy) as refused:
        rank({**MELANOMA, "therapies": [{"class": "pd1_pdl1"}, {"agents": ["carboplatin"]}]}, predictor)
    assert refused.value.field == "therapies[1]"
    with pytest.raises(TherapiesRefused):
        rank({**MELANOMA, "therapies": []}, predictor)


def test_one_case_side_by_side_is_each_laid_out_by_itself() -> None:
    case = {**MELANOMA, "prior_therapies": [{"agents": ["nivolumab"], "line": 1}]}
    keys = ["vemurafenib", "class:pd1_pdl1", "dabrafenib+trametinib"]
    cases = [
        read_case({**case, "therapy": {"class": key[6:]} if key.startswith("class:") else {"agents": key.split("+")}})
        for key in keys
    ]
    tiled, plain = side_by_side(batch_of(cases[:1]), keys), batch_of(cases)
    assert tiled.n == plain.n
    for path, values in plain.numbers.items():
        np.testing.assert_array_equal(tiled.numbers[path], values)
    for path, coded in plain.texts.items():
        assert tiled.texts[path].texts() == coded.texts()
    for name in ("row", "codes", "vaf", "copies"):
        np.testing.assert_array_equal(getattr(tiled.findings, name), getattr(plain.findings, name))
    assert tiled.findings.levels == plain.findings.levels
    assert tiled.priors.regimen.texts() == plain.priors.regimen.texts()
    np.testing.assert_array_equal(tiled.priors.row, plain.priors.row)
    np.testing.assert_array_equal(tiled.priors.line, plain.priors.line)
    np.testing.assert_array_equal(tiled.priors.recorded, plain.priors.recorded)


def test_a_ranking_takes_less_than_300_ms_of_this_processor(predictor: Predictor) -> None:
    rank(EXAMPLE_RANK, predictor)
    took = []
    for _ in range(3):
        began = time.process_time()
        rank({**EXAMPLE_RANK, "limit": 20}, predictor)
        took.append(time.process_time() - began)
    assert min(took) < 0.3
