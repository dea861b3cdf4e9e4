"""Any table becomes a cohort by a YAML mapping: one row per source row in order, or the reason why not.

::

    cohort = build(Path("experiments/cohorts/loris.yaml"), Path("AllData.xlsx"), sheet="MSK1")
    cohort.build["left_out"], cohort.build["unmapped"]

Nothing is invented: what the manifest does not map is unknown, and everything lost is counted in the build report.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from features import cohort_columns
from features.batch import regimen_key
from features.case import PriorTherapy, Regimen, read_case
from features.case_refusals import refusals_of
from features.cohort import Cohort
from features.cohort_cases import regimen_of_key
from features.cohort_columns import is_post_index
from features.errors import CaseRefusal, InvalidCase
from features.flat import nest
from features.provenance import Provenance
from features.sources.build_report import BuildReport
from features.sources.doubts import doubts
from features.sources.manifest_columns import Reading, check_path, present_column, read_column, read_field
from features.sources.manifest_findings import ReadSpecimen, read_specimen
from features.sources.manifest_layout import laid_out
from features.sources.manifest_outcomes import read_outcomes
from features.sources.manifest_refusals import InvalidManifest, NoCaseLeft, UnknownArm
from features.sources.manifest_schema import read_manifest
from features.sources.source_table import SourceTable, matching, read_source, row_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from features.sources.manifest_schema import FieldRule, Manifest, SpecimenRule, VariantTable

_REGIMEN = TypeAdapter(Regimen)
_NAMED = re.compile(r"\{([^{}]+)\}")


def build(manifest: Path, source: Path, sheet: str | None = None, arm: str | None = None) -> Cohort:
    """Build a cohort from a source by a manifest.

    Parameters
    ----------
    manifest
        The YAML file.
    source
        The file that the manifest names as its table, or the folder that holds it and its variant tables.
    sheet
        Of a spreadsheet; the manifest's own when absent.
    arm
        One of the manifest's ``arms``; all rows when absent.

    Raises
    ------
    InvalidManifest, SourceNotFound, UnknownSheet, UnknownArm, MissingColumn, UnusableColumn, NoCaseLeft
    """
    rules = read_manifest(manifest, sheet)
    if rules.study is not None:
        from features.sources.cbioportal import build_study

        return build_study(rules, source, arm)
    file = rules.table_file
    path = source / file.file if source.is_dir() else source
    table = read_source(path, file)
    report = BuildReport(source=table.name, source_sha256=table.digest, sheet=file.sheet, arm=arm)
    return CohortBuild(rules, table, path.parent, report).cohort()


class CohortBuild:
    """One run of a manifest over a source: reads field by field, then lays the cohort out."""

    def __init__(self, rules: Manifest, table: SourceTable, folder: Path, report: BuildReport) -> None:
        self.rules = rules
        self.folder = folder
        self.report = report
        self.report.rows_read = len(table)
        self.source_columns = tuple(table.columns)
        self.table = self._kept(table)
        self.used: set[str] = set()

    def _kept(self, table: SourceTable) -> SourceTable:
        """Apply the row filters and the arm; rows left out are recorded with the reason."""
        wanted = [True] * len(table)
        for rule in self.rules.keep:
            passed = row_filter(table, rule)
            self._leave_out(table, wanted, passed, rule.otherwise)
            wanted = [keep and passes for keep, passes in zip(wanted, passed, strict=True)]
        if self.report.arm is not None:
            passed = matching(table, self._arm(self.report.arm))
            self._leave_out(table, wanted, passed, "another arm")
            wanted = [keep and passes for keep, passes in zip(wanted, passed, strict=True)]
        return table.take([row for row, keep in enumerate(wanted) if keep])

    def _leave_out(self, table: SourceTable, wanted: Sequence[bool], passed: Sequence[bool], reason: str) -> None:
        lost = [
            table.numbers[row]
            for row, (keep, passes) in enumerate(zip(wanted, passed, strict=True))
            if keep and not passes
        ]
        self.report.leave_out(reason, lost)

    def _arm(self, name: str) -> Mapping[str, Sequence[str]]:
        if name not in self.rules.arms:
            raise UnknownArm(
                f"{name!r} is not an arm of the manifest", field="arm", allowed=self.rules.arms or ["(none)"]
            )
        return self.rules.arms[name]

    def cohort(self) -> Cohort:
        """Read all fields and return the cohort, its build report beside it."""
        fields = {path: self._field(path, rules) for path, rules in self.rules.fields.items()}
        therapies = self._therapies()
        case_ids, patient_ids = self._ids()
        priors = self.priors()
        outcomes = read_outcomes(self.rules.outcome, self.table, self.report, self.used)
        rows = [
            {
                "case_id": case_ids[i],
                "patient_id": patient_ids[i],
                **{p: v[i] for p, v in fields.items() if v[i] is not None},
            }
            for i in range(len(self.table))
        ]
        good = [
            i
            for i, row in enumerate(rows)
            if self._is_case(i, row, therapies[i], priors[i]) and outcomes[i] is not None
        ]
        if not good:
            raise NoCaseLeft(
                f"all {self.report.rows_read} rows were left out: {'; '.join(self.report.left_out)}",
                record=self.table.name,
            )
        self.table = self.table.take(good)
        specimens = self._specimens([case_ids[i] for i in good])
        parts = laid_out([rows[i] for i in good], [therapies[i] for i in good], [priors[i] for i in good], specimens)
        result = [{"case_id": case_ids[i], **vars(outcomes[i])} for i in good]
        self._finish(parts["cases"])
        known = any(row["objective_response"] is not None for row in result)
        return Cohort(
            **parts,
            outcomes=pa.Table.from_pylist(result, schema=cohort_columns.OUTCOMES),
            provenance=self._provenance(known),
            build=self.report.to_dict(),
        )

    def _field(self, path: str, rules: Sequence[FieldRule]) -> list[Any]:
        check_path(path, "manifest")
        read: Reading = read_field(path, rules, self.table, self.report)
        self.used.update(read.columns)
        return read.values

    def _therapies(self) -> list[str | None]:
        """Return one regimen key per row; None where neither agents nor class are known."""
        rule = self.rules.therapy
        rules, name = (rule.agents, "agents") if rule.agents is not None else (rule.regimen_class, "class")
        found: list[str | None] = [None] * len(self.table)
        for one in rules or ():
            column = present_column(one, self.table, self.report)
            if column is not None:
                self.used.add(column)
                read = read_column("therapy", one, column, self.table, self.report, lambda value: _regimen(name, value))
            else:
                constant = one.value if one.value is not None else one.when_blank
                read = [None if constant is None else _constant_regimen(name, constant)] * len(self.table)
            found = [new if old is None else old for old, new in zip(found, read, strict=True)]
        return found

    def _ids(self) -> tuple[list[str], list[str]]:
        cases = self._pattern(self.rules.ids.case)
        patients = cases if self.rules.ids.patient is None else self._pattern(self.rules.ids.patient)
        return cases, patients

    def _pattern(self, pattern: str) -> list[str]:
        named = _NAMED.findall(pattern)
        values: dict[str, Sequence[object]] = {}
        for name in named:
            if name in ("sheet", "arm"):
                values[name] = [getattr(self.report, name) or ""] * len(self.table)
            elif name == "row":
                values[name] = self.table.numbers
            elif name in self.table.columns:
                self.used.add(name)
                values[name] = self.table.columns[name]
            else:
                self.report.notes.append(f"ids: column {name} is absent, the row number stands for it")
                values[name] = self.table.numbers
        return [_filled(pattern, values, row) for row in range(len(self.table))]

    def priors(self) -> list[list[dict[str, Any]] | None]:
        """Return the earlier regimens of each row; None where the list is not known."""
        found: list[list[dict[str, Any]] | None] = [None] * len(self.table)
        if self.rules.prior_therapies is None:
            return found
        for where in self.rules.prior_therapies.none_where:
            self.used.update(where)
            found = [[] if hit else old for hit, old in zip(matching(self.table, where), found, strict=True)]
        for rule in self.rules.prior_therapies.given:
            self.used.update(rule.where)
            row = {"therapy": _prior_key(rule.therapy)}
            hits = matching(self.table, rule.where)
            found = [[*(old or ()), row] if hit else old for hit, old in zip(hits, found, strict=True)]
        return found

    def _is_case(
        self, place: int, row: Mapping[str, Any], therapy: str | None, priors: Sequence[Mapping[str, Any]] | None
    ) -> bool:
        """Check a row as a whole; one that is no case is left out with the reason."""
        number = self.table.numbers[place]
        if therapy is None or "histology" not in row:
            self.report.leave_out(f"{'histology' if therapy else 'therapy'} is not known", [number])
            return False
        raw = nest(row)
        if priors is not None:
            raw["prior_therapies"] = [regimen_of_key(prior["therapy"]) for prior in priors]
        try:
            read_case({**raw, "therapy": regimen_of_key(therapy)})
        except InvalidCase as problem:
            self.report.leave_out("; ".join(f"{p.field or 'case'}: {p.message}" for p in problem.problems), [number])
            return False
        return True

    def _specimens(self, case_ids: Sequence[str]) -> list[ReadSpecimen]:
        found = []
        for rule in self.rules.specimens:
            variants = self.variant_tables(rule)
            read = read_specimen(rule, self.table, case_ids, variants, self.report)
            self.used.update(read.columns, rule.where, *rule.unknown_where)
            found.append(read)
        return found

    def variant_tables(self, rule: SpecimenRule) -> list[tuple[VariantTable, SourceTable]]:
        """Return the variant tables of a specimen, each with the rule it is read by."""
        return [(one, read_source(self.folder / one.file, one)) for one in rule.variants]

    def _finish(self, cases: pa.Table) -> None:
        """Complete the report: missing values by field, and the columns that were not read."""
        self.report.cases = cases.num_rows
        self.report.notes += doubts(cases)
        self.report.missing = {
            name: cases.column(name).null_count for name in self.rules.fields if cases.column(name).null_count
        }
        for section in (
            *self.rules.arms.values(),
            *(rule.where for rule in self.rules.keep),
            *(rule.unless for rule in self.rules.keep),
        ):
            self.used.update(section)
        self.used.update(name for rule in self.rules.keep for name in rule.matches)
        for name in self.source_columns:
            if name in self.used:
                continue
            reason = next((why for key, why in self.rules.not_used.items() if fnmatch.fnmatchcase(name, key)), None)
            if reason is not None:
                self.report.not_used[name] = reason
            elif is_post_index(name):
                self.report.after_index.append(name)
            else:
                self.report.unmapped.append(name)

    def _provenance(self, outcomes_known: bool) -> Provenance:
        described = self.rules.cohort
        cohort_id = described.id.replace("{sheet}", slug(self.rules.sheet or ""))
        if self.report.arm is not None:
            cohort_id = f"{cohort_id}-{slug(self.report.arm)}"
        values = described.model_dump(exclude={"id"})
        values["title"] = described.title.replace("{sheet}", self.rules.sheet or "")
        provenance = Provenance(cohort_id=cohort_id, **values)
        return provenance if outcomes_known else replace(provenance, endpoint=None)


def slug(name: str) -> str:
    """Return a name as part of a cohort's id: lower case, words joined by hyphens.

    Examples
    --------
    >>> slug("Chowell_train")
    'chowell-train'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _filled(pattern: str, values: Mapping[str, Sequence[object]], row: int) -> str:
    return _NAMED.sub(lambda hit: str(values[hit.group(1)][row]), pattern)


def _constant_regimen(name: str, value: Any) -> str:
    try:
        return _regimen(name, value)
    except ValueError as problem:
        raise InvalidManifest(str(problem), field="therapy", record="manifest") from None


def _prior_key(therapy: Mapping[str, Any]) -> str:
    try:
        prior = PriorTherapy.model_validate(therapy)
    except ValidationError as error:
        problem = next(refusals_of(error, PriorTherapy))
        raise InvalidManifest(
            problem.message, field="prior_therapies.given", record="manifest", allowed=problem.allowed
        ) from None
    return regimen_key(prior.agents, prior.regimen_class)


def _regimen(name: str, value: Any) -> str:
    """Return the key of a regimen, its agents or class resolved."""
    given = value if name == "class" or isinstance(value, list) else [value]
    try:
        regimen = _REGIMEN.validate_python({name: given})
    except (ValidationError, CaseRefusal) as error:
        found = error.errors() if isinstance(error, ValidationError) else []
        told = "; ".join(str(entry["msg"]) for entry in found) or str(error)
        raise ValueError(f"{value!r} is no regimen: {told}") from None
    return regimen_key(regimen.agents, regimen.regimen_class)
