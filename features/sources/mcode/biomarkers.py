"""Biomarkers: tumour mutational burden, microsatellites, mismatch repair by protein, PD-L1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from features.sources.mcode import codes
from features.sources.mcode.measured import measured, offer_measured, refuse
from features.sources.mcode.observations import absent
from features.sources.mcode.results import mmr_result, msi_result, presence, protein_result
from features.sources.mcode.specimens import source_of

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.observations import Observed

PROTEINS = ("MLH1", "MSH2", "MSH6", "PMS2")
_PCR = re.compile(r"\bpcr\b|polymerase chain reaction|fragment analysis|fragmentanalyse", re.IGNORECASE)
_NGS = re.compile(r"sequencing|sequenzierung|\bngs\b|next[ -]generation", re.IGNORECASE)


def read_biomarkers(context: Context) -> None:
    """Offer TMB, MSI, MMR and PD-L1."""
    _tmb(context)
    for one in context.observed.get("msi", ()):
        _offer_result(context, _msi_field(one), msi_result(one.holder), one)
    for one in context.observed.get("msi_by_stain", ()):
        _offer_result(context, "mmr.ihc", _by_stain(one), one)
    for protein in PROTEINS:
        for one in context.observed.get(f"mmr.{protein}", ()):
            _offer_result(context, f"mmr.ihc_proteins.{protein}", protein_result(one.holder), one)
    offer_measured(context, "pdl1_tps", "patient.pdl1_tps_percent", "percent")
    offer_measured(context, "pdl1_cps", "patient.pdl1_cps", "points")
    offer_measured(context, "pdl1_ic", "patient.pdl1_ic_percent", "percent")
    for topic in ("pdl1_presence", "pdl1_report"):
        for one in context.observed.get(topic, ()):
            context.notes.left(
                one.resource, one.path, "PD-L1 without a score; give TPS, CPS or immune-cell percent", one.code.shown
            )


def _tmb(context: Context) -> None:
    name = "tmb.mut_per_mb"
    for one in context.observed.get("tmb", ()):
        found = measured(one, "mut/mb")
        if found.problem or found.value is None:
            refuse(context, name, one, found)
        elif source_of(context.index, one.resource) == "blood":
            context.not_used("tmb_of_blood", name, one, "TMB of a blood specimen is no tissue TMB")
        else:
            context.offer_observed(name, found.value, one)


def _msi_field(one: Observed) -> str:
    method = one.method
    if codes.SEQUENCING in method.codes("loinc") or any(_NGS.search(words) for words in method.words):
        return "mmr.msi_ngs"
    return "mmr.msi_pcr" if any(_PCR.search(words) for words in method.words) else "mmr.reported"


def _by_stain(one: Observed) -> str:
    """Return the result of an immune stain for microsatellite instability: instability is deficient repair."""
    said = msi_result(one.holder)
    if said:
        return {"MSI-H": "deficient", "MSS": "proficient", "indeterminate": "equivocal"}.get(said, "")
    whole = mmr_result(one.holder)
    return whole or {"present": "deficient", "absent": "proficient"}.get(presence(one.holder), "")


def _offer_result(context: Context, name: str, result: str, one: Observed) -> None:
    if result:
        context.offer_observed(name, result, one)
    elif absent(one.holder):
        context.notes.left(
            one.resource, f"{one.path}.dataAbsentReason", "the value is said to be absent", one.code.shown
        )
    else:
        context.not_used("value_not_understood", name, one, "the result is not understood")
