"""Conditions: which one is the cancer at hand, what it is by its codes, and where it has spread to.

A confirmed active primary beats one in remission, that beats an unconfirmed one. Conditions of one tissue are one
tumour that was coded several times; primaries of two tissues are an error, for only the caller knows which is meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from features import histology
from features.sources.mcode.diagnosis_codes import Says, malformed, of_coding, of_words, sounds_malignant
from features.sources.mcode.histology_of import histology_of
from features.sources.mcode.plain import record, records
from features.sources.mcode.systems import Concept, concept, extensions
from features.sources.mcode.when import read_date

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource

ACTIVE = frozenset({"active", "recurrence", "relapse"})
_WEAK = frozenset({"unconfirmed", "provisional", "differential"})
_NEVER = frozenset({"refuted", "entered-in-error"})
_SPREAD_WORDS = ("metasta", "secondary malignant")


@dataclass(slots=True)
class Tumour:
    """One Condition (or another resource that names a diagnosis), by what its codes say."""

    resource: Resource
    says: list[Says] = field(default_factory=list)
    concepts: list[tuple[Concept, str]] = field(default_factory=list)
    rank: int = 2
    by_text: bool = False

    @property
    def tissue(self) -> str:
        """Return the tissue that the codes agree on, "" when they name none."""
        roots = {histology.lineage(code)[-1] for one in self.says if (code := one.root or one.histology)}
        return roots.pop() if len(roots) == 1 else "?" if roots else ""

    @property
    def spread(self) -> str:
        """Return where a metastasis sits: brain, liver, bone, other; "" for a primary."""
        secondary = [one for one in self.says if one.kind == "secondary"]
        if not secondary:
            return ""
        sites = {one.metastasis for one in self.says if one.metastasis in {"brain", "liver", "bone"}}
        return sites.pop() if len(sites) == 1 else "other"

    @property
    def is_cancer(self) -> bool:
        """Return whether any code or name is of a malignant tumour."""
        return any(one.kind in {"primary", "secondary", "morphology"} for one in self.says)


def read_conditions(context: Context) -> list[Tumour]:
    """Return every Condition that is cancer; list the others."""
    found = []
    for resource in context.index.of_kind("Condition"):
        state = _state(resource)
        if state < 0:
            context.notes.left(resource, "Condition.verificationStatus", "refuted or entered in error")
            continue
        tumour = tumour_of(context, resource, _concepts_of(resource))
        tumour.rank = state
        if tumour.is_cancer:
            found.append(tumour)
        else:
            context.notes.left(
                resource, "Condition.code", "no cancer by its codes", concept(resource.body.get("code")).shown
            )
    return found


def _state(resource: Resource) -> int:
    """Return 2 active, 1 not active, 0 unconfirmed, -1 not to be used."""
    verified = {one.code for one in concept(resource.body.get("verificationStatus")).codings}
    clinical = {one.code for one in concept(resource.body.get("clinicalStatus")).codings}
    if verified & _NEVER:
        return -1
    if verified & _WEAK:
        return 0
    return 1 if clinical and not clinical & ACTIVE else 2


def _concepts_of(resource: Resource) -> list[tuple[Concept, str]]:
    body = resource.body
    found = [(concept(body.get("code")), "Condition.code")]
    found += [(concept(one), "Condition.bodySite") for one in records(body.get("bodySite"))]
    found += [
        (concept(one.get("valueCodeableConcept")), "Condition.extension(histology-morphology-behavior)")
        for one in extensions(body, "mcode-histology-morphology-behavior", "histology-morphology-behavior")
    ]
    return found


def tumour_of(context: Context, resource: Resource, concepts: list[tuple[Concept, str]]) -> Tumour:
    """Read the codes of a diagnosis; words count only where no code says anything."""
    tumour = Tumour(resource, concepts=concepts)
    for said, path in concepts:
        for one in said.codings:
            if malformed(one):
                context.notes.say_and_leave(
                    "malformed_code", f"{one.code!r} is no ICD-O-3 code", "histology", resource, path
                )
                continue
            of_code = of_coding(one)
            tumour.says.extend(_as_site(of_code) if path.endswith("bodySite") else of_code)
            _check_display(context, resource, path, one.code, one.display, of_code)
            if one.system and one.code and not of_code and path != "Condition.code":
                context.notes.left(resource, path, "a code of site or morphology that is not known here", one.shown)
    main = concepts[0][0] if concepts else Concept()
    if any(word in words.casefold() for words in main.words for word in _SPREAD_WORDS):
        tumour.says.append(Says("secondary", metastasis="other"))
    elif not tumour.is_cancer and (named := of_words(main)):
        tumour.says.append(Says("primary", named, named))
        tumour.by_text = True
    elif not tumour.is_cancer and resource.kind == "Condition" and sounds_malignant(main):
        tumour.says.append(Says("primary"))
    return tumour


def _as_site(says: tuple[Says, ...]) -> list[Says]:
    """Return what a body site says: where, not what; a topography is no diagnosis."""
    place = {"LIVER": "liver", "BRAIN": "brain", "BONE": "bone"}
    return [
        Says("site", one.root, one.histology, metastasis=one.metastasis or place.get(one.root, "other"))
        for one in says
        if one.kind in {"site", "primary"} and one.root
    ]


def _check_display(
    context: Context, resource: Resource, path: str, code: str, display: str, says: tuple[Says, ...]
) -> None:
    """Say where a display names another tumour than its code; a display in another language names none."""
    named = of_words(Concept((), display)) if display else ""
    roots = {one.root or one.histology for one in says if one.root or one.histology}
    if not named or not roots:
        return
    line = set(histology.lineage(named))
    if not any(root in line or named in histology.lineage(root) for root in roots):
        message = f"code {code} and its display {display!r} name different tumours; the code counts"
        context.notes.say("display_conflict", message, "histology", resource, path)


def offer_metastases(context: Context, tumours: list[Tumour]) -> None:
    """Offer brain, liver and bone metastases; what is not recorded stays unknown."""
    for one in tumours:
        if one.spread in {"brain", "liver", "bone"}:
            when = read_date(one.resource.body.get("onsetDateTime")) or read_date(one.resource.body.get("recordedDate"))
            if one.rank == 2:
                context.offer(f"patient.{one.spread}_metastases", True, one.resource, "Condition.code", when)
            else:
                context.notes.left(
                    one.resource, "Condition.clinicalStatus", "a metastasis that is not active or not confirmed"
                )


def with_histology_of(context: Context, tumour: Tumour) -> None:
    """Add the morphology that an Observation (31206-6, 59847-4) or a report's conclusion gives."""
    for one in context.observed.get("histology", ()):
        focus = records(one.resource.body.get("focus"))
        here = [context.index.find(item, one.resource) for item in focus]
        if context.day.is_after(one.when) or (
            focus and tumour.resource.kind == "Condition" and tumour.resource not in here and any(here)
        ):
            context.notes.left(one.resource, "Observation", "a histology of another condition or after the index date")
            continue
        said = concept(record(one.holder.get("valueCodeableConcept")))
        _add_morphology(context, tumour, one.resource, said, "Observation.valueCodeableConcept")
    for report in context.index.of_kind("DiagnosticReport"):
        for item in records(report.body.get("conclusionCode")):
            _add_morphology(context, tumour, report, concept(item), "DiagnosticReport.conclusionCode")


def _add_morphology(context: Context, tumour: Tumour, source: Resource, said: Concept, path: str) -> None:
    other = tumour_of(context, source, [(said, path)])
    morphologies = [one for one in other.says if one.kind == "morphology"]
    if not morphologies:
        context.notes.left(source, path, "no morphology that is known here", said.shown)
    elif histology_of([*tumour.says, *morphologies]).code:
        tumour.says.extend(morphologies)
        tumour.concepts.append((said, path))
        context.notes.took("histology", said.shown, source, path)
    else:
        context.notes.say_and_leave(
            "display_conflict", f"{said.shown} does not fit the diagnosis, which counts", "histology", source, path
        )
