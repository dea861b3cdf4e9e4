"""Agents and classes: golden spellings, refusals, and regimens that do not depend on how they are written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.agents import agent, agents, resolve_agent, resolve_class
from features.batch import regimen_key
from features.errors import UnknownAgent, UnknownTherapyClass
from features.regimens import printed_regimen, regimen
from features.therapy_classes import class_facts, classes

GOLDEN = Path(__file__).parent / "golden" / "agents.csv"
with GOLDEN.open(encoding="utf-8", newline="") as file:
    SPELLINGS = list(csv.DictReader(file))

COMBINATIONS = [
    (["Tafinlar", "Mekinist"], "braf+mek", "targeted"),
    (["trametinib", "dabrafenib 150 mg"], "braf+mek", "targeted"),
    (["cetuximab", "encorafenib"], "braf+egfr", "targeted"),
    (["panitumumab", "vemurafenib"], "braf+egfr", "targeted"),
    (["binimetinib", "cetuximab", "encorafenib"], "braf+mek+egfr", "targeted"),
    (["ipilimumab", "nivolumab"], "pd1_pdl1+ctla4", "checkpoint"),
    (["tremelimumab", "durvalumab"], "pd1_pdl1+ctla4", "checkpoint"),
    (["Opdualag"], "pd1_pdl1+lag3", "checkpoint"),
    (["relatlimab", "nivolumab"], "pd1_pdl1+lag3", "checkpoint"),
    (["pembrolizumab", "carboplatin", "pemetrexed"], "pd1_pdl1+chemotherapy", "checkpoint"),
    (["lenvatinib", "pembrolizumab"], "pd1_pdl1+vegfr", "mixed"),
    (["atezolizumab", "bevacizumab"], "pd1_pdl1+vegf", "mixed"),
    (["sotorasib", "panitumumab"], "kras_g12c+egfr", "targeted"),
    (["fulvestrant", "alpelisib"], "pi3k+endocrine", "targeted"),
    (["tucatinib", "trastuzumab"], "her2_antibody+her2_tki", "targeted"),
    (["trastuzumab", "pertuzumab"], "her2_antibody", "targeted"),
    (["Phesgo"], "her2_antibody", "targeted"),
    (["FOLFOX"], "chemotherapy", "other"),
    (["FOLFOX", "cetuximab"], "egfr+chemotherapy", "targeted"),
    (["prednisone", "abiraterone"], "endocrine", "other"),
]


@pytest.mark.parametrize("row", SPELLINGS, ids=[row["case"] + " " + row["input"] for row in SPELLINGS])
def test_golden_spelling(row: dict[str, str]) -> None:
    assert resolve_agent(row["input"]) == row["expected"]


@pytest.mark.parametrize("seen", ["", "placebo", "xyzzy", "pembro", "1 mg", "BRAF inhibitor", "nivolumab+ipilimumab"])
def test_an_unknown_agent_is_refused_with_names(seen: str) -> None:
    with pytest.raises(UnknownAgent) as refusal:
        resolve_agent(seen)
    assert refusal.value.allowed
    assert "class" in str(refusal.value)


def test_a_misspelling_is_refused_with_the_right_name_first() -> None:
    with pytest.raises(UnknownAgent) as refusal:
        resolve_agent("pembrolizumap")
    assert refusal.value.allowed[0] == "pembrolizumab"
    assert "Nearest: pembrolizumab" in str(refusal.value)


@pytest.mark.parametrize("seen", ["", "+", "matched phase 1 therapy", "targeted_unspecified", "pd1_pdl2", "braf+xyz"])
def test_an_unknown_class_or_a_basket_is_refused(seen: str) -> None:
    with pytest.raises(UnknownTherapyClass) as refusal:
        resolve_class(seen)
    assert "targeted_unspecified" not in refusal.value.allowed


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ("pd1_pdl1", "pd1_pdl1"),
        ("PD-1/PD-L1", "pd1_pdl1"),
        ("ctla4 + pd1_pdl1", "pd1_pdl1+ctla4"),
        ("MEK inhibitor + BRAF inhibitor", "braf+mek"),
        ("ICI", "checkpoint_unspecified"),
        ("chemo+anti-PD-1", "pd1_pdl1+chemotherapy"),
        ("braf+egfr", "braf+egfr"),
    ],
)
def test_classes_resolve(seen: str, expected: str) -> None:
    assert resolve_class(seen) == expected


@pytest.mark.parametrize(("names", "expected", "family"), COMBINATIONS, ids=["+".join(c[0]) for c in COMBINATIONS])
def test_the_class_of_a_combination(names: list[str], expected: str, family: str) -> None:
    facts = regimen("+".join(names))
    assert (facts.therapy_class, facts.family) == (expected, family)


def _without_key(facts: Any) -> tuple[Any, ...]:
    return tuple(getattr(facts, name) for name in facts.__slots__ if name != "key")


@given(st.lists(st.sampled_from(sorted(agents())), min_size=1, max_size=4, unique=True), st.randoms())
def test_order_and_spelling_of_agents_never_matter(names: list[str], random: Any) -> None:
    spelled = [random.choice([name, *agent(name).synonyms, *agent(name).brands]) for name in names]
    assume(not any("+" in spelling for spelling in spelled))
    random.shuffle(spelled)
    assert _without_key(regimen("+".join(spelled))) == _without_key(regimen(regimen_key(names, None)))


@given(st.lists(st.sampled_from(sorted(agents())), min_size=1, max_size=4, unique=True))
def test_every_combination_has_a_class_that_can_be_asked_for(names: list[str]) -> None:
    facts = regimen("+".join(names))
    assert class_facts(facts.therapy_class).family == facts.family
    assert regimen(f"class:{facts.therapy_class}").therapy_class == facts.therapy_class


@given(st.sampled_from([name for name, known in classes().items() if not known.basket]))
def test_every_class_is_a_regimen(name: str) -> None:
    facts = regimen(f"class:{name}")
    assert facts.therapy_class == name
    assert facts.family == classes()[name].family
    assert facts.agents == ()


def test_undone_by_follows_the_generation() -> None:
    for first in ("gefitinib", "erlotinib", "afatinib"):
        assert "EGFR_T790M" in agent(first).undone_by
    assert "EGFR_T790M" not in agent("osimertinib").undone_by
    assert "EGFR_T790M" in agent("osimertinib").needs
    assert "EGFR_C797S" in agent("osimertinib").undone_by
    for drug in ("crizotinib", "alectinib", "ceritinib", "brigatinib"):
        assert "ALK_G1202R" in agent(drug).undone_by
    assert "ALK_G1202R" not in agent("lorlatinib").undone_by
    assert "PDGFRA_D842V" in agent("imatinib").undone_by
    assert "PDGFRA_D842V" in agent("avapritinib").needs
    assert "RET_G810" in agent("selpercatinib").undone_by
    assert {"KRAS_MUTATION", "NRAS_MUTATION"} <= set(agent("cetuximab").undone_by)
    assert "ESR1_LBD" in agent("letrozole").undone_by
    assert "ESR1_LBD" in agent("elacestrant").needs


@pytest.mark.parametrize(
    ("names", "met"),
    [
        ("cetuximab+encorafenib", "BRAF_V600"),
        ("adagrasib+cetuximab", "KRAS_MUTATION"),
        ("osimertinib+savolitinib", "MET_AMPLIFICATION"),
        ("gefitinib+osimertinib", "EGFR_T790M"),
        ("cetuximab+neratinib", "ERBB2_AMPLIFICATION"),
    ],
)
def test_a_partner_meets_the_resistance(names: str, met: str) -> None:
    assert any(met in agent(name).undone_by for name in names.split("+"))
    assert met not in regimen(names).undone_by


def test_a_class_of_a_combination_meets_the_resistance() -> None:
    assert "BRAF_V600" in regimen("class:egfr_antibody").undone_by
    assert "BRAF_V600" not in regimen("class:braf+egfr").undone_by
    assert "KRAS_MUTATION" not in regimen("class:kras_g12c+egfr").undone_by


def test_a_partner_on_the_same_target_does_not_meet_it() -> None:
    assert "EGFR_C797S" in regimen("cetuximab+osimertinib").undone_by
    assert "NRAS_MUTATION" in regimen("panitumumab+sotorasib").undone_by
    assert "ESR1_LBD" in regimen("letrozole+palbociclib").undone_by


def test_a_class_needs_what_its_agents_share() -> None:
    assert regimen("class:kras_g12c").needs == ("KRAS_G12C",)
    assert "ALK_FUSION" in regimen("class:alk").needs


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("nivolumab 3+ipilimumab 1", "ipilimumab+nivolumab"),
        ("placebo+fulvestrant (control)", "fulvestrant"),
        ("platinum doublet (control)", "platinum"),
        ("dabrafenib or vemurafenib", "class:braf"),
        ("PD-1 +/- CTLA-4 inhibitor", "class:checkpoint_unspecified"),
        ("matched phase 1 therapy", "class:targeted_unspecified"),
    ],
)
def test_a_therapy_as_printed(printed: str, expected: str) -> None:
    assert printed_regimen(printed) == expected


def test_two_classes_joined_by_or_are_no_regimen() -> None:
    with pytest.raises(UnknownTherapyClass):
        printed_regimen("gefitinib or vemurafenib")
