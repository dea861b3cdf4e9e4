"""From a contribution back to the resources that it was read from.

A feature that was not known has no source, and neither has one that the caller did not send: nothing is attributed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.case import Alteration, Case
    from features.sources.mcode import ReadCase

FIELDS_OF_GROUP: Mapping[str, tuple[str, ...]] = {
    "histology": ("histology", "histology_at_diagnosis"),
    "tmb": ("tmb",),
    "mmr": ("mmr",),
    "prior_lines": ("prior_lines", "prior_systemic_therapy", "prior_therapies"),
    "therapy": ("therapy",),
    "patient": (),
}
"""Group of a feature to the fields of a case that its features read; alterations and evidence are traced by gene."""

FIELDS_OF_FEATURE: Mapping[str, tuple[str, ...]] = {
    "tmb_mut_per_mb": ("tmb.mut_per_mb",),
    "tmb_within_histology": ("tmb.mut_per_mb", "histology"),
    "tmb_exome_count": ("tmb.exome_nonsynonymous_count",),
    "tmb_blood_count": ("tmb.blood_count",),
    "findings_from_blood": ("specimen", "specimens"),
    "specimens_disagree": ("specimens",),
    "small_cell_transformation": ("histology", "histology_at_diagnosis"),
    "days_since_last_therapy": ("prior_therapies",),
    "last_response": ("prior_therapies",),
}
"""Features that read less, or other fields, than their group does."""

EVIDENCE_FIELDS = ("histology", "mmr", "prior_lines", "prior_systemic_therapy", "prior_therapies")
"""What published arms are matched by, beside the alterations that the therapy is chosen by."""

_WORD = re.compile(r"[A-Z0-9-]+")


@dataclass(frozen=True)
class Trace:
    """Knows what of a case came from where.

    Attributes
    ----------
    read
        From :func:`features.sources.mcode.read_bundle`.
    case
        The case that was answered.
    """

    read: ReadCase
    case: Case

    @cached_property
    def of_gene(self) -> Mapping[str, tuple[str, ...]]:
        """References behind the alterations of each gene."""
        genes = {gene for one in self._alterations() for gene in (one.gene, one.partner) if gene}
        found: dict[str, list[str]] = {}
        for one in self.read.taken:
            if one.field.startswith(("alterations", "specimens")):
                for gene in genes.intersection(_WORD.findall(str(one.value))):
                    found.setdefault(gene, []).append(one.reference)
        return {gene: _once(references) for gene, references in found.items()}

    def sources(self, contribution: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the references behind one contribution of an answer, each once."""
        group, feature = contribution["group"], contribution["feature"]
        if group == "evidence":
            return _once([*self._of_fields(EVIDENCE_FIELDS), *self._of_all_genes()])
        if contribution["value"] is None:
            return ()
        if feature in FIELDS_OF_FEATURE:
            return self._of_fields(FIELDS_OF_FEATURE[feature])
        if group == "alterations":
            return self._of_words(contribution["text"]) or self._of_fields(("assay",))
        return self._of_fields(FIELDS_OF_GROUP.get(group) or (f"patient.{feature}",))

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """Every resource of the bundle that a value of the case was taken from."""
        return _once([one.reference for one in self.read.taken])

    def _alterations(self) -> list[Alteration]:
        several = [one.alterations or () for one in self.case.specimens or ()]
        return [one for part in (self.case.alterations or (), *several) for one in part]

    def _of_fields(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        return _once([reference for field in fields for reference in self.read.sources(field)])

    def _of_words(self, text: str) -> tuple[str, ...]:
        """Return the sources of the genes that a sentence names."""
        return _once([one for word in _WORD.findall(text) for one in self.of_gene.get(word, ())])

    def _of_all_genes(self) -> list[str]:
        return [reference for references in self.of_gene.values() for reference in references]


def _once(references: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in references if one))
