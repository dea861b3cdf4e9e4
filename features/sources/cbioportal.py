"""A cBioPortal study folder becomes a cohort by a small mapping for its response column.

Read where they are there: clinical patients and samples, mutations, copy number (matrix or list), structural
variants, the panel matrix and the treatment timeline. Which of a patient's samples was at hand at the index date is
never guessed: the mapping's ``keep_samples`` must leave one each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.batch import regimen_key
from features.case import Regimen
from features.errors import InvalidCase
from features.sources.build_report import BuildReport
from features.sources.manifest import CohortBuild
from features.sources.manifest_refusals import InvalidManifest, SourceNotFound, UnusableColumn
from features.sources.manifest_schema import Keep, Manifest, SpecimenRule, Study, TableFile, VariantTable
from features.sources.source_table import SourceTable, read_source, row_filter
from features.sources.study_tables import copy_number_table, structural_variant_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from features.cohort import Cohort

_USUAL = {
    "patients": ("data_clinical_patient*.txt",),
    "samples": ("data_clinical_sample*.txt",),
    "mutations": ("data_mutations*.txt", "data_mutations*.txt.gz", "data_mutations*.maf"),
    "copy_number": ("data_cna*.txt", "data_CNA*.txt", "data_CNA*.tsv", "data_cna*.tsv"),
    "structural_variants": ("data_sv*.txt", "data_fusions*.txt"),
    "panel_matrix": ("data_gene_panel_matrix*.txt",),
}
"""Names that cBioPortal's file formats prescribe, and the variants that studies use."""

_MAF = {
    "protein_change": ("HGVSp_Short", "Protein_Change", "HGVSp"),
    "cdna_change": ("HGVSc", "cDNA_Change"),
    "variant_classification": ("Variant_Classification",),
}


def build_study(rules: Manifest, folder: Path, arm: str | None = None) -> Cohort:
    """Build a cohort from a study folder.

    Raises
    ------
    SourceNotFound
        When the folder has no clinical file.
    UnusableColumn
        When a patient keeps more than one sample.
    """
    study = study_of(rules)
    if not folder.is_dir():
        raise SourceNotFound("is not a folder", record=folder.name, way_out="Point --source at the study folder.")
    report = BuildReport(source=folder.name, arm=arm)
    patients = _clinical(folder, study, "patients", study.patients)
    samples = _clinical(folder, study, "samples", study.samples)
    report.source_sha256 = patients.digest
    samples = _with_panels(samples, folder, study)
    samples = _kept_samples(samples, study.keep_samples, report)
    return StudyBuild(rules, _joined(patients, samples, study), folder, report).cohort()


def study_of(rules: Manifest) -> Study:
    """Return the study's part of a manifest that has one.

    Raises
    ------
    InvalidManifest
    """
    if rules.study is None:
        raise InvalidManifest("is required for a study folder", field="study", record="manifest")
    return rules.study


class StudyBuild(CohortBuild):
    """A manifest's run over a study: the findings come from the study's own files."""

    @property
    def study(self) -> Study:
        """The study's part of the manifest."""
        return study_of(self.rules)

    def variant_tables(self, rule: SpecimenRule) -> list[tuple[VariantTable, SourceTable]]:
        """Return mutations, copy number and structural variants, each with the rule it is read by."""
        self.used.update((self.study.sample_key, self.study.patient_key))
        found = [self._mutations(path) for path in _files(self.folder, "mutations", self.study.mutations)]
        for path in _files(self.folder, "copy_number", self.study.copy_number):
            table = copy_number_table(path, self.study.missing, self.report)
            found.append((self._findings_rule(path, {"gene": "gene", "kind": "kind"}, "SAMPLE"), table))
        for path in _files(self.folder, "structural_variants", self.study.structural_variants):
            table = structural_variant_table(path, self.study.missing, self.report)
            columns = {"gene": "gene", "kind": "kind", "partner": "partner"}
            found.append((self._findings_rule(path, columns, "SAMPLE"), table))
        return [*found, *super().variant_tables(rule)]

    def _findings_rule(self, path: Path, columns: dict[str, str], key: str) -> VariantTable:
        return VariantTable(file=path.name, key=key, joins=self.study.sample_key, columns=columns)

    def _mutations(self, path: Path) -> tuple[VariantTable, SourceTable]:
        file = TableFile(
            file=path.name, kind="tsv", missing=self.study.missing, renamed=self.study.renamed, comment_lines="#"
        )
        table = read_source(path, file)
        columns = {"gene": "Hugo_Symbol"}
        for field, names in _MAF.items():
            name = next((name for name in names if name in table.columns), None)
            if name is not None:
                columns[field] = name
        rule = self._findings_rule(path, columns, "Tumor_Sample_Barcode")
        reads = {"t_alt_count", "t_ref_count"} <= set(table.columns)
        return rule.model_copy(update={"alt_reads": "t_alt_count", "ref_reads": "t_ref_count"} if reads else {}), table

    def priors(self) -> list[list[dict[str, Any]] | None]:
        """Return the earlier regimens: those of the timeline where there is one, else as the manifest says."""
        rule = self.study.timeline_treatment
        if rule is None or not (self.folder / rule.file).is_file():
            return super().priors()
        timeline = read_source(
            self.folder / rule.file, TableFile(file=rule.file, kind="tsv", missing=self.study.missing)
        )
        days: Sequence[Any] = [rule.index_day] * len(self.table)
        if isinstance(rule.index_day, str):
            days = self.table.column(rule.index_day)
        patients = self.table.column(self.study.patient_key)
        return [_earlier(timeline, who, day, self.study, self.report) for who, day in zip(patients, days, strict=True)]


