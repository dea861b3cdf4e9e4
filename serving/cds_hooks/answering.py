"""From a hook's request to its cards. Every answer on a card is durable in the audit log before the card is sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from features.errors import listed
from features.feature_titles import in_words
from features.sources.mcode import read_bundle, therapies_of_orders
from serving.audit.recorded import recorded_answers
from serving.body import MOST_THERAPIES
from serving.cds_hooks.cards import About, card
from serving.cds_hooks.discovery import ORDER_SELECT
from serving.cds_hooks.hook_request import read_hook_request
from serving.cds_hooks.prefetch import MEDICATIONS, read_prefetch
from serving.fhir.answering import judged, ranked_answers
from serving.fhir.operation import STANDS_FOR_ALL
from serving.fhir.remarks import lines_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from features.case import Case
    from features.sources.mcode import Finding, OrderedTherapies, ReadCase, TherapyAsked
    from serving.audit.recorded import Asked
    from serving.cds_hooks.discovery import Service
    from serving.cds_hooks.hook_request import HookRequest
    from serving.cds_hooks.prefetch import Prefetched
    from serving.fhir.settings import ClinicalSettings
    from serving.state import ServiceState

MOST_CARDS = 5
"""Cards of one answer; who drafts more therapies than that is not helped by a card each."""

PATIENT_VIEW_CARDS = 3
"""Therapies that a card is shown of when a chart is opened."""

NO_CARDS: dict[str, Any] = {"cards": []}


def cards_for(
    state: ServiceState, settings: ClinicalSettings, service: Service, raw: Mapping[str, Any], by: Asked
) -> dict[str, Any]:
    """Answer one hook.

    No cards, where there is nothing to say: no drafted order is a systemic cancer therapy that a model judges, or the
    patient has no diagnosis of cancer. Orders are looked at first, so that a diet fails for no missing prefetch.

    Raises
    ------
    WrongHookRequest, AnotherPatient, MissingPrefetch
        400, 400, 412.
    BundleRefusal
        422: the record of a patient with cancer holds no case that could be answered.
    """
    request = read_hook_request(raw, service)
    ordered = _ordered(request, service)
    if ordered is not None and not ordered.therapies:
        return NO_CARDS
    prefetched = read_prefetch(request.prefetch, request.patient_id)
    read = _read(prefetched, request, None if ordered is None else ordered.therapies[:MOST_THERAPIES])
    if not read.cancer_patient:
        return NO_CARDS
    read.raise_for_errors()
    cases, answers = _answers(state, service, read, by)
    state.metrics.count_answers(answers)
    about = _about(read, prefetched, () if ordered is None else ordered.findings)
    return {"cards": [card(answer, case, about, settings) for case, answer in zip(cases, answers, strict=True)]}


def _ordered(request: HookRequest, service: Service) -> OrderedTherapies | None:
    """Return the therapies of the drafted orders; None for a hook that has no orders."""
    if service.hook != ORDER_SELECT:
        return None
    return therapies_of_orders(request.draft_orders, list(request.selections) or None, request.prefetch)


def _read(prefetched: Prefetched, request: HookRequest, therapies: Sequence[TherapyAsked] | None) -> ReadCase:
    """Read the record; where a page of one kind of medications is missing, no line is counted from the others."""
    partial = any(key in prefetched.left_out for key in MEDICATIONS)
    values = {key: one for key, one in prefetched.values.items() if not (partial and key in MEDICATIONS)}
    asked = STANDS_FOR_ALL if therapies is None else list(therapies)
    return read_bundle(values, therapy=asked, patient=f"Patient/{request.patient_id}", index_date=_today())


def _today() -> date:
    """Return the date of the decision, which is now: a hook is called while it is made.

    It is the date where it is latest on Earth, so that nothing that a ward dates today is taken for later.
    """
    return datetime.now(timezone(timedelta(hours=14))).date()


def _answers(
    state: ServiceState, service: Service, read: ReadCase, by: Asked
) -> tuple[list[Case], list[dict[str, Any]]]:
    if service.hook != ORDER_SELECT:
        cases, answers = ranked_answers(state, read.cases[0], PATIENT_VIEW_CARDS, by)
        return cases[:PATIENT_VIEW_CARDS], answers[:PATIENT_VIEW_CARDS]
    cases = judged(state.ready_predictor(), read.cases)[0][:MOST_CARDS]  # chemotherapy alone gets no card
    if not cases:
        return [], []
    return cases, recorded_answers(state.ready_auditor(), state.ready_predictor(), cases, by)


def _about(read: ReadCase, prefetched: Prefetched, of_orders: Sequence[Finding]) -> About:
    remarks = [_remark(one) for one in (*of_orders, *read.warnings)]
    if read.not_understood:
        codes = listed(dict.fromkeys(one.code or "no code" for one in read.not_understood), most=3)
        remarks.append(f"{len(read.not_understood)} elements were not used ({codes})")
    return About(lines_text(read), list(dict.fromkeys(remarks)), (*prefetched.not_sent, *prefetched.left_out))


def _remark(finding: Finding) -> str:
    """Return what was noticed; a card is read by a clinician, so the field's name is in words.

    Examples
    --------
    >>> from features.sources.mcode.findings import Finding
    >>> _remark(Finding("another_unit", "the unit is not known", field="patient.albumin_g_per_dl"))
    'albumin: the unit is not known'
    """
    if not finding.field:
        return finding.text
    return f"{in_words(finding.field.removeprefix('patient.').replace('.', '_'))}: {finding.text}"
