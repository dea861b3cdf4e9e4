"""The diagnosis of the case: one tumour chosen, one OncoTree code, its stage; or the reason why there is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from features import histology
from features.sources.mcode import codes
from features.sources.mcode.conditions import Tumour, tumour_of, with_histology_of
from features.sources.mcode.histology_of import histology_of
from features.sources.mcode.plain import records
from features.sources.mcode.results import value_concept, words_of
from features.sources.mcode.systems import Concept, concept
from features.sources.mcode.when import observed, read_date

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource

NAME = "histology"
_STAGE_WORDS = re.compile(r"(?:.*\b)?(?:stage|stadium)\s*:?\s*(IV|III|II|I|[1-4])(?:\s*[A-D]\d?)?\b.*", re.IGNORECASE)
_ARABIC = {"1": "I", "2": "II", "3": "III", "4": "IV"}


def read_diagnosis(
    context: Context, tumours: list[Tumour], wanted: Resource | None
) -> tuple[str, Resource | None, bool]:
    """Return the OncoTree code ("" when there is none), the resource it came from, and whether this is cancer."""
    primaries = [one for one in tumours if not one.spread]
    if wanted is not None:
        primaries = [one for one in primaries if one.resource is wanted]
    chosen = _chosen(context, primaries)
    if chosen is None and not primaries:
        chosen = _of_orders(context)
    if chosen is None:
        if not primaries:
            context.notes.say(
                "no_histology",
                "no primary cancer with a code or name that is understood",
                NAME,
                path="Bundle.entry.resource.ofType(Condition)",
            )
        return "", None, bool(tumours)
    with_histology_of(context, chosen)
    _stage(context, chosen)
    return _code_of(context, chosen), chosen.resource, True


def _chosen(context: Context, primaries: list[Tumour]) -> Tumour | None:
    """Return the one tumour of the best rank; several codings of one tissue are joined."""
    best = [one for one in primaries if one.rank == max(other.rank for other in primaries)]
    sited = [one for one in best if one.tissue not in {"", "OTHER"}] or best
    tissues = {one.tissue for one in sited}
    for one in primaries:
        if one not in sited:
            context.notes.left(
                one.resource, "Condition", "another cancer condition is confirmed, active or more precise"
            )
    if not sited:
        return None
    if len(tissues) > 1:
        shown = ", ".join(sorted(tissues))
        context.notes.say(
            "several_primaries",
            f"active primaries of several tissues ({shown}); give `condition`",
            NAME,
            sited[0].resource,
            "Condition.code",
        )
        return None
    if sited[0].rank == 1:
        context.notes.say(
            "condition_not_active",
            "the cancer is recorded as not active (remission, resolved)",
            NAME,
            sited[0].resource,
            "Condition.clinicalStatus",
        )
    if sited[0].rank == 0:
        context.notes.say(
            "condition_unconfirmed",
            "the cancer is not confirmed",
            NAME,
            sited[0].resource,
            "Condition.verificationStatus",
        )
    first = sited[0]
    for one in sited[1:]:
        first.says.extend(one.says)
        first.concepts.extend(one.concepts)
    return first


def _of_orders(context: Context) -> Tumour | None:
    """Return the diagnosis that only an order or a treatment gives as its reason."""
    for kind, path in (
        ("ServiceRequest", "reasonCode"),
        ("DiagnosticReport", "conclusionCode"),
        ("MedicationRequest", "reasonCode"),
        ("MedicationAdministration", "reasonCode"),
        ("MedicationStatement", "reasonCode"),
    ):
        found = [
            one
            for resource in context.index.of_kind(kind)
            if (
                one := tumour_of(
                    context, resource, [(concept(said), f"{kind}.{path}") for said in records(resource.body.get(path))]
                )
            ).is_cancer
            and not one.spread
            and one.tissue
        ]
        if found:
            chosen = _chosen(context, found)
            if chosen is not None:
                context.notes.say(
                    "diagnosis_from_order",
                    f"no Condition; the diagnosis is the reason given in a {kind}",
                    NAME,
                    chosen.resource,
                    f"{kind}.{path}",
                )
            return chosen
    return None


def _code_of(context: Context, tumour: Tumour) -> str:
    read = histology_of(tumour.says)
    source = tumour.resource
    place = tumour.concepts[0][1] if tumour.concepts else source.kind
    if read.problem:
        context.notes.say(read.problem, read.why, NAME, source, place)
    if not read.code:
        if not read.problem:
            context.notes.say(
                "no_histology", "cancer without a site or histology that is understood", NAME, source, place
            )
        return ""
    if tumour.by_text:
        context.notes.say(
            "histology_from_text",
            f"the diagnosis has no code that is understood; its name is {histology.row(read.code).name}",
            NAME,
            source,
            place,
        )
    context.notes.took(NAME, read.code, source, place, histology.row(read.code).name)
    return read.code


def _stage(context: Context, tumour: Tumour) -> None:
    """Offer the stage group of the condition and of stage observations."""
    body = tumour.resource.body
    for stage in records(body.get("stage")) if tumour.resource.kind == "Condition" else ():
        said = concept(stage.get("summary"))
        listed = list(context.index.find_all(stage.get("assessment"), tumour.resource))
        when = (observed(listed[0].body) if listed else None) or read_date(body.get("recordedDate"))
        _offer_stage(context, said, said.words, tumour.resource, "Condition.stage.summary", when)
    for one in context.observed.get("stage", ()):
        _offer_stage(
            context, value_concept(one.holder), tuple(words_of(one.holder)), one.resource, f"{one.path}.value", one.when
        )


def _offer_stage(
    context: Context, said: Concept, words: tuple[str, ...], source: Resource, path: str, when: object
) -> None:
    group = stage_of(said, words)
    if group:
        context.offer("stage", group, source, path, when)  # type: ignore[arg-type]
    elif said.codings or words:
        context.notes.left(source, path, "a stage that is not understood", said.shown)


def stage_of(said: Concept, words: tuple[str, ...]) -> str:
    """Return I to IV of a stage group, "" when it is none (a T, N or M category, stage 0).

    Examples
    --------
    >>> from features.sources.mcode.systems import Coding
    >>> stage_of(Concept((Coding("ajcc", "3C"),)), ()), stage_of(Concept(), ("AJCC stage IIIC (qualifier value)",))
    ('III', 'III')
    >>> stage_of(Concept((Coding("ajcc", "cT3"),)), ("cT3",))
    ''
    """
    groups = {
        hit[1].upper() for one in said.codings if one.system == "ajcc" and (hit := codes.STAGE_CODE.fullmatch(one.code))
    }
    groups = groups or {
        hit[1].upper() for text in words if (hit := _STAGE_WORDS.fullmatch(text) or codes.STAGE_CODE.fullmatch(text))
    }
    named = {_ARABIC.get(group, group) for group in groups}
    return named.pop() if len(named) == 1 else ""
