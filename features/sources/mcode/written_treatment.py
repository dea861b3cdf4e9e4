"""Prior therapies of a case as MedicationStatements, each regimen an EpisodeOfCare of the line (as Onconova has it)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.agents import agents
from features.sources.mcode.codes import LINE_OF_THERAPY
from features.sources.mcode.systems import URL
from features.sources.mcode.written import Pages, coded

if TYPE_CHECKING:
    from features.case import Case, PriorTherapy

_EXTENSION = "urn:oncorespond:"
_LINE_REFERENCE = "onconova-ext-therapy-line-reference"


def write_treatment(pages: Pages, case: Case) -> None:
    """Write every listed regimen with its line, setting, response and dates."""
    if case.prior_therapies is not None and not case.prior_therapies:
        code = {"coding": [{"system": URL["own"], "code": "prior_therapies"}]}
        pages.observation("prior-therapies-none", code, valueBoolean=False)
    for place, one in enumerate(case.prior_therapies or (), start=1):
        episode = _episode(pages, f"line-{place}", one)
        period = _period(pages, one)
        if one.regimen_class is not None:
            _statement(pages, f"line-{place}-class", coded("own-class", one.regimen_class), episode, period)
        for name in one.agents or ():
            _statement(pages, f"line-{place}-{name.replace(' ', '-')}"[:64], _drug(name), episode, period)


def _drug(name: str) -> dict[str, Any]:
    code = agents()[name].rxnorm
    return coded("rxnorm", code, name) if code else {"text": name}


def _period(pages: Pages, one: PriorTherapy) -> dict[str, Any]:
    found = {}
    if one.started_days_before_index is not None:
        found["start"] = pages.before(one.started_days_before_index)
    if one.ended_days_before_index is not None:
        found["end"] = pages.before(one.ended_days_before_index)
    return found


def _episode(pages: Pages, name: str, one: PriorTherapy) -> dict[str, Any]:
    extensions: list[dict[str, Any]] = []
    if one.line is not None:
        extensions.append({"url": f"{_EXTENSION}onconova-ext-therapy-line-number", "valueInteger": one.line})
    if one.best_response is not None:
        extensions.append({"url": f"{_EXTENSION}best-response", "valueCode": one.best_response})
    if one.setting is not None:
        extensions.append({"url": f"{_EXTENSION}therapy-setting", "valueCode": one.setting})
    return pages.add(
        "EpisodeOfCare",
        name,
        status="finished",
        type=[coded(*LINE_OF_THERAPY)],
        patient={"reference": pages.patient},
        **({"extension": extensions} if extensions else {}),
    )


def _statement(pages: Pages, name: str, drug: dict[str, Any], episode: dict[str, Any], period: dict[str, Any]) -> None:
    pages.add(
        "MedicationStatement",
        name,
        status="completed",
        medicationCodeableConcept=drug,
        subject={"reference": pages.patient},
        extension=[{"url": f"{_EXTENSION}{_LINE_REFERENCE}", "valueReference": episode}],
        **({"effectivePeriod": period} if period else {}),
    )
