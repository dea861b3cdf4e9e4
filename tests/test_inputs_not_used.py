"""What published arms alone do not read of a case is said beside the answer, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from features.case import read_case
from features.from_cases import batch_of
from models.answer import answer_of
from tests.quick_recipe import SETTINGS
from training.evidence_for import evidence_without
from training.fit import Recipe, fit_model
from training.pool import Pool

if TYPE_CHECKING:
    from features.table import Family
    from models.response import ResponseModel

KNOWN: dict[str, Any] = {
    "histology": "LUAD",
    "stage": "IV",
    "alterations": [{"gene": "EGFR", "kind": "mutation", "protein_change": "p.L858R"}],
    "tmb": {"mut_per_mb": 12.0},
    "mmr": {"ihc": "deficient"},
    "prior_lines": 1,
    "prior_therapies": [{"agents": ["carboplatin"], "line": 1, "best_response": "PD", "ended_days_before_index": 40}],
    "patient": {"nlr": 4.2, "pdl1_tps_percent": 50.0},
}


@lru_cache(maxsize=2)
def evidence_alone(family: Family) -> ResponseModel:
    """Published arms and a calibration of theirs on a few invented cases."""
    from features.sources.synthetic import draw

    settings = replace(SETTINGS, evidence=True, linear=replace(SETTINGS.linear, on=False))
    card = {"endpoint": "orr", "trained_on": "invented", "synthetic": True}
    evidence = evidence_without(family, (), ())
    return fit_model(
        Recipe(f"{family}-response", family, settings, evidence, (), (), card), Pool.of([draw(family, 120, 3)])
    )


def not_used(family: Family, agent: str, case: dict[str, Any] = KNOWN) -> list[str]:
    read = read_case({**case, "therapy": {"agents": [agent]}})
    warnings = answer_of(evidence_alone(family).answers(batch_of([read])), 0)["warnings"]
    said = [one["text"] for one in warnings if one["code"] == "inputs_not_used"]
    return said[0].rpartition(": ")[2].split(", ") if said else []


@pytest.mark.parametrize(
    ("family", "agent", "unused", "used"),
    [
        ("targeted", "osimertinib", {"tmb_mut_per_mb", "nlr", "last_response", "stage"}, {"prior_lines", "histology"}),
        ("checkpoint", "nivolumab", {"nlr", "last_response", "stage"}, {"tmb_mut_per_mb", "pdl1_tps_percent"}),
    ],
)
def test_what_arms_do_not_read_is_named_and_what_they_read_is_not(family, agent, unused, used):
    found = set(not_used(family, agent))
    assert unused <= found
    assert not used & found
    assert not any(one.startswith("mmr") for one in found) or family == "targeted"


@pytest.mark.parametrize(("family", "agent"), [("targeted", "osimertinib"), ("checkpoint", "nivolumab")])
def test_a_case_of_which_nothing_more_is_known_has_nothing_unused(family, agent):
    assert not_used(family, agent, {"histology": "LUAD"}) == []


UNTESTED = {"histology": "LUAD"}
NEGATIVE = {"gene": "EGFR", "kind": "mutation", "status": "absent"}


@pytest.mark.parametrize(
    ("case", "agent", "warned"),
    [
        (UNTESTED, "osimertinib", True),
        (
            UNTESTED | {"alterations": [{"gene": "TP53", "kind": "mutation", "protein_change": "p.R273H"}]},
            "gefitinib",
            True,
        ),
        (UNTESTED | {"alterations": KNOWN["alterations"]}, "osimertinib", False),
        (UNTESTED | {"alterations": [NEGATIVE]}, "osimertinib", False),
        (UNTESTED | {"assay": {"panel": "MSK-IMPACT468"}, "alterations": []}, "osimertinib", False),
        (UNTESTED, "bevacizumab", False),  # no alteration chooses it
    ],
)
def test_a_target_that_nobody_tested_is_said(case, agent, warned):
    read = read_case({**case, "therapy": {"agents": [agent]}})
    warnings = answer_of(evidence_alone("targeted").answers(batch_of([read])), 0)["warnings"]
    found = [one["text"] for one in warnings if one["code"] == "target_untested"]
    assert bool(found) is warned
    assert all("EGFR" in text for text in found)
