"""The language of a cohort manifest: which columns become which fields of a case, and by which rules.

Unknown keys are refused with the nearest valid one. ``docs/cohorts.md`` and ``experiments/cohorts/*.yaml`` show it in
use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from features.case_refusals import refusals_of
from features.errors import MissingField, UnknownKey, WrongType
from features.provenance import Denominator, Endpoint
from features.sources.manifest_refusals import InvalidManifest, ManifestNotFound

if TYPE_CHECKING:
    from pathlib import Path

    from features.errors import CaseRefusal

FORMAT = 1
"""Version of the manifest language."""

GUIDE = "A whole manifest to start from is in docs/cohorts.md."
"""Said where a manifest lacks something."""


def code_text(value: object) -> str:
    """Return a code as text: whole numbers without a decimal point, so that 0, 0.0 and "0" are one code.

    Examples
    --------
    >>> code_text(0), code_text("0.0"), code_text(" Yes "), code_text(True), code_text("1e3")
    ('0', '0', 'Yes', 'true', '1000')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else text


def _coded_keys(value: Any) -> Any:
    return {code_text(key): entry for key, entry in value.items()} if isinstance(value, dict) else value


def _texts(value: Any) -> Any:
    return [code_text(entry) for entry in (value if isinstance(value, list | tuple) else [value])]


class Part(BaseModel):
    """A part of a manifest: closed, and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Codes = Annotated[dict[str, Any], BeforeValidator(_coded_keys)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Where = Annotated[dict[str, Texts], Field(description="Column to the values it may have; all columns must agree")]


class FieldRule(Part):
    """How one field is filled: from a column, or with a constant."""

    column: Annotated[tuple[str, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = ()
    """One column, or alternatives: the first that the source has is read."""
    value: Any = None
    codes: Codes | None = None
    """Source value to field value; null means unknown. Without codes a value is read as it stands."""
    else_as_it_stands: bool = False
    """A value that is not among the codes is tried as it stands (a histology by its name)."""
    when_blank: Any = None
    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    """Number = value * scale + offset, after the unit."""
    unknown_values: Texts = ()
    unknown_when_constant: bool = False
    """A column with one value in all rows was filled in by its authors: it is unknown."""
    unknown_where: tuple[Where, ...] = ()
    """Rows whose value is known to be wrong or after the index date."""
    optional: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _column_or_value(self) -> FieldRule:
        if bool(self.column) == (self.value is not None):
            raise ValueError("give `column` or `value`, exactly one of the two")
        return self


def _rules(value: Any) -> Any:
    entries = value if isinstance(value, list) else [value]
    return [{"column": entry} if isinstance(entry, str) else entry for entry in entries]


Rules = Annotated[tuple[FieldRule, ...], BeforeValidator(_rules)]
"""A column name, one rule, or several of which the first that knows a value wins."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class TableFile(Part):
    """A file and how it is read."""

    file: str
    kind: Literal["csv", "tsv", "excel", "parquet"] | None = None
    """Told from the name when absent."""
    sheet: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    comment_lines: str | None = None
    """Lines that start with it are skipped."""
    missing: Texts = ("", "NA", "N/A", "NaN", "nan")
    renamed: dict[str, str] = Field(default_factory=dict)
    """True name to the name that the file gives it, where a header is mangled."""


class Keep(Part):
    """Rows that are kept; the others are left out with the reason."""

    where: Where = Field(default_factory=dict)
    unless: Where = Field(default_factory=dict)
    matches: dict[str, str] = Field(default_factory=dict)
    otherwise: str


class Ids(Part):
    """Patterns of ids; ``{column}``, ``{sheet}``, ``{arm}`` and ``{row}`` (counted from 1) are replaced."""

    case: str
    patient: str | None = None


class TherapyRule(Part):
    """The therapy at the index date: agents or a class, from a column or constant."""

    agents: Rules | None = None
    regimen_class: Rules | None = Field(default=None, alias="class")

    @model_validator(mode="after")
    def _one(self) -> TherapyRule:
        if (self.agents is None) == (self.regimen_class is None):
            raise ValueError("give `agents` or `class`, exactly one of the two")
        return self


