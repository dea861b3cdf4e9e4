"""How a targeted regimen meets the findings, as the evidence sees it: what makes the match, and what undoes it.

Each finding is judged by :func:`features.matching.judge`, the same rule that the feature builders use; here the
verdicts of one profile are put together into what published arms can be compared by.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from features.driver_classes import row
from features.matching import judge, needs_of
from features.therapy_classes import class_facts

if TYPE_CHECKING:
    from features.evidence_profile import Finding, Profile
    from features.regimens import RegimenFacts

MatchStatus = Literal["needed", "target", "none", "unknown"]

EXPRESSION_SCORE = {
    "0": 0.0,
    "negative": 0.0,
    "1+": 1.0,
    "low": 1.3,
    "2+": 2.0,
    "positive": 2.6,
    "high": 2.8,
    "3+": 3.0,
}
"""Immunohistochemistry as a score: ``low`` is 1+ or 2+ without amplification, ``positive`` 3+ or amplified 2+
(ASCO/CAP reading of HER2, Wolff et al., J Clin Oncol 2018, PMID 29846122)."""


class EvidenceMatch(NamedTuple):
    """How a targeted regimen meets the findings of a profile.

    Attributes
    ----------
    status
        ``needed``: a finding is one the regimen is chosen by; ``target``: a gene it acts on is hit, in a way it is
        not chosen by (KIT expressed, FGFR1 amplified); ``none``: neither, and that is known; ``unknown`` otherwise.
    findings
        Those that make the match.
    resistance
        Class ids present that undo the regimen.
    direct
        Whether it acts on the altered gene itself, not downstream of it or by synthetic lethality.
    own_target
        Whether that gene is one its class is named for (crizotinib is an ALK inhibitor that also hits ROS1).
    """

    status: MatchStatus
    findings: tuple[Finding, ...]
    resistance: tuple[str, ...]
    direct: bool
    own_target: bool


def match_of(profile: Profile, facts: RegimenFacts) -> EvidenceMatch:
    """Return how a profile's findings meet its regimen.

    Unknown findings give ``unknown``, never ``none``: not reported is not negative.
    """
    present = [one for one in profile.findings or () if one.present]
    verdicts = [judge(one.reading, facts.key) for one in present]
    needed = tuple(
        one for one, verdict in zip(present, verdicts, strict=True) if verdict.matches or _is_presumed(one, facts)
    )
    hit = tuple(
        one for one, verdict in zip(present, verdicts, strict=True) if not verdict.undoes and _is_hit(one, facts)
    )
    used = needed or hit
    genes = {one.reading.gene for one in used}
    return EvidenceMatch(
        status="needed" if needed else "target" if hit else _without_findings(profile, facts),
        findings=used,
        resistance=tuple(sorted({one for verdict in verdicts for one in verdict.undoes})),
        direct=bool(genes & facts.targets),
        own_target=bool(genes & own_targets(facts.therapy_class)),
    )


@lru_cache(maxsize=4096)
def own_targets(therapy_class: str) -> frozenset[str]:
    """Return the genes a class is named for."""
    return class_facts(therapy_class).targets


def _is_presumed(finding: Finding, facts: RegimenFacts) -> bool:
    """Return whether a mutation without notation ("EGFR mutant") stands in a gene whose mutations the regimen needs."""
    if finding.detail != "unspecified":
        return False
    needed = dict(needs_of(facts.key).by_gene).get(finding.reading.gene, frozenset())
    return any(row(one).kind == "mutation" for one in needed)


def _is_hit(finding: Finding, facts: RegimenFacts) -> bool:
    """Return whether a gene that the regimen acts on is altered; a conjugate reaches cells that stain weakly or not.

    An allele-selective drug acts on the alleles it needs and on nothing else: KRAS G12D is no target of sotorasib.
    """
    if finding.reading.gene not in facts.targets - facts.selective:
        return False
    stained = finding.kind != "expression" or EXPRESSION_SCORE.get(finding.detail, 3.0) > 0
    return stained or "adc" in facts.mechanisms


def _without_findings(profile: Profile, facts: RegimenFacts) -> MatchStatus:
    if any(one.present for one in profile.findings or ()):
        return "none"
    negative = {one.reading.gene for one in profile.findings or () if not one.present} | set(profile.negative)
    return "none" if negative & (needs_of(facts.key).genes | facts.targets) else "unknown"


def resistance_overcome(match: EvidenceMatch) -> bool:
    """Return whether the regimen is chosen by a resistance alteration (osimertinib by T790M)."""
    return any(row(one.reading.narrowest[0]).effect == "resistance" for one in match.findings if one.reading.narrowest)
