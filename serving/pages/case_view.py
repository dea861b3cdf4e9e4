"""One logged prediction as its page shows it: headline, case, comparators, evidence, provenance, later records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.errors import Refusal
from features.feature_titles import in_words
from features.histology import row as histology_row
from features.therapy_classes import classes
from serving.comparator_names import COMPARATOR_NAMES
from serving.pages.foreign_text import foreign
from serving.pages.number_text import number
from serving.pages.scales import UNIT, logistic, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serving.audit.reading import Logged

BEST_RESPONSES = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "PD": "progression",
    "NE": "not evaluable",
}


LATER_KINDS = ("outcome", "decision", "review", "feedback")
"""Records that say something of a prediction; shadow answers are predictions of their own."""


@dataclass(frozen=True)
class Comparator:
    """What one published rival says: a rule's call, or a score with its place on the scale."""

    name: str
    says: str
    place: str | None
    source: str


@dataclass(frozen=True)
class Arm:
    """A published arm that the evidence leans on, its rate with Wilson's 95% interval."""

    name: str
    n: int | None
    responders: int | None
    rate: float
    low: float | None
    high: float | None
    weight: float | None
    source: str


@dataclass(frozen=True)
class LaterRecord:
    """An outcome, decision or review of a prediction."""

    kind: str
    time: str
    caller: str
    says: str
    reason: str
    note: str
    record_id: str


def histology_name(code: str | None) -> str:
    """Return the name of a histology, or the code itself where the vocabulary has none.

    Examples
    --------
    >>> histology_name("LUAD"), histology_name("<b>")
    ('Lung Adenocarcinoma', '<b>')
    """
    try:
        return histology_row(code or "").name
    except Refusal:
        return foreign(code, 40)


def lineage_name(lineage: str | None) -> str:
    """Return the name of the histology that a lineage of the log begins with; nothing where there is none.

    Examples
    --------
    >>> lineage_name("LUAD/NSCLC/LUNG"), lineage_name(None)
    ('Lung Adenocarcinoma', '')
    """
    return histology_name(lineage.partition("/")[0]) if lineage else ""


def therapy_name(therapy: Mapping[str, Any]) -> str:
    """Return a therapy's agents, or the title of its class.

    Examples
    --------
    >>> therapy_name({"agents": ["encorafenib", "cetuximab"]})
    'encorafenib + cetuximab'
    """
    if therapy.get("agents"):
        return " + ".join(foreign(agent, 60) for agent in therapy["agents"])
    return class_name(str(therapy.get("class", "")))


def class_name(name: str | None) -> str:
    """Return the title of a therapy class.

    Examples
    --------
    >>> class_name("pd1_pdl1")
    'PD-1 or PD-L1 inhibitor'
    """
    found = classes().get(name or "")
    return found.title if found else foreign(name, 60)


WRITTEN: Mapping[str, Callable[[str], str]] = {
    "therapy_class": class_name,
    "histology": histology_name,
    "tissue": histology_name,
    "feature": in_words,
    "disagrees": in_words,
}
"""How a value is written that a filter of the pages is set to, by the filter's name, where it is not as it stands."""


def comparators_of(answer: Mapping[str, Any]) -> list[Comparator]:
    """Return what published rivals say; a score is never called a probability."""
    found = []
    for name, value in answer["comparators"].items():
        title = COMPARATOR_NAMES.get(name, name.replace("_", " "))
        if isinstance(value, dict):
            place = UNIT.at(value["score"])
            says = f"{value['score']:.2f}"
            found.append(Comparator(title, says, place, foreign(value.get("source", ""))))
        else:
            found.append(Comparator(title, "cannot be told" if value is None else number(value), None, ""))
    return found


def arms_of(answer: Mapping[str, Any]) -> list[Arm]:
    """Return the published arms of an answer, in its order."""
    return [_arm(one) for one in answer["evidence"]]


def _arm(one: Mapping[str, Any]) -> Arm:
    n, rate = one.get("n"), one["orr_percent"] / 100
    responders = one.get("responders", round(n * rate) if n else None)
    low, high = wilson(responders, n) if n else (None, None)
    weight = one.get("weight")
    return Arm(foreign(one["arm"], 160), n, responders, rate, low, high, weight, foreign(one.get("source", "")))


def facts_of(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was asked as path and value, foreign text cleaned and cut; lists of findings apart."""
    return list(_facts(request, ""))


_APART = {"alterations", "prior_therapies", "specimens", "case_id", "patient_id"}


def _facts(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if name in _APART:
            continue
        if isinstance(value, dict):
            yield from _facts(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, foreign(", ".join(str(one) for one in value))
        else:
            yield prefix + name, foreign(number(value))


def alterations_of(request: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the findings as rows of a table, those of several specimens one after the other."""
    listed = list(request.get("alterations") or [])
    for specimen in request.get("specimens") or []:
        listed += specimen.get("alterations") or []
    return [
        {
            "gene": foreign(one.get("gene"), 30),
            "kind": foreign(one.get("kind"), 30),
            "change": foreign(one.get("protein_change") or one.get("cdna_change") or one.get("partner"), 60),
            "vaf": number(one.get("vaf")),
            "copies": number(one.get("copies")),
            "status": foreign(one.get("status") or "present", 20),
        }
        for one in listed
    ]


def prior_therapies_of(request: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return earlier regimens as rows of a table."""
    return [
        {
            "line": number(one.get("line")),
            "therapy": therapy_name(one),
            "setting": foreign(one.get("setting"), 30),
            "best": foreign(one.get("best_response"), 30),
            "ended": number(one.get("ended_days_before_index")),
        }
        for one in request.get("prior_therapies") or []
    ]


def later_of(logged: Logged) -> list[LaterRecord]:
    """Return what was later said of a prediction, the oldest first."""
    return [_later(one) for one in logged.later if one.row["kind"] in LATER_KINDS]


def shadows_of(logged: Logged) -> list[tuple[str, str]]:
    """Return the answers that challengers gave beside this one: id, and name with version."""
    shadows = (one.row for one in logged.later if one.row["kind"] == "shadow")
    return [
        (row["record_id"], f"{foreign(row['model_name'], 60)} {foreign(row['model_version'], 20)}") for row in shadows
    ]


def _later(one: Logged) -> LaterRecord:
    row, event = one.row, (one.payload or {}).get("event")
    if event is None:
        says, reason = "erased", ""
    else:
        says, reason = _says(row["kind"], event), str(event.get("reason") or "")
    note = "" if event is None else foreign(event.get("note"), 400)
    return LaterRecord(
        row["kind"], row["time"], foreign(row["caller"], 60), says, reason.replace("_", " "), note, row["record_id"]
    )


def _says(kind: str, event: Mapping[str, Any]) -> str:
    if kind == "outcome":
        told = "response" if event.get("objective_response") else "no response"
        return BEST_RESPONSES.get(str(event.get("best_response")), told)
    if kind == "decision":
        return f"therapy {event['decision']}"
    if kind == "feedback":
        return f"card {event['outcome']}"
    return str(event["finding"])


def base_probability(answer: Mapping[str, Any]) -> float:
    """Return the probability of the average training case."""
    return logistic(answer["base_log_odds"])