class PriorRule(Part):
    """One earlier regimen, for the rows where it was given."""

    where: Where
    therapy: dict[str, Any]


class PriorTherapies(Part):
    """The list of earlier regimens: ``none_where`` says when it is known to be empty."""

    given: tuple[PriorRule, ...] = ()
    none_where: tuple[Where, ...] = ()


class TestRule(Part):
    """A test of one gene whose result has a column of its own."""

    __test__ = False

    gene: str
    column: str
    kind: Literal["mutation", "amplification", "deletion", "fusion", "expression"] = "mutation"
    codes: Codes
    """Source value to present, absent, not_detected or null."""


class VariantTable(TableFile):
    """A table with one row per finding, joined to the cases by a key."""

    key: str
    joins: str | None = None
    """Column of the clinical table that the key points to; the key's own name when absent."""
    columns: dict[str, str]
    codes: dict[str, Codes] = Field(default_factory=dict)
    kind_of_finding: Literal["mutation", "amplification", "deletion", "fusion"] = "mutation"
    alt_reads: str | None = None
    ref_reads: str | None = None
    """The allele fraction is alt / (alt + ref) where these are given."""
    leave_out: dict[str, Texts] = Field(default_factory=dict)
    leave_out_reason: str = "not of interest"


class SpecimenRule(Part):
    """One specimen of each case: when there is one, what it is, and what was found in it."""

    name: str
    where: Where = Field(default_factory=dict)
    fields: dict[str, Rules] = Field(default_factory=dict)
    """Of: source, days_before_index, tumor_purity, panel."""
    genes_tested: tuple[str, ...] | Literal["seen_in_variants"] | None = None
    """A list, or every gene with a call in the variant tables. A panel that the vocabulary lists needs neither."""
    variants: Annotated[tuple[VariantTable, ...], BeforeValidator(_listed)] = ()
    tests: tuple[TestRule, ...] = ()
    unknown_where: tuple[Where, ...] = ()
    """Specimens taken after the index date, for one: nothing found in them is known at the index date."""


class TimelineRule(Part):
    """Earlier regimens from a study's timeline: those that started before the index day of the patient."""

    file: str
    index_day: str | int = 0
    """Day of the index date on the timeline's scale: a number, or the column that holds it."""


class Study(Part):
    """A cBioPortal study folder; files are found by their usual names where none is given."""

    patients: str | None = None
    samples: str | None = None
    mutations: tuple[str, ...] | None = None
    copy_number: tuple[str, ...] | None = None
    structural_variants: tuple[str, ...] | None = None
    panel_matrix: str | None = None
    """Its ``mutations`` column joins the samples as GENE_PANEL_MATRIX."""
    timeline_treatment: TimelineRule | None = None
    patient_key: str = "PATIENT_ID"
    sample_key: str = "SAMPLE_ID"
    keep_samples: tuple[Keep, ...] = ()
    """One sample per patient must remain: which one was at hand at the index date."""
    renamed: dict[str, str] = Field(default_factory=dict)
    """In the mutation files: true name to the name that the file gives it."""
    missing: Texts = ("", "NA", "N/A", "NaN", "nan", "UNKNOWN", "Unknown", "Not Applicable")


class SurvivalRule(Part):
    """Overall survival from the index date, read for evaluation alone: months, and death as 1 or 0."""

    months: FieldRule
    died: FieldRule


class OutcomeRule(Part):
    """The response: as a best response, or as 0 and 1."""

    best_response: FieldRule | None = None
    objective_response: FieldRule | None = None
    reasons: Codes = Field(default_factory=dict)
    """Source value to why it is not evaluable, or no RECIST category."""
    survival: SurvivalRule | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> OutcomeRule:
        if self.best_response is None and self.objective_response is None:
            raise ValueError("give `best_response`, `objective_response` or both")
        return self


