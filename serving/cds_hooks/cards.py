"""Cards: one per therapy, of kind ``info``, without any suggestion. What is estimated, how sure, and why.

A card's uuid is the id of its prediction in the audit log, so that feedback finds it without anything being remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.explanation import SMALLEST_SAID
from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from serving.cds_hooks.markdown import cut, disarmed, foreign, table
from serving.cds_hooks.override_reasons import override_reasons
from serving.fhir.risk import therapy_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.case import Case
    from serving.fhir.settings import ClinicalSettings

LONGEST_SUMMARY = 139
"""Characters; the specification says fewer than 140."""

LONGEST_THERAPY = 60
"""Characters of a therapy's name in a summary; a regimen of eight drugs is cut there and whole in the detail."""

MOST_REASONS = 8
"""Contributions in the table; the tumour-board sheet has all."""

MOST_REMARKS = 8


@dataclass(frozen=True)
class About:
    """What stands on every card of one request beside the answer itself.

    Attributes
    ----------
    lines
        How many prior lines were counted, and how that came about; our own words.
    remarks
        What was noticed while reading the record: foreign text, disarmed and cut here.
    not_sent
        Names of prefetch that the client did not send or sent in part.
    """

    lines: str
    remarks: Sequence[str] = ()
    not_sent: Sequence[str] = ()


def card(answer: Mapping[str, Any], case: Case, about: About, settings: ClinicalSettings) -> dict[str, Any]:
    """Return the card of one answer.

    Parameters
    ----------
    answer
        As it stands in the audit log.
    case
        What was answered.
    about
        What else is said.
    settings
        For the links.
    """
    model = answer["model"]
    therapy = therapy_name(case)
    predicted = answer["status"] == "predicted"
    said = _estimate(answer) if predicted else _no_estimate(answer)
    body = _reasons(answer) if predicted else _why_not(answer)
    return {
        "uuid": answer["prediction_id"],
        "summary": cut(_summary(answer, cut(therapy, LONGEST_THERAPY)), LONGEST_SUMMARY),
        "indicator": "info",
        "source": {"label": cut(f"{model['name']} {model['version']}"), "url": settings.card_url},
        "detail": "\n\n".join([f"**{disarmed(therapy)}**: {said}", body, *_notes(answer, about), _last_words(answer)]),
        "links": _links(answer["prediction_id"], settings),
        "overrideReasons": override_reasons(settings),
        "extension": {"org.oncorespond.prediction-id": answer["prediction_id"]},
    }


def as_percent(probability: float) -> str:
    """Return a proportion as a card shows it.

    Examples
    --------
    >>> as_percent(0.413)
    '41%'
    """
    return f"{100 * probability:.0f}%"


def _summary(answer: Mapping[str, Any], therapy: str) -> str:
    mark = "SYNTHETIC MODEL. " if answer["model"]["synthetic"] else ""
    if answer["status"] != "predicted":
        return f"{mark}No estimate of response to {therapy}: {answer['reasons'][0]['code'].replace('_', ' ')}"
    low, high = (as_percent(answer["interval"][name]).rstrip("%") for name in ("low", "high"))
    return f"{mark}Estimated response to {therapy}: {as_percent(answer['probability'])} (95% interval {low}-{high}%)"


def _estimate(answer: Mapping[str, Any]) -> str:
    interval = answer["interval"]
    return (
        f"estimated probability of an objective response {as_percent(answer['probability'])}, 95% interval "
        f"{as_percent(interval['low'])} to {as_percent(interval['high'])}."
    )


def _no_estimate(answer: Mapping[str, Any]) -> str:
    return f"no estimate, for {len(answer['reasons'])} reason(s)."


def _reasons(answer: Mapping[str, Any]) -> str:
    telling = [one for one in answer["contributions"] if abs(one["log_odds"]) >= SMALLEST_SAID][:MOST_REASONS]
    rows = [(foreign(_factor(one["text"])), f"{one['log_odds']:+.2f}") for one in telling]
    return table(("what moves the estimate", "log-odds"), rows)


def _factor(text: str) -> str:
    return text.removesuffix(" raises the estimate").removesuffix(" lowers the estimate")


def _why_not(answer: Mapping[str, Any]) -> str:
    return "\n".join(f"- {foreign(one['text'])}" for one in answer["reasons"])


def _notes(answer: Mapping[str, Any], about: About) -> list[str]:
    warnings = [one["text"] for one in answer["warnings"] if one["code"] != "synthetic_model"]  # said below
    remarks = [*warnings, *about.remarks]
    notes = [foreign(about.lines)]
    if remarks:
        more = [f"- +{len(remarks) - MOST_REMARKS} more"] if len(remarks) > MOST_REMARKS else []
        notes.append("\n".join([f"- {foreign(text)}" for text in remarks[:MOST_REMARKS]] + more))
    if about.not_sent:
        notes.append(f"Not sent or not complete, so not known: {', '.join(map(foreign, about.not_sent))}.")
    return notes


def _last_words(answer: Mapping[str, Any]) -> str:
    synthetic = "**SYNTHETIC: the model was trained on invented cases.** " if answer["model"]["synthetic"] else ""
    return f"{synthetic}{NO_RECOMMENDATION} {INTENDED_USE}"


def _links(prediction_id: str, settings: ClinicalSettings) -> list[dict[str, str]]:
    sheet = f"{settings.public_url}/audit/predictions/{prediction_id}/sheet"
    return [
        {"label": "Tumour-board sheet: all reasons and the evidence", "url": sheet, "type": "absolute"},
        {"label": "Model card and limits", "url": settings.card_url, "type": "absolute"},
    ]
