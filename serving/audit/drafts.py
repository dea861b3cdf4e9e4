"""From an entry to a draft: the row without its number and hash, made in the caller's thread."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from features.batch import regimen_key
from features.contract import GROUPS
from features.histology import lineage
from features.regimens import regimen
from serving.audit.chain import content_hash
from serving.audit.entries import Decision, Outcome, Review
from serving.audit.sealing import Sealed, binding, pseudonym, pseudonyms, seal
from serving.audit.tables import RECORDS, SCHEMA_VERSION
from serving.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.case import Case
    from serving.audit.entries import Event, Once, PredictionEntry, RankingEntry
    from serving.audit.keys import AuditKeys

_EMPTY: dict[str, Any] = {column.name: None for column in RECORDS.columns}


@dataclass(frozen=True)
class OnceRef:
    """An Idempotency-Key as the log knows it: pseudonyms under every active key, the one in use first."""

    keys: tuple[str, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """A row without ``seq``, ``previous`` and ``hash``, and the key of its payload."""

    row: dict[str, Any]
    sealed: Sealed
    content: str


def now() -> str:
    """Return the time in UTC, microseconds, as every record has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def once_ref(once: Once, keys: AuditKeys) -> OnceRef:
    """Return the pseudonyms of an Idempotency-Key and of its request."""
    return OnceRef(
        tuple(pseudonyms(keys, "once", f"{once.caller}\0{once.key}")),
        tuple(pseudonyms(keys, "request", once.request_digest)),
    )


def prediction_draft(entry: PredictionEntry, once: OnceRef | None, keys: AuditKeys) -> Draft:
    """Return the draft of a prediction or of a shadow answer."""
    case_ref = pseudonym(keys, "case", entry.case.case_id)
    patient_ref = pseudonym(keys, "patient", entry.case.patient_id)
    request = canonical(entry.case, case_ref, patient_ref)
    answer, features = entry.text(case_ref), to_json(entry.features)
    payload = b'{"request":' + request + b',"answer":' + answer + b',"features":' + features + b"}"
    row = {
        **_EMPTY,
        "record_id": entry.answer["prediction_id"],
        "kind": "shadow" if entry.shadow_of else "prediction",
        "about": entry.shadow_of or entry.listed_in,
        "caller": entry.caller,
        "place": entry.place,
        "route": entry.route,
        "case_ref": case_ref,
        "patient_ref": patient_ref,
        "request_digest": pseudonym(keys, "request", request.decode()),
        "family": entry.family,
        "latency_ms": float(entry.latency_ms),
        **_of_case(entry.case),
        **_of_answer(entry.answer),
    }
    return finished(row, payload, once, keys)


def event_draft(
    event: Event,
    about: Mapping[str, Any],
    caller: str,
    once: OnceRef | None,
    keys: AuditKeys,
    route: str | None = None,
) -> Draft:
    """Return the draft of a later record of a logged prediction; it inherits its pseudonyms and what it is of."""
    row = {
        **_EMPTY,
        "record_id": new_id(),
        "kind": type(event).__name__.lower(),
        "about": about["record_id"],
        "caller": caller,
        "place": 0,
        "route": route,
        "case_ref": about["case_ref"],
        "patient_ref": about["patient_ref"],
        "status": _status(event),
        "reasons": _codes([code] if (code := getattr(event, "reason", None)) else []),
        "responded": _responded(event),
        **{name: about[name] for name in _INHERITED},
    }
    return finished(row, b'{"event":' + event.model_dump_json(exclude_none=True).encode() + b"}", once, keys)


_INHERITED = (
    *("model_name", "model_version", "model_digest", "family", "therapy_class", "histology", "lineage"),
    *("probability", "low", "high"),
)
"""What a later record repeats of its prediction, so that outcomes and decisions are drawn without a join."""


