"""Cards: what they say, what they never hold, and foreign text without meaning in Markdown or HTML."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.case import read_case
from serving.audit.entries import OverrideReason
from serving.cds_hooks.cards import About, card
from serving.cds_hooks.discovery import prefetch_templates
from serving.cds_hooks.markdown import foreign
from serving.cds_hooks.override_reasons import LABELS, override_reasons
from serving.fhir.settings import ClinicalSettings
from tests.audit_log import answer
from tests.clinical_app import schema

SETTINGS = ClinicalSettings("Dr. A. Example", "https://orp.hospital.example")
REGIMEN = ["carboplatin", "paclitaxel", "pembrolizumab", "bevacizumab", "ipilimumab", "atezolizumab", "etoposide"]


def shown(agents: list[str] | None = None, about: About | None = None, **changes: Any) -> dict[str, Any]:
    case = read_case({"histology": "LUAD", "therapy": {"agents": agents or ["pembrolizumab"]}})
    model = {"name": "checkpoint-response", "version": "1", "digest": "sha256:00", "synthetic": False}
    return card(answer(model=model, **changes), case, about or About("prior lines: 1, request"), SETTINGS)


def test_a_card_is_of_the_specification_and_informs_only() -> None:
    found = shown()
    schema("response").validate({"cards": [found]})
    assert found["indicator"] == "info"
    assert not {"suggestions", "selectionBehavior", "systemActions"} & set(found)
    assert found["summary"] == "Estimated response to pembrolizumab: 44% (95% interval 31-57%)"
    assert [one["url"].split("/")[-1] for one in found["links"]] == ["sheet", "card"]
    assert found["uuid"] == found["extension"]["org.oncorespond.prediction-id"]


def test_the_longest_regimen_still_fits_the_summary() -> None:
    for agents in (REGIMEN, REGIMEN[:3]):
        found = shown(agents)
        assert len(found["summary"]) < 140
        assert " \\+ ".join(sorted(agents)) in found["detail"] or " \\+ ".join(agents) in found["detail"]


def test_an_abstention_gives_reasons_and_no_number() -> None:
    reasons = [{"code": "key_inputs_missing", "text": "1 of the key inputs are known, 3 are needed: ecog, nlr"}]
    found = shown(
        status="abstained", probability=None, interval=None, contributions=[], groups={}, reasons=reasons, warnings=[]
    )
    schema("response").validate({"cards": [found]})
    assert found["summary"] == "No estimate of response to pembrolizumab: key inputs missing"
    assert "%" not in found["detail"]


def test_a_synthetic_model_says_so_first() -> None:
    model = {"name": "m", "version": "1", "digest": "sha256:00", "synthetic": True}
    case = read_case({"histology": "LUAD", "therapy": {"agents": ["pembrolizumab"]}})
    found = card(answer(model=model), case, About("prior lines: unknown"), SETTINGS)
    assert found["summary"].startswith("SYNTHETIC MODEL. ")
    assert "SYNTHETIC" in found["detail"]


def test_every_override_reason_is_of_the_audit_log_and_of_the_schema() -> None:
    for one in override_reasons(SETTINGS):
        schema("response", "overrideReason").validate(one)
    assert set(LABELS) == set(get_args(OverrideReason))
    assert len(LABELS) == len({*LABELS.values()})


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](https://attacker.example/p.png)",
    "| a | b |\n|---|---|",
    "# heading\n\n* list",
    "`code` **bold** ~~gone~~ _x_",
    "https://attacker.example www.attacker.example a@attacker.example",
    "&lt;b&gt; <!-- --> \u202eevil\u200b",
    "\x00\x1b[31mred",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_means_nothing(text: str) -> None:
    assert_meaningless(foreign(text))


@given(st.text(max_size=300))
def test_foreign_text_never_means_anything(text: str) -> None:
    assert_meaningless(foreign(text))


def assert_meaningless(written: str) -> None:
    """Only entities of ours, no tag, no line break, and each mark that GFM reads stands behind a backslash."""
    assert "<" not in written
    assert ">" not in written
    assert "@" not in written
    assert "\n" not in written
    rest = written
    for entity in ("&amp;", "&lt;", "&gt;", "&quot;", "&#39;"):
        rest = rest.replace(entity, "")
    assert "&" not in rest
    place = 0
    rest = rest.replace("(at)", "")
    while place < len(rest):
        if rest[place] == "\\":
            place += 2
            continue
        assert rest[place] not in "`*_{}[]()#+-.!|~:$^\\", written
        place += 1


@given(st.text(max_size=300))
def test_foreign_text_is_cut_at_80_characters(text: str) -> None:
    plain = foreign("".join(mark for mark in text if mark.isalnum()))
    assert len(plain) <= 80


def test_foreign_text_in_every_place_of_a_card_is_disarmed() -> None:
    evil = "<img src=x onerror=alert(1)> [a](javascript:b) |x| " * 5
    contribution = {"feature": "f", "group": "alterations", "value": 1, "unit": "", "log_odds": 0.5, "text": evil}
    found = shown(
        about=About(evil, [evil, evil], [evil]),
        contributions=[contribution],
        warnings=[{"code": "x", "text": evil}],
    )
    schema("response").validate({"cards": [found]})
    assert "<img" not in str(found)
    assert "](javascript" not in found["detail"]
    rows = [line for line in found["detail"].splitlines() if line.startswith("|")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [3, 3, 3]


def test_templates_stay_within_the_restricted_subset() -> None:
    schema("discovery", "restrictedTemplates").validate(dict(prefetch_templates()))
