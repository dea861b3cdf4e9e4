"""From a read request to the Bundle that is sent; every answer in it is durable in the audit log first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from features.case import read_case
from serving.audit.recorded import recorded_answers
from serving.fhir.answer_bundle import answer_bundle
from serving.fhir.operation import read_operation
from serving.recorded_rank import answered_ranking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.case import Case
    from serving.audit.recorded import Asked as AskedBy
    from serving.fhir.operation import Asked
    from serving.fhir.settings import ClinicalSettings
    from serving.state import ServiceState


def predict_response(state: ServiceState, settings: ClinicalSettings, body: bytes, by: AskedBy) -> dict[str, Any]:
    """Answer one request of ``$predict-response``.

    Parameters
    ----------
    body
        Parameters or a Bundle, as JSON.
    by
        Who asked, and when.

    Raises
    ------
    Refusal
        Of the body, of the bundle (BundleRefusal), of a therapy that no model judges, or 503.
    """
    asked = read_operation(body)
    predictor = state.ready_predictor()
    cases, answers = _all(state, asked, by) if asked.every_therapy else _named(state, asked, by)
    state.metrics.count_answers(answers)
    return answer_bundle(asked.read, cases, answers, predictor, settings)


def _named(state: ServiceState, asked: Asked, by: AskedBy) -> tuple[list[Case], list[dict[str, Any]]]:
    cases = list(asked.read.cases)
    return cases, recorded_answers(state.ready_auditor(), state.ready_predictor(), cases, by)


def _all(state: ServiceState, asked: Asked, by: AskedBy) -> tuple[list[Case], list[dict[str, Any]]]:
    """Rank every therapy and keep the first of each list; in the order of the ranking."""
    return ranked_answers(state, asked.read.cases[0], asked.limit, by)


def ranked_answers(state: ServiceState, case: Case, limit: int, by: AskedBy) -> tuple[list[Case], list[dict[str, Any]]]:
    """Return the therapies with the highest estimates for a case, as cases and their answers; recorded.

    Parameters
    ----------
    case
        Its therapy does not count.
    limit
        At most so many of each endpoint.
    """
    raw = {**_without_therapy(case), "limit": limit}
    ranking = answered_ranking(state.ready_auditor(), state.ready_predictor(), raw, by)
    rest = _without_therapy(case)
    listed = [entry for one in ranking["lists"] for entry in one["therapies"]]
    cases = [read_case({**rest, "therapy": entry["therapy"]}) for entry in listed]
    if cases:
        return cases, [entry["answer"] for entry in listed]
    # All abstain: the answers of the first say what is missing, each in words of its own.
    abstained = [read_case({**rest, "therapy": entry["therapy"]}) for entry in ranking["abstained"]["therapies"]]
    again = replace(by, once=None)  # a repeated Idempotency-Key has given its ranking already
    return abstained, recorded_answers(state.ready_auditor(), state.ready_predictor(), abstained, again)


def _without_therapy(case: Case) -> Mapping[str, Any]:
    return case.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"therapy"})