class Described(Part):
    """Provenance of the cohort; see :class:`features.provenance.Provenance`."""

    id: str
    title: str
    source: str
    url: str = ""
    licence: str
    assay: str
    endpoint: Endpoint
    denominator: Denominator
    trial_family: str | None = None
    published_cohort: str | None = None


class Manifest(Part):
    """A whole manifest."""

    format: Literal[1]
    cohort: Described
    table: TableFile | None = None
    study: Study | None = None
    """A table, or a cBioPortal study: exactly one of the two."""
    folder: str | None = None
    """Folder under ``--shared`` that ``build-all`` reads."""
    sheets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Sheets that ``build-all`` builds, each with what differs for it."""
    arms: dict[str, Where] = Field(default_factory=dict)
    keep: tuple[Keep, ...] = ()
    ids: Ids
    fields: dict[str, Rules]
    therapy: TherapyRule
    prior_therapies: PriorTherapies | None = None
    specimens: tuple[SpecimenRule, ...] = ()
    outcome: OutcomeRule
    not_used: dict[str, str] = Field(default_factory=dict)
    """Column, or pattern with ``*``, to why it is not used."""

    @model_validator(mode="after")
    def _table_or_study(self) -> Manifest:
        if (self.table is None) == (self.study is None):
            raise ValueError("give `table` or `study`, exactly one of the two")
        return self

    @property
    def table_file(self) -> TableFile:
        """The table that is read.

        Raises
        ------
        InvalidManifest
            When the manifest describes a study.
        """
        if self.table is None:
            raise InvalidManifest("is required", field="table", record=self.cohort.id)
        return self.table

    @property
    def sheet(self) -> str | None:
        """The sheet that is read."""
        return self.table.sheet if self.table else None


def read_manifest(path: Path, sheet: str | None = None) -> Manifest:
    """Read a manifest, with what its ``sheets`` section says about the sheet at hand laid over it.

    Raises
    ------
    ManifestNotFound, InvalidManifest
    """
    if not path.is_file():
        raise ManifestNotFound(
            "there is no such file", record=path.name, way_out="Shipped manifests lie in experiments/cohorts."
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidManifest(f"is not YAML: {' '.join(str(error).split())}", record=path.name) from error
    if not isinstance(raw, dict):
        raise InvalidManifest("is not a mapping", record=path.name, way_out=GUIDE)
    return parse_manifest(raw, path.name, sheet)


def parse_manifest(raw: dict[str, Any], name: str, sheet: str | None = None) -> Manifest:
    """Check a manifest that was read; see :func:`read_manifest`."""
    chosen = sheet or (raw.get("table") or {}).get("sheet")
    overlay = ((raw.get("sheets") or {}).get(chosen) or {}) if chosen else {}
    merged = _laid_over(raw, overlay)
    if chosen and "table" in merged:
        merged = _laid_over(merged, {"table": {"sheet": chosen}})
    try:
        return Manifest.model_validate(merged)
    except ValidationError as error:
        problems = sorted(refusals_of(error, Manifest), key=lambda found: not isinstance(found, UnknownKey))
        problem = problems[0]
        raise InvalidManifest(
            problem.message, field=problem.field, record=name, allowed=problem.allowed, way_out=_way_out(problem)
        ) from None


def _way_out(problem: CaseRefusal) -> str | None:
    """Return how a rule is written where a bare column name stood, else the guide for what is missing or unlike."""
    if problem.way_out is not None and not isinstance(problem, MissingField):
        return problem.way_out
    if isinstance(problem, WrongType):
        return f"A column is named so: {{column: NAME}}. {GUIDE}"
    return GUIDE if isinstance(problem, MissingField) else None


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return ``below`` with ``above`` laid over it; a rule is replaced whole, a section key by key."""
    found = dict(below)
    for key, value in above.items():
        section = key in ("cohort", "table", "fields", "not_used") and isinstance(found.get(key), dict)
        found[key] = {**found[key], **value} if section else value
    return found
