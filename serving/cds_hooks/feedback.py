"""Feedback on cards: into the audit log, once however often it is sent."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from features.errors import seen_text
from serving.audit.entries import Feedback, Once
from serving.cds_hooks.override_reasons import LABELS, OTHER, system
from serving.cds_hooks.refusals import WrongFeedback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.audit.auditor import Auditor
    from serving.audit.recorded import Asked
    from serving.fhir.settings import ClinicalSettings

MOST_ITEMS = 100
LONGEST_COMMENT = 2000
"""Characters of a comment that are kept, encrypted; it is free text of a person about a patient."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def read_feedback(raw: Mapping[str, Any], settings: ClinicalSettings) -> list[tuple[str, Feedback]]:
    """Read a feedback request: prediction id and what is recorded about it, in order.

    Raises
    ------
    WrongFeedback
        400: it is not of the specification's form. Nothing is recorded then, not even the items before.
    """
    items = raw.get("feedback")
    if not isinstance(items, list) or not items:
        raise WrongFeedback(f"a list is asked for, seen {seen_text(items)}", field="feedback")
    if len(items) > MOST_ITEMS:
        raise WrongFeedback(f"{len(items)} items; at most {MOST_ITEMS} fit one request", field="feedback")
    return [_item(item, f"feedback[{place}]", settings) for place, item in enumerate(items)]


def _item(item: Any, place: str, settings: ClinicalSettings) -> tuple[str, Feedback]:
    if not isinstance(item, dict):
        raise WrongFeedback(f"an object is asked for, seen {seen_text(item)}", field=place)
    card = item.get("card")
    if not isinstance(card, str) or not _UUID.fullmatch(card.lower()):
        raise WrongFeedback("the uuid of a card is asked for", field=f"{place}.card")
    outcome, when = item.get("outcome"), item.get("outcomeTimestamp")
    if outcome not in ("accepted", "overridden"):
        raise WrongFeedback(f"seen {seen_text(outcome)}", field=f"{place}.outcome", allowed=["accepted", "overridden"])
    if not isinstance(when, str) or not _TIME.fullmatch(when):
        raise WrongFeedback("a time with its zone is asked for", field=f"{place}.outcomeTimestamp")
    reason, note = _override(item.get("overrideReason"), f"{place}.overrideReason", settings)
    return card.lower(), Feedback(outcome=outcome, card=card.lower(), reason=reason, outcome_time=when, note=note)


def _override(found: Any, place: str, settings: ClinicalSettings) -> tuple[str | None, str | None]:
    """Return code and comment of an override; a code that is not ours is kept as ``other``, its text as the comment."""
    if found is None:
        return None, None
    if not isinstance(found, dict):
        raise WrongFeedback(f"an object is asked for, seen {seen_text(found)}", field=place)
    comment = found.get("userComment")
    if comment is not None and not isinstance(comment, str):
        raise WrongFeedback("a text is asked for", field=f"{place}.userComment")
    reason = found.get("reason")
    if reason is None:
        return None, _note([comment])
    if not isinstance(reason, dict) or not isinstance(reason.get("code"), str):
        raise WrongFeedback("a Coding with a code is asked for", field=f"{place}.reason")
    if reason["code"] in LABELS and reason.get("system") in (None, system(settings)):
        return reason["code"], _note([comment])
    return OTHER, _note([str(reason.get("display") or reason["code"]), comment])


def _note(texts: list[str | None]) -> str | None:
    written = ": ".join(text for text in texts if text)
    return written[:LONGEST_COMMENT] or None


def record_feedback(auditor: Auditor, items: list[tuple[str, Feedback]], by: Asked) -> list[str]:
    """Chain each item to its prediction; return the ids of the records, those of earlier ones where it came before.

    Without an Idempotency-Key an item counts as the same when all of it is: card, outcome, time, reason and comment. A
    client may change its mind, and then both stand in the log. With a key the request counts as the same, and the key
    with another request is refused.

    Raises
    ------
    UnknownPrediction
        404: a card is none of ours; all are looked up before the first is recorded.
    IdempotencyKeyReused
        422: the key came before, with another request; nothing is recorded.
    AuditUnavailable
        503.
    """
    for card, _ in items:
        auditor.prediction_row(card)
    return [
        auditor.record_event(card, item, by.caller, _once(card, item, place, by), by.route).record_id
        for place, (card, item) in enumerate(items)
    ]


def _once(card: str, item: Feedback, place: int, by: Asked) -> Once:
    if by.once is not None:  # a key for each item, of a kind that no caller can send
        return replace(by.once, key=f"{by.once.key}\0feedback {place}")
    digest = hashlib.sha256(to_json(item)).hexdigest()
    return Once(f"cds-feedback:{card}:{digest}", by.caller, digest)
