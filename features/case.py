"""Case: one patient at one decision, the record that every door speaks.

Everything but ``histology`` and ``therapy`` may be absent or null, and is then unknown: not zero, not wild-type, not
first line. Unknown keys are refused with the nearest valid name; units and ranges are checked; names of histologies,
agents and genes become their one canonical spelling. What happened after the index date has no field here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from features import agents, fusions, genes, histology, measures, variants
from features.case_refusals import refusals_of
from features.errors import InvalidCase, UnreadableAlteration
from features.field_types import (
    AlterationKind,
    AlterationStatus,
    ExpressionLevel,
    MmrResult,
    MsiResult,
    Number,
    Origin,
    ProteinResult,
    Resolved,
    Response,
    Setting,
    SpecimenSource,
    Truth,
    as_pydantic,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

from typing import Literal

OptionalText = Annotated[str | None, Field(max_length=200)]
Gene = Annotated[str, Resolved(genes.resolve, "HGNC symbol; aliases are resolved")]
Histology = Annotated[str, Resolved(histology.resolve, "OncoTree code, or a name that resolves to one")]
Agent = Annotated[
    str, Resolved(agents.resolve_agent, "International non-proprietary name; brands and synonyms are resolved")
]
TherapyClass = Annotated[
    str, Resolved(agents.resolve_class, "Class of a regimen whose agents are not recorded, such as pd1_pdl1")
]


_NO_LEVEL = "an expression finding without its level cannot be read"


class Record(BaseModel):
    """A part of a case: closed (no unknown keys), immutable, strict about types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="null")


class Alteration(Record):
    """One finding in one gene; ``absent`` is a tested negative, ``not_detected`` one of limited sensitivity."""

    gene: Gene
    kind: AlterationKind
    status: AlterationStatus = "present"
    protein_change: OptionalText = None
    cdna_change: OptionalText = None
    variant_classification: OptionalText = None
    exon: Annotated[int | None, Number(measures.EXON, "Exon hit, where no notation is at hand")] = None
    partner: OptionalText = None
    copies: Annotated[float | None, Number(measures.COPIES, "Total copies of the gene")] = None
    level: ExpressionLevel | None = None
    vaf: Annotated[float | None, Number(measures.FRACTION, "Variant allele fraction")] = None
    cancer_cell_fraction: Annotated[float | None, Number(measures.FRACTION, "Share of tumour cells that carry it")] = (
        None
    )
    origin: Origin | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        try:
            if self.kind == "mutation":
                variants.read_variant(
                    self.gene, self.protein_change, self.cdna_change, self.variant_classification, self.exon
                )
            elif self.kind == "fusion":
                fusions.read_fusion(self.gene, self.partner)
            elif self.kind == "expression" and self.status == "present" and self.level is None:
                raise UnreadableAlteration(_NO_LEVEL, way_out="Give `level`: 0, 1+, 2+, 3+, low, high, ...")
        except UnreadableAlteration as refusal:
            raise as_pydantic(refusal) from None
        return self

    @model_validator(mode="after")
    def _fields_are_of_its_kind(self) -> Self:
        for kind, name, given in (("fusion", "partner", self.partner), ("expression", "level", self.level)):
            if given is not None and self.kind != kind:
                raise PydanticCustomError(
                    "contradiction",
                    "`{name}` is a field of kind {kind}, and the kind is {found}",
                    {"name": name, "kind": kind, "found": self.kind},
                )
        return self


class Assay(Record):
    """What was tested. With a known panel or ``genes_tested``, a tested gene without an alteration is wild-type."""

    panel: OptionalText = None
    genes_tested: tuple[Gene, ...] | None = Field(default=None, strict=False)


class Specimen(Record):
    """Where the material came from and how old it was at the index date."""

    source: SpecimenSource | None = None
    days_before_index: Annotated[float | None, Number(measures.DAYS, "Age of the specimen at the index date")] = None
    tumor_purity: Annotated[float | None, Number(measures.FRACTION, "Share of tumour cells")] = None