def ranking_draft(entry: RankingEntry, once: OnceRef | None, keys: AuditKeys) -> Draft:
    """Return the draft of a ranking: its order and abstentions; the listed answers are records of their own."""
    case_ref = pseudonym(keys, "case", entry.case.case_id)
    row = {
        **_EMPTY,
        "record_id": entry.ranking_id,
        "kind": "ranking",
        "caller": entry.caller,
        "place": 0,
        "route": entry.route,
        "case_ref": case_ref,
        "patient_ref": pseudonym(keys, "patient", entry.case.patient_id),
        "histology": entry.case.histology,
        "lineage": "/".join(lineage(entry.case.histology)),
        "latency_ms": float(entry.latency_ms),
    }
    return finished(row, to_json({"ranking": {**entry.ranking, "case_id": case_ref}}), once, keys)


def erasure_draft(patient_ref: str | None, case_ref: str | None, caller: str, keys: AuditKeys) -> Draft:
    """Return the draft of the record that says whose keys were destroyed; it holds pseudonyms alone."""
    row = {
        **_EMPTY,
        "record_id": new_id(),
        "kind": "erasure",
        "caller": caller,
        "place": 0,
        "case_ref": case_ref,
        "patient_ref": patient_ref,
    }
    return finished(row, b"{}", None, keys)


def canonical(case: Case, case_ref: str | None, patient_ref: str | None) -> bytes:
    """Return the case as JSON in the order of its fields, ids replaced by pseudonyms, unknown fields left out."""
    named = case.model_copy(update={"case_id": case_ref, "patient_id": patient_ref})
    return named.model_dump_json(exclude_none=True, by_alias=True).encode()


def finished(row: dict[str, Any], payload: bytes, once: OnceRef | None, keys: AuditKeys) -> Draft:
    """Return the draft of a row: time and schema added, payload sealed, content hashed."""
    row["time"], row["schema_version"] = now(), SCHEMA_VERSION
    if once is not None:
        row["once"], row["once_digest"] = once.keys[0], once.digests[0]
    sealed = seal(payload, binding(row["record_id"], row["case_ref"], row["patient_ref"]), keys)
    row["payload"] = sealed.payload
    return Draft(row, sealed, content_hash(row))


def key_row(seq: int, draft: Draft) -> dict[str, Any]:
    """Return the row of ``data_keys`` that opens a draft's payload."""
    row = {"seq": seq, "case_ref": draft.row["case_ref"], "patient_ref": draft.row["patient_ref"]}
    return {**row, "key_id": draft.sealed.key_id, "wrapped": draft.sealed.wrapped}


def _of_case(case: Case) -> dict[str, Any]:
    """Return what of a case stands in clear: class of the therapy, and histology."""
    facts = regimen(regimen_key(case.therapy.agents, case.therapy.regimen_class))
    return {
        "therapy_class": facts.therapy_class,
        "histology": case.histology,
        "lineage": "/".join(lineage(case.histology)),
    }


def _of_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    model, interval = answer["model"], answer["interval"] or {"low": None, "high": None}
    contributions = {one["feature"]: one["log_odds"] for one in answer["contributions"]}
    return {
        "model_name": model["name"],
        "model_version": model["version"],
        "model_digest": model["digest"],
        "vocabulary": model["vocabulary"],
        "status": answer["status"],
        "reasons": _codes([one["code"] for one in answer["reasons"]]),
        "warnings": _codes([one["code"] for one in answer["warnings"]]),
        "probability": answer["probability"],
        "low": interval["low"],
        "high": interval["high"],
        "log_odds": answer["log_odds"],
        "base_log_odds": answer["base_log_odds"],
        **{f"phi_{group}": answer["groups"].get(group) for group in GROUPS},
        "contributions": to_json(contributions).decode(),
    }


def _status(event: Event) -> str:
    """Return what was done or found, in one word."""
    if isinstance(event, Outcome):
        return "observed"
    if isinstance(event, Review):
        return event.finding
    return event.decision if isinstance(event, Decision) else event.outcome


def _responded(event: Event) -> int | None:
    """Return whether there was an objective response, of an outcome that says so."""
    if not isinstance(event, Outcome):
        return None
    found = event.responded
    return None if found is None else int(found)


def _codes(codes: list[str]) -> str:
    return json.dumps(codes)
