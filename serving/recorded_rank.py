"""A ranking and its record: the listed answers are predictions of the log, the ranking says how they were listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.asked import asked_of
from serving.audit.entries import PredictionEntry, RankingEntry
from serving.audit.rankings import earlier_ranking, record_ranking, without_answers
from serving.audit.recorded import known_features
from serving.body import read_object
from serving.identifiers import new_id
from serving.rank import ranking_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from serving.audit.auditor import Auditor
    from serving.audit.recorded import Asked
    from serving.predictor import Predictor
    from serving.rank import Ranking
    from serving.state import ServiceState


def recorded_rank(state: ServiceState, request: Request, predictor: Predictor, body: bytes) -> dict[str, Any]:
    """Rank the therapies of one request; what it returns is in the log.

    Raises
    ------
    Refusal
        As :func:`serving.rank.rank`; AuditUnavailable and IdempotencyKeyReused as for predictions.
    """
    return answered_ranking(state.ready_auditor(), predictor, read_object(body), asked_of(request, body))


def answered_ranking(auditor: Auditor, predictor: Predictor, raw: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """Rank, record, and return the ranking that is to be sent; a repeated Idempotency-Key gives the earlier one."""
    if asked.once is not None:  # before anything is ranked: it is given again when its models were withdrawn meanwhile
        earlier = earlier_ranking(auditor, asked.once, raw.get("case_id"))
        if earlier is not None:
            return earlier
    found = ranking_of(raw, predictor)
    ranking_id = new_id()
    return record_ranking(auditor, _entry(found, ranking_id, asked), _listed(found, ranking_id, asked), asked.once)


def _entry(found: Ranking, ranking_id: str, asked: Asked) -> RankingEntry:
    document = {**found.document, "ranking_id": ranking_id}
    skeleton = without_answers(document)
    return RankingEntry(ranking_id, found.case, skeleton, asked.caller, asked.latency_ms, asked.route)


def _listed(found: Ranking, ranking_id: str, asked: Asked) -> list[PredictionEntry]:
    latency_ms = asked.latency_ms
    return [
        PredictionEntry(
            case,
            one.answer,
            one.family,
            asked.caller,
            latency_ms,
            features=known_features(one.answers, one.row),
            place=place,
            listed_in=ranking_id,
            route=asked.route,
        )
        for place, (case, one) in enumerate(found.listed)
    ]
