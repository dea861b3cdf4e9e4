"""Evidence terms: the named things published arms are compared by, for one profile of an arm or of a patient.

A term is ``kind:name`` and has a value, mostly 1. Kinds are pooled (:data:`POOL_OF_KIND`), and the pool says how far
its coefficients may stray from nought (its variance is learned, see :mod:`models.evidence_fit`). So a rare thing leans
on what it is a kind of: an agent on its class, an alteration on its gene and kind, a histology on its lineage, an
interaction on its parts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from features import histology
from features.driver_classes import row
from features.evidence_match import EXPRESSION_SCORE, match_of, own_targets, resistance_overcome
from features.matching import meant_for
from features.regimens import regimen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from features.evidence_match import EvidenceMatch
    from features.evidence_profile import Finding, Profile
    from features.regimens import RegimenFacts

Terms = dict[str, float]

POOL_OF_KIND: Mapping[str, str] = {
    "base": "base",
    "class": "therapy",
    "agent": "therapy",
    "target": "therapy",
    "design": "match and design",
    "kind": "match and design",
    "match": "match and design",
    "mechanism": "match and design",
    "dose": "dose of the target",
    "gene": "alteration",
    "alteration": "alteration",
    "co_mutation": "alteration",
    "histology": "histology",
    "line": "line",
    "prior": "prior therapy",
    "resistance": "resistance",
    "biomarker": "biomarker",
    "endpoint": "endpoint",
    "therapy_x_alteration": "therapy x alteration",
    "therapy_x_histology": "therapy x histology",
    "alteration_x_histology": "alteration x histology",
    "biomarker_x_histology": "biomarker x histology",
    "line_x_histology": "line x histology",
}
"""The pool of every kind of term; pools are the parts an answer shows."""

REFERENCE_CLASS = "pd1_pdl1"
"""The class of most checkpoint arms: what a histology is worth is worth under it; the other classes have their own."""

REFERENCE_BIOMARKER = "mmr proficient"
"""19 of 20 tumours are: what a histology is worth is worth in these, and deficiency has its own there."""

RECEPTOR_KINASES = frozenset({"ALK", "EGFR", "ERBB2", "MET", "NTRK1", "NTRK2", "NTRK3", "RET", "ROS1"})
"""Drivers of tumours with few mutations: IMMUNOTARGET, Ann Oncol 2019 (PMID 31125062)."""

PI3K_AND_CYCLE = frozenset({"PIK3CA", "AKT1", "AKT2", "AKT3", "MTOR", "CDK4", "CDK6", "PTK2"})
"""Targets whose single-agent matches rarely work: SHIVA, Lancet Oncol 2015 (PMID 26342236)."""

UNTOLD_HISTOLOGIES, ANY_HISTOLOGY = frozenset({"CUP", "OTHER", "UDMN"}), "MIXED"
"""What a case has whose histology or primary is not known (:func:`features.histology.resolve`), and what arms have that
took patients of many: of somebody of whom it is not told, they say most."""

FEW_COPIES = {"high": 0.0, "medium": 1.0, "low": 2.0}
"""Steps below a high-level amplification."""


@lru_cache(maxsize=65_536)
def terms_of(profile: Profile) -> Mapping[str, float]:
    """Return the terms of a profile; empty when its regimen is neither checkpoint blockade nor targeted.

    Examples
    --------
    >>> from features.evidence_profile import Profile
    >>> found = terms_of(Profile("LUAD", "pembrolizumab", pdl1="high"))
    >>> found["histology:NSCLC"], found["biomarker:pdl1 high"]
    (1.0, 1.0)
    """
    family = family_of(profile)
    if family is None:
        return {}
    facts = regimen(profile.regimen)
    specific = _checkpoint if family == "checkpoint" else _targeted
    return {**dict(_setting(profile)), **dict(specific(profile, facts))}


def terms_without_evidence(profile: Profile) -> Mapping[str, float]:
    """Return the terms of a profile whose regimen no arm speaks to: its histology and line, and no match.

    A matched therapy without evidence gets no uplift over its histology (SHIVA's lesson, PMID 26342236). Beside a
    checkpoint inhibitor in a class that no arm gave (with chemotherapy), the biomarkers of checkpoint blockade speak
    all the same: they are not about its partner.
    """
    family = family_of(profile)
    if family != "targeted":
        biomarkers = _biomarkers(profile) if family == "checkpoint" else ()
        return {**dict(_setting(profile)), **{f"biomarker:{level}": share for level, share in biomarkers}}
    facts = regimen(profile.regimen)
    undone = dict(_resistant(match_of(profile, facts)))
    return {**dict(_setting(profile)), "match:none": 1.0, **undone, **dict(_given_before(profile, facts, None))}


def family_of(profile: Profile) -> str | None:
    """Return the family whose arms speak to a profile: ``checkpoint``, ``targeted``, or None."""
    facts = regimen(profile.regimen) if profile.regimen else None
    if facts is None:
        return None
    if facts.family in ("checkpoint", "mixed"):
        return "checkpoint"
    return "targeted" if facts.family == "targeted" or facts.basket else None


def _ones(kind: str, names: Iterable[str]) -> Iterator[tuple[str, float]]:
    return ((f"{kind}:{name}", 1.0) for name in sorted(names))


def _shared(kind: str, names: set[str]) -> Iterator[tuple[str, float]]:
    """Yield names with equal shares of one: HER2 both amplified and stained 3+ is one target, found in two ways."""
    return ((f"{kind}:{name}", 1 / len(names)) for name in sorted(names))


def _pairs(kind: str, names: Iterable[str], codes: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    return ((f"{kind}:{name} in {code}", 1.0) for name in sorted(names) for code in codes)


@lru_cache(maxsize=4096)
def organs(code: str) -> tuple[str, ...]:
    """Return the lineage as interactions use it; a basket or an unknown histology has none."""
    return () if not code or histology.row(code).arms_only else histology.lineage(code)


def _setting(profile: Profile) -> Iterator[tuple[str, float]]:
    yield "base:all", 1.0
    code = ANY_HISTOLOGY if profile.histology in UNTOLD_HISTOLOGIES else profile.histology
    yield from _ones("histology", histology.lineage(code) if code else ())
    if profile.line is not None:
        yield "line:" + ("first" if profile.line == "first" else "later"), 1.0
    if profile.line == "third":
        yield "line:third", 1.0


# --- checkpoint ---------------------------------------------------------------------------------------------------


def _checkpoint(profile: Profile, facts: RegimenFacts) -> Iterator[tuple[str, float]]:
    where = organs(profile.histology)
    levels = dict(_biomarkers(profile))
    yield from ((f"biomarker:{level}", share) for level, share in levels.items())
    yield from (
        (f"biomarker_x_histology:{level} in {code}", s)
        for level, s in sorted(levels.items())
        if level != REFERENCE_BIOMARKER
        for code in where
    )
    yield from _ones("class", {facts.therapy_class, *facts.parts})
    yield from _ones("agent", facts.agents)
    yield from _ones("target", facts.targets & {"PDCD1", "CD274", "CTLA4"})
    if facts.therapy_class != REFERENCE_CLASS:
        yield from _pairs("therapy_x_histology", {facts.therapy_class}, where)
    if profile.line is not None:
        yield from _pairs("line_x_histology", {"first" if profile.line == "first" else "later"}, where)
    yield from _checkpoint_findings(profile, where)
    if any(regimen(key).family in ("checkpoint", "mixed") for key in profile.prior or ()):
        yield "prior:checkpoint", 1.0


def _biomarkers(profile: Profile) -> Iterator[tuple[str, float]]:
    """Yield cumulative levels with their shares: very high TMB is high as well, high PD-L1 is positive as well.

    TMB between two levels has a share of each, so that the estimate rises with it and does not leap at a cut-point.
    """
    if profile.mmr is not None:
        yield f"mmr {profile.mmr}", 1.0
    if profile.tmb is not None:
        high = min(profile.tmb, 1.0)
        shares = {"tmb low": 1.0 - high, "tmb high": high, "tmb very high": profile.tmb - high}
        yield from ((level, share) for level, share in shares.items() if share)
    if profile.pdl1 is not None:
        yield "pdl1 negative" if profile.pdl1 == "negative" else "pdl1 positive", 1.0
    if profile.pdl1 == "high":
        yield "pdl1 high", 1.0


def _checkpoint_findings(profile: Profile, where: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    present = {one.reading.gene for one in profile.findings or () if one.present and one.kind != "expression"}
    yield from _ones("gene", present)
    yield from _pairs("alteration_x_histology", present, where)
    if present & RECEPTOR_KINASES:
        yield "gene:any receptor kinase", 1.0
    if "KRAS" in present:
        yield from _ones("co_mutation", (f"KRAS with {gene}" for gene in present & {"KEAP1", "STK11", "TP53"}))


# --- targeted -----------------------------------------------------------------------------------------------------


def _targeted(profile: Profile, facts: RegimenFacts) -> Iterator[tuple[str, float]]:
    match = match_of(profile, facts)
    yield f"match:{match.status}", 1.0
    yield from _resistant(match)
    yield from _given_before(profile, facts, match)
    if match.status == "none" and facts.needs:
        return
    where = organs(profile.histology)
    yield f"class:{facts.therapy_class} as a whole", 1.0
    yield from ((f"class:{part}", 1 / len(facts.parts)) for part in facts.parts)
    yield from _ones("agent", facts.agents)
    yield from _ones("mechanism", facts.mechanisms)
    if facts.combination:
        yield "design:combination", 1.0
    if facts.generation is not None and facts.generation > 1:
        yield "design:later generation", 1.0
    if facts.targets & PI3K_AND_CYCLE:
        yield "design:pi3k, akt or cell cycle", 1.0
    yield from _pairs("therapy_x_histology", {facts.therapy_class, *facts.parts, *facts.agents}, where)
    if match.findings:
        yield from _matched(match, facts, where)


def _matched(match: EvidenceMatch, facts: RegimenFacts, where: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    genes = {one.reading.gene for one in match.findings}
    classes = {identity for one in match.findings for identity in one.reading.classes}
    narrow = {one.reading.narrowest[0] for one in match.findings if one.reading.narrowest}
    yield "match:" + ("direct" if match.direct else "indirect"), 1.0
    yield "match:" + ("own target" if match.own_target else "side target"), 1.0
    if match.own_target and match.direct and not facts.combination and _hits_more(facts):
        yield "design:acts beside its class", 1.0
    yield from _shared("kind", {one.kind for one in match.findings})
    yield from _shared("kind", {f"effect {row(one).effect}" for one in narrow})
    yield from _shared("kind", {f"pathway {row(one).pathway}" for one in narrow})
    yield from _ones("gene", genes)
    yield from _ones("alteration", classes)
    yield from _ones("therapy_x_alteration", therapy_for(facts, genes))
    yield from _ones("therapy_x_alteration", therapy_for(facts, classes))
    yield from _pairs("alteration_x_histology", genes | classes, where)
    yield from _dose(match.findings, facts)


def _hits_more(facts: RegimenFacts) -> bool:
    """Return whether a small molecule acts on genes beside those its class is named for: neratinib, not zongertinib.

    What limits its dose is then not the altered gene alone; the size is learned from arms of all targets together.
    """
    beside = facts.targets - own_targets(facts.therapy_class)
    return "small_molecule" in facts.mechanisms and any(target.isupper() for target in beside)


def therapy_for(facts: RegimenFacts, names: Iterable[str]) -> Iterator[str]:
    """Yield the names of what a regimen is, for what it is given: ``braf for BRAF``, ``dabrafenib for BRAF_V600E``."""
    return (f"{what} for {name}" for name in names for what in {facts.therapy_class, *facts.parts, *facts.agents})


def _dose(findings: tuple[Finding, ...], facts: RegimenFacts) -> Iterator[tuple[str, float]]:
    amplified = [one for one in findings if one.kind == "amplification"]
    steps = [FEW_COPIES[one.detail] for one in amplified if one.detail]
    if steps:
        yield "dose:copies below high", min(steps)
    stained = [one for one in findings if one.kind == "expression" and one.detail in EXPRESSION_SCORE]
    if stained and not amplified:
        short = 3.0 - max(EXPRESSION_SCORE[one.detail] for one in stained)
        yield "dose:expression below 3+", short
        if "adc" not in facts.mechanisms:
            yield "dose:expression below 3+, no conjugate", short


def _resistant(match: EvidenceMatch) -> Iterator[tuple[str, float]]:
    if match.resistance and match.status != "none":  # without a match there is nothing to undo
        yield "resistance:present", 1.0
        yield from _ones("resistance", match.resistance)
    if resistance_overcome(match):
        yield "resistance:overcome", 1.0


def _given_before(profile: Profile, facts: RegimenFacts, match: EvidenceMatch | None) -> Iterator[tuple[str, float]]:
    """Yield terms of earlier drugs of the same target; without a match they count whole.

    With one, a drug counts that was meant for a gene it is made of (crizotinib for ROS1, not cabozantinib for RET), and
    so much as is not new: savolitinib with osimertinib after osimertinib aims at MET for the first time.
    """
    aimed_at = {one.reading.gene for one in match.findings} & facts.targets if match else set()
    before = [regimen(key) for key in profile.prior or ()]
    same = [
        known for known in before if (meant_for(known.key) & aimed_at if aimed_at else known.targets & facts.targets)
    ]
    met = frozenset[str]().union(*(meant_for(known.key) for known in same)) & aimed_at
    if same:
        share = len(met) / len(aimed_at) if aimed_at else 1.0
        yield from ((name, share) for name in _prior(facts, same))


def _prior(facts: RegimenFacts, same: list[RegimenFacts]) -> Iterator[str]:
    yield "prior:same target"
    yield from (f"prior:same target, {part}" for part in sorted(facts.parts))
    if len(same) > 1:
        yield "prior:same target twice"
    generations = [known.generation if known.agents else 1 for known in same]  # a class: its first, unless it is said
    told = [generation for generation in generations if generation is not None]
    if facts.generation is not None and told:
        yield "prior:" + ("later generation" if facts.generation > max(told) else "no later generation")
    recorded = [known.mechanisms for known in same if known.mechanisms]  # a class alone has none
    if facts.mechanisms and recorded and not any(one & facts.mechanisms for one in recorded):
        yield "prior:other mechanism"