class SpecimenFindings(Specimen):
    """One of several specimens, with its own assay and findings; the latest before the index date counts."""

    assay: Assay | None = None
    alterations: tuple[Alteration, ...] | None = Field(default=None, strict=False)


class MutationalBurden(Record):
    """TMB on one of three scales that are never pooled: panel mut/Mb, whole-exome count, blood count."""

    mut_per_mb: Annotated[
        float | None,
        Number(
            measures.TMB,
            "Tissue TMB as reported by the panel of ``assay``, nonsynonymous unless it says so",
        ),
    ] = None
    exome_nonsynonymous_count: Annotated[
        float | None, Number(measures.EXOME_COUNT, "Nonsynonymous mutations of a whole exome")
    ] = None
    blood_count: Annotated[
        float | None, Number(measures.BLOOD_COUNT, "bTMB score: mutations counted in a blood panel")
    ] = None


class MismatchRepairProteins(Record):
    """Immunohistochemistry by protein."""

    MLH1: ProteinResult | None = None
    MSH2: ProteinResult | None = None
    MSH6: ProteinResult | None = None
    PMS2: ProteinResult | None = None


class MismatchRepair(Record):
    """Every test of mismatch repair that was done; conflicts are kept and shown, not resolved on entry."""

    ihc: MmrResult | None = None
    ihc_proteins: MismatchRepairProteins | None = None
    msi_pcr: MsiResult | None = None
    msi_ngs: MsiResult | None = None
    msi_ngs_score: Annotated[float | None, Number(measures.PERCENT, "MSIsensor score: unstable loci")] = None
    reported: MsiResult | None = Field(default=None, description="A status whose method is not recorded")


class Regimen(Record):
    """The agents of a regimen, or its class where they are not recorded: exactly one of the two."""

    agents: tuple[Agent, ...] | None = Field(default=None, strict=False, min_length=1, max_length=8)
    regimen_class: TherapyClass | None = Field(default=None, alias="class")

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=False,
        serialize_by_alias=True,
    )

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.agents is None) == (self.regimen_class is None):
            found = "neither" if self.agents is None else "both"
            raise PydanticCustomError(
                "contradiction",
                "give `agents` or `class`, exactly one of the two; {found} given",
                {"found": found},
            )
        return self


class PriorTherapy(Regimen):
    """One regimen before the index date."""

    line: Annotated[int | None, Number(measures.LINE, "Line of systemic therapy, 1 is the first")] = None
    setting: Setting | None = None
    best_response: Response | None = None
    started_days_before_index: Annotated[
        float | None, Number(measures.DAYS, "Start, counted back from the index date")
    ] = None
    ended_days_before_index: Annotated[float | None, Number(measures.DAYS, "End, counted back from the index date")] = (
        None
    )

    @model_validator(mode="after")
    def _ended_after_it_started(self) -> Self:
        start, end = self.started_days_before_index, self.ended_days_before_index
        if start is not None and end is not None and end > start:
            raise PydanticCustomError(
                "contradiction", "ended before it started: both are counted back from the index date"
            )
        return self


