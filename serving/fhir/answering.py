"""From a read request to the Bundle that is sent; every answer in it is durable in the audit log first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from features.case import read_case
from serving.audit.recorded import recorded_answers
from serving.errors import NoModelForTherapy
from serving.fhir.answer_bundle import answer_bundle
from serving.fhir.operation import read_operation
from serving.fhir.remarks import remarks
from serving.recorded_rank import answered_ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.case import Case
    from serving.audit.recorded import Asked
    from serving.fhir.settings import ClinicalSettings
    from serving.predictor import Predictor
    from serving.state import ServiceState


def predict_response(state: ServiceState, settings: ClinicalSettings, body: bytes, by: Asked) -> dict[str, Any]:
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
        Of the body, of the bundle (BundleRefusal), of therapies of which no model judges any, or 503.
    """
    asked = read_operation(body)
    predictor = state.ready_predictor()
    not_judged: list[NoModelForTherapy] = []
    if asked.every_therapy:
        cases, answers = ranked_answers(state, asked.read.cases[0], asked.limit, by)
    else:
        cases, not_judged = judged(predictor, asked.read.cases)
        if not cases:
            raise not_judged[0]
        answers = recorded_answers(state.ready_auditor(), predictor, cases, by)
    state.metrics.count_answers(answers)
    noticed = remarks(asked.read, asked.ordered, not_judged)
    return answer_bundle(asked.read, cases, answers, predictor, settings, noticed)


def judged(predictor: Predictor, cases: Sequence[Case]) -> tuple[list[Case], list[NoModelForTherapy]]:
    """Return the cases whose therapy a model judges, and the refusals of the others (chemotherapy alone, for one)."""
    found, refused = [], []
    for case in cases:
        try:
            predictor.model_for(case)
            found.append(case)
        except NoModelForTherapy as refusal:
            refused.append(refusal)
    return found, refused


def ranked_answers(state: ServiceState, case: Case, limit: int, by: Asked) -> tuple[list[Case], list[dict[str, Any]]]:
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
    # The ranking has the Idempotency-Key; these have one of its own kind, which no caller can send.
    again = replace(by, once=replace(by.once, key=f"{by.once.key}\0abstained") if by.once else None)
    return abstained, recorded_answers(state.ready_auditor(), state.ready_predictor(), abstained, again)


def _without_therapy(case: Case) -> Mapping[str, Any]:
    return case.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"therapy"})