def _earlier(
    timeline: SourceTable, patient: str | None, day: Any, study: Study, report: BuildReport
) -> list[dict[str, Any]] | None:
    """Return the regimens of one patient that started before the index day; agents that started together are one."""
    if day is None or patient is None:
        return None
    starts: dict[float, dict[str, Any]] = {}
    owners = timeline.column(study.patient_key)
    for row in (row for row, owner in enumerate(owners) if owner == patient):
        start, stop = (_number(timeline.columns.get(name, owners)[row]) for name in ("START_DATE", "STOP_DATE"))
        agent = timeline.column("AGENT")[row]
        if start is None or agent is None or start >= float(day):
            continue
        ended = None if stop is None or stop > float(day) else float(day) - stop
        entry = starts.setdefault(
            start, {"agents": [], "started_days_before_index": float(day) - start, "ended_days_before_index": ended}
        )
        entry["agents"].append(agent)
    return [prior for _, entry in sorted(starts.items()) if (prior := _prior(entry, report)) is not None]


def _prior(entry: dict[str, Any], report: BuildReport) -> dict[str, Any] | None:
    try:
        regimen = Regimen.model_validate({"agents": entry["agents"]})
    except (InvalidCase, ValueError):
        report.count_unreadable("prior_therapies", " + ".join(entry["agents"]), 1)
        return None
    rest = {name: value for name, value in entry.items() if name != "agents" and value is not None}
    return {"therapy": regimen_key(regimen.agents, None), **rest}


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _files(folder: Path, what: str, given: Sequence[str] | None) -> list[Path]:
    """Return the files of one kind: those given, or those of the usual names."""
    if given is not None:
        return [folder / name for name in given]
    found = [path for pattern in _USUAL[what] for path in sorted(folder.glob(pattern))]
    return list(dict.fromkeys(found))


def _clinical(folder: Path, study: Study, what: str, given: str | None) -> SourceTable:
    found = _files(folder, what, None if given is None else [given])
    if not found:
        raise SourceNotFound(
            f"has no file {' or '.join(_USUAL[what])}",
            record=folder.name,
            way_out=f"Name it in the mapping: `study: {{{what}: ...}}`.",
        )
    return read_source(found[0], TableFile(file=found[0].name, kind="tsv", missing=study.missing, comment_lines="#"))


def _with_panels(samples: SourceTable, folder: Path, study: Study) -> SourceTable:
    """Return the samples with the panel that their mutations were called on, where a panel matrix says so."""
    found = _files(folder, "panel_matrix", None if study.panel_matrix is None else [study.panel_matrix])
    if not found:
        return samples
    matrix = read_source(found[0], TableFile(file=found[0].name, kind="tsv", missing=study.missing))
    panels = dict(zip(matrix.column("SAMPLE_ID"), matrix.column("mutations"), strict=True))
    joined = [panels.get(sample) for sample in samples.column(study.sample_key)]
    return SourceTable(samples.name, samples.digest, {**samples.columns, "GENE_PANEL_MATRIX": joined}, samples.numbers)


def _kept_samples(samples: SourceTable, rules: Sequence[Keep], report: BuildReport) -> SourceTable:
    """Apply the filters of the samples; those left out are counted by reason."""
    for rule in rules:
        passed = row_filter(samples, rule)
        report.count_finding(f"samples of {samples.name}", f"left out: {rule.otherwise}", passed.count(False))
        samples = samples.take([row for row, keep in enumerate(passed) if keep])
    report.count_finding(f"samples of {samples.name}", "kept", len(samples))
    return samples


def _joined(patients: SourceTable, samples: SourceTable, study: Study) -> SourceTable:
    """Return the patients with the columns of their one sample; a patient without sample has none of its values."""
    owners = samples.column(study.patient_key)
    place: dict[str | None, int] = {}
    for row, owner in enumerate(owners):
        if owner in place:
            raise UnusableColumn(
                f"patient {owner!r} keeps more than one sample",
                field=study.sample_key,
                record=samples.name,
                way_out="Say with `study.keep_samples` which one was at hand at the index date.",
            )
        place[owner] = row
    rows = [place.get(owner) for owner in patients.column(study.patient_key)]
    columns = dict(patients.columns)
    for name, values in samples.columns.items():
        if name not in columns:
            columns[name] = [None if row is None else values[row] for row in rows]
    return SourceTable(patients.name, patients.digest, columns, patients.numbers)
