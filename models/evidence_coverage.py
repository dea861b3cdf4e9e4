"""What arms speak to: which of a case's terms may be used, so that a therapy without evidence gets no uplift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from features.evidence_match import match_of, own_targets
from features.evidence_terms import family_of, organs, terms_of, terms_without_evidence, therapy_for
from features.regimens import regimen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.evidence_profile import Profile


@dataclass(frozen=True)
class Coverage:
    """What the arms of one family were about.

    Attributes
    ----------
    names
        Terms that at least one arm has.
    acted_on
        Genes that the regimen of some arm acted on while they were altered.
    """

    family: str
    names: frozenset[str]
    acted_on: frozenset[str]

    @classmethod
    def of(cls, family: str, arms: Iterable[Mapping[str, float]]) -> Self:
        """Return the coverage of arms, given the terms of each."""
        listed = list(arms)
        direct = (terms for terms in listed if "match:direct" in terms)
        genes = {name.removeprefix("gene:") for terms in direct for name in terms if name.startswith("gene:")}
        return cls(family, frozenset(name for terms in listed for name in terms), frozenset(genes))

    def spoken_to(self, profile: Profile) -> tuple[Mapping[str, float], bool]:
        """Return the terms of a profile as far as arms speak to it, and whether they do.

        A match that no arm speaks to counts as if findings were unknown where its class was given in this lineage;
        elsewhere there is no uplift over the histology (SHIVA's lesson, PMID 26342236).
        """
        if family_of(profile) != self.family:
            return terms_without_evidence(profile), False
        if self._matched(profile) if self.family == "targeted" else self._every_class(profile):
            return terms_of(profile), True
        if self.family == "targeted" and self._given_in_lineage(profile):
            return terms_of(profile._replace(findings=None, negative=())), True
        return terms_without_evidence(profile), False

    def _every_class(self, profile: Profile) -> bool:
        return all(f"class:{part}" in self.names for part in regimen(profile.regimen).parts)

    def _given_in_lineage(self, profile: Profile) -> bool:
        name = f"therapy_x_histology:{regimen(profile.regimen).therapy_class} in "
        return any(name + code in self.names for code in organs(profile.histology))

    def _matched(self, profile: Profile) -> bool:
        """Return whether arms speak to what a targeted regimen is chosen by.

        Acting on the altered gene: some arm acted on the same gene, or gave the same class and acted on another gene
        that the class is named for (KIT inhibitors speak to PDGFRA). Chosen otherwise (downstream, synthetic
        lethality): some arm gave the same class for the same gene or alteration. No finding: every class was given.
        """
        facts = regimen(profile.regimen)
        match = match_of(profile, facts)
        genes = {one.reading.gene for one in match.findings}
        if not genes:
            return self._every_class(profile)
        hit = genes & facts.targets
        if hit & self.acted_on or any(self._sibling(part, hit) for part in facts.parts):
            return True
        names = genes | {identity for one in match.findings for identity in one.reading.classes}
        return any(f"therapy_x_alteration:{name}" in self.names for name in therapy_for(facts, names))

    def _sibling(self, part: str, hit: frozenset[str] | set[str]) -> bool:
        """Return whether arms of a class acted on one gene it is named for, and a case has another of them altered."""
        own = own_targets(part)
        return bool(hit & own and own & self.acted_on) and f"class:{part}" in self.names
