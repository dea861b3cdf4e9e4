"""What is recorded of a complete case: missing at random given site, year, assay and histology.

Nothing here depends on the outcome or on the hidden factor. With ``missingness="none"`` every field of the complete
case is kept; the cases, their truths and outcomes are the same either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.sources.synthetic.draft import stream
from features.sources.synthetic.tissues import column, figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import FloatArray
    from features.sources.synthetic.draft import Draft

    Flags = NDArray[np.bool_]

LABORATORY = (
    "patient.albumin_g_per_dl",
    "patient.nlr",
    "patient.hemoglobin_g_per_dl",
    "patient.platelets_per_nl",
)
"""Measured together before most systemic therapies: known or unknown together at most sites."""
USUALLY_RECORDED = {
    "patient.age_years": 1.0,
    "patient.ecog": 0.90,
    "patient.bmi_kg_per_m2": 0.85,
    "patient.ldh_ratio_to_upper_limit": 0.70,
    "patient.brain_metastases": 0.92,
    "patient.liver_metastases": 0.95,
    "patient.bone_metastases": 0.95,
    "patient.metastatic_sites": 0.88,
    "patient.smoking": 0.90,
    "patient.sex": 1.0,
    "patient.imdc_risk": 0.75,
    "stage": 0.97,
    "specimen.tumor_purity": 0.75,
    "specimen.days_before_index": 0.90,
}
"""Share of cases at any site (assumption; every one is near complete in trials and less so in records)."""
PDL1_TISSUES = "LUNG|HEADNECK|UROTHELIUM|STOMACH|OESOPHAGUS|CERVIX"
PDL1_ELSEWHERE, PDL1_FIRST_YEAR = 0.3, 2016
"""PD-L1 is tested where a label asks for it, and from the first such label on (KEYNOTE-024)."""
MMR_TISSUES = "COLORECTUM|ENDOMETRIUM|STOMACH"
CLASS_ONLY_SHARE = 0.12
"""Checkpoint cases of the sites without chemotherapy orders whose agent is not recorded, only its class."""
DETECTED_IN_BLOOD = {"mutation": 0.92, "fusion": 0.60, "amplification": 0.55, "deletion": 0.25, "expression": 1.0}
"""Sensitivity for a finding of a tumour that sheds DNA, by kind (assumption; low for copy number)."""


@dataclass(frozen=True)
class Recorded:
    """What is known: per field one flag per case, and the flags that decide about lists."""

    fields: dict[str, Flags]
    alterations: Flags
    marker_only: Flags
    sheds: Flags
    priors: Flags
    class_only: Flags

    def known(self, path: str, n: int) -> Flags:
        """Return the flag of a field; a field that nothing masks is known."""
        return self.fields.get(path, np.ones(n, dtype=np.bool_))


def everything(n: int) -> Recorded:
    """Record every field of every case."""
    yes, no = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    return Recorded({}, yes, no, yes, yes, no)


def realistic(draft: Draft, seed: int, block: int) -> Recorded:
    """Mask a block as its sites, years and assays would."""
    rng = stream(seed, draft.family, draft.cohort, block, "masking")
    fields = {path: rng.random(draft.n) < share for path, share in USUALLY_RECORDED.items()}
    site = {name: column(figure("sites"), name)[draft.site] for name in ("laboratory_recorded", "pdl1_recorded")}
    drawn_blood = rng.random(draft.n) < site["laboratory_recorded"]
    for path in LABORATORY:
        fields[path] = drawn_blood & (rng.random(draft.n) < 0.98)
    fields["patient.pdl1_tps_percent"] = _pdl1(draft, rng, site["pdl1_recorded"])
    sequenced = ~draft.in_assays("no_sequencing")
    fields |= _burden(draft, sequenced)
    fields |= _mismatch_repair(draft, rng, sequenced)
    return _lists(draft, rng, fields, sequenced)


def _pdl1(draft: Draft, rng: np.random.Generator, share: FloatArray) -> Flags:
    asked = np.where(draft.in_tissues(PDL1_TISSUES), 1.0, PDL1_ELSEWHERE)
    return np.asarray((rng.random(draft.n) < share * asked) & (draft.year >= PDL1_FIRST_YEAR))


def _burden(draft: Draft, sequenced: Flags) -> dict[str, Flags]:
    """Each assay reports its own scale: panels mut/Mb, exomes a count, blood a count."""
    exome, blood = draft.in_assays("exome"), draft.in_assays("blood")
    return {
        "tmb.mut_per_mb": sequenced & ~exome & ~blood,
        "tmb.exome_nonsynonymous_count": exome,
        "tmb.blood_count": blood,
    }


def _mismatch_repair(draft: Draft, rng: np.random.Generator, sequenced: Flags) -> dict[str, Flags]:
    """Stained or amplified where guidelines ask for it, called from large panels since 2016."""
    asked = draft.in_tissues(MMR_TISSUES)
    u = rng.random((3, draft.n))
    by_panel = sequenced & ~draft.in_assays("blood") & (draft.year >= 2016) & (u[2] < 0.85)
    return {
        "mmr.ihc": u[0] < np.where(asked, 0.75, 0.08),
        "mmr.msi_pcr": u[1] < np.where(asked, 0.30, 0.03),
        "mmr.msi_ngs": by_panel,
        "mmr.msi_ngs_score": by_panel & draft.in_assays("msk341|msk410|msk468|msk505"),
    }


def _lists(draft: Draft, rng: np.random.Generator, fields: dict[str, Flags], sequenced: Flags) -> Recorded:
    """Decide about the count and list of earlier lines, the panel's name, and the findings."""
    names = ("lines_counted", "therapies_listed", "panel_named")
    share = {name: column(figure("sites"), name)[draft.site] for name in names}
    u = rng.random((5, draft.n))
    fields["prior_lines"] = u[0] < share["lines_counted"]
    fields["assay.panel"] = sequenced & (u[1] < share["panel_named"])
    tested_alone = ~sequenced & (draft.scenario >= 0) & ~draft.unmatched
    small = draft.site >= len(figure("sites")) - 4
    return Recorded(
        fields=fields,
        alterations=sequenced | tested_alone,
        marker_only=tested_alone,
        sheds=~draft.in_assays("blood") | (u[2] < draft.of_histology("shedding")),
        priors=u[3] < share["therapies_listed"],
        class_only=(draft.scenario < 0) & small & (u[4] < CLASS_ONLY_SHARE),
    )