class Patient(Record):
    """What was known of the patient at the index date. ``race`` is for subgroup audit and is never a feature."""

    age_years: Annotated[float | None, Number(measures.AGE, "Age at the index date")] = None
    sex: Literal["female", "male"] | None = None
    race: OptionalText = None
    ecog: Annotated[int | None, Number(measures.ECOG, "ECOG performance status")] = None
    albumin_g_per_dl: Annotated[float | None, Number(measures.ALBUMIN, "Serum albumin")] = None
    nlr: Annotated[float | None, Number(measures.NLR, "Neutrophils over lymphocytes")] = None
    hemoglobin_g_per_dl: Annotated[
        float | None,
        Number(measures.HEMOGLOBIN, "Haemoglobin"),
    ] = None
    platelets_per_nl: Annotated[float | None, Number(measures.PLATELETS, "Platelets")] = None
    ldh_ratio_to_upper_limit: Annotated[float | None, Number(measures.LDH, "LDH over its limit")] = None
    bmi_kg_per_m2: Annotated[float | None, Number(measures.BMI, "Body mass index")] = None
    pdl1_tps_percent: Annotated[float | None, Number(measures.PERCENT, "PD-L1 tumour proportion score")] = None
    pdl1_cps: Annotated[float | None, Number(measures.CPS, "PD-L1 combined positive score")] = None
    pdl1_ic_percent: Annotated[float | None, Number(measures.PERCENT, "PD-L1 on immune cells")] = None
    pdl1_tc_ic: Literal["TC0/IC0", "TC1+/IC1+", "TC2+/IC2+", "TC3/IC3"] | None = Field(
        default=None, description="SP142 class: tumour or immune cells, whichever is higher"
    )
    brain_metastases: Truth = None
    liver_metastases: Truth = None
    bone_metastases: Truth = None
    metastatic_sites: Annotated[int | None, Number(measures.SITES, "Organs with metastases")] = None
    imdc_risk: Literal["favorable", "intermediate", "poor"] | None = None
    smoking: Literal["never", "former", "current", "ever"] | None = None


class Case(Record):
    """One patient at one decision.

    Examples
    --------
    >>> case = read_case({"histology": "Lung Adenocarcinoma", "therapy": {"agents": ["Keytruda"]}})
    >>> case.histology, case.therapy.agents
    ('LUAD', ('pembrolizumab',))
    """

    case_id: OptionalText = None
    patient_id: OptionalText = None
    histology: Histology
    histology_at_diagnosis: Histology | None = None
    stage: Literal["I", "II", "III", "IV"] | None = None
    specimen: Specimen | None = None
    assay: Assay | None = None
    alterations: tuple[Alteration, ...] | None = Field(default=None, strict=False, max_length=20_000)
    specimens: tuple[SpecimenFindings, ...] | None = Field(default=None, strict=False, max_length=50)
    tmb: MutationalBurden | None = None
    mmr: MismatchRepair | None = None
    prior_systemic_therapy: Truth = None
    prior_lines: Annotated[
        int | None, Number(measures.LINES, "Systemic lines in the metastatic setting before the index date")
    ] = None
    prior_therapies: tuple[PriorTherapy, ...] | None = Field(default=None, strict=False, max_length=60)
    patient: Patient | None = None
    therapy: Regimen

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.prior_systemic_therapy is False and (self.prior_lines or self.prior_therapies):
            raise PydanticCustomError(
                "contradiction", "prior_systemic_therapy is false, yet prior lines or prior therapies are given"
            )
        if self.specimens is not None and (self.specimen or self.assay or self.alterations is not None):
            raise PydanticCustomError(
                "contradiction",
                "give `specimens`, or `specimen`, `assay` and `alterations` of the one specimen, not both",
            )
        return self


def read_case(raw: Mapping[str, Any]) -> Case:
    """Read a case from its JSON object.

    Parameters
    ----------
    raw
        The object as parsed from JSON. It is not changed.

    Raises
    ------
    InvalidCase
        With one :class:`~features.errors.CaseRefusal` per field that is wrong.
    """
    try:
        return Case.model_validate(raw)
    except ValidationError as error:
        name = raw.get("case_id") if isinstance(raw, dict) else None
        raise InvalidCase(refusals_of(error, Case), record=f"case {name}" if isinstance(name, str) else None) from None


def read_case_json(text: str | bytes) -> Case:
    """Read a case from JSON text; NaN and infinities are refused. See :func:`read_case`."""
    try:
        return Case.model_validate_json(text)
    except ValidationError as error:
        raise InvalidCase(refusals_of(error, Case)) from None
