"""From rows, therapies and specimens that were read to the tables of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features import cohort_columns
from features.flat import FLAT_FIELDS
from features.sources.manifest_findings import SPECIMEN_PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.sources.manifest_findings import ReadSpecimen


def laid_out(
    rows: Sequence[Mapping[str, Any]],
    therapies: Sequence[str | None],
    priors: Sequence[Sequence[Mapping[str, Any]] | None],
    specimens: Sequence[ReadSpecimen],
) -> dict[str, pa.Table]:
    """Return the tables of a cohort; one specimen rule fills the case's own specimen, several fill the list."""
    n = len(rows)
    columns: dict[str, list[Any]] = {field.path: [row.get(field.path) for row in rows] for field in FLAT_FIELDS}
    columns["therapy"] = list(therapies)
    columns["prior_therapies_recorded"] = [prior is not None for prior in priors]
    columns["alterations_recorded"] = [False] * n
    columns["specimens_recorded"] = [False] * n
    columns["assay.genes_tested"] = [None] * n
    further: list[dict[str, Any]] = []
    findings = [cohort_columns.ALTERATIONS.empty_table()]
    if len(specimens) == 1:
        _own_specimen(columns, specimens[0])
        findings.append(specimens[0].findings)
    elif specimens:
        columns["specimens_recorded"] = [any(s.present[i] for s in specimens) for i in range(n)]
        further, numbered = _further_specimens(columns["case_id"], specimens)
        findings += numbered
    cases = pa.table(
        [pa.array(columns[f.name], type=f.type) for f in cohort_columns.CASES], schema=cohort_columns.CASES
    )
    earlier = [
        {"case_id": row["case_id"], **prior} for row, given in zip(rows, priors, strict=True) for prior in given or ()
    ]
    return {
        "cases": cases,
        "alterations": pa.concat_tables(findings),
        "specimens": pa.Table.from_pylist(further, schema=cohort_columns.SPECIMENS),
        "prior_therapies": pa.Table.from_pylist(earlier, schema=cohort_columns.PRIOR_THERAPIES),
    }


def _own_specimen(columns: dict[str, list[Any]], specimen: ReadSpecimen) -> None:
    for name, values in specimen.fields.items():
        columns[SPECIMEN_PATHS[name]] = values
    columns["assay.genes_tested"] = specimen.genes_tested
    columns["alterations_recorded"] = specimen.recorded


def _further_specimens(
    case_ids: Sequence[str], specimens: Sequence[ReadSpecimen]
) -> tuple[list[dict[str, Any]], list[pa.Table]]:
    """Return the rows of the specimens table, and the findings numbered by their specimen's place in its case."""
    rows: list[dict[str, Any]] = []
    places: list[dict[str, int]] = [{} for _ in specimens]
    for i, case_id in enumerate(case_ids):
        for k, specimen in enumerate(s for s in specimens if s.present[i]):
            places[specimens.index(specimen)][case_id] = k
            values = {name: given[i] for name, given in specimen.fields.items()}
            rows.append(
                {
                    "case_id": case_id,
                    "specimen": k,
                    "genes_tested": specimen.genes_tested[i],
                    "alterations_recorded": specimen.recorded[i],
                    **values,
                }
            )
    numbered = []
    for specimen, place in zip(specimens, places, strict=True):
        own = pa.array([place[case_id] for case_id in specimen.findings.column("case_id").to_pylist()], type=pa.int64())
        numbered.append(specimen.findings.set_column(1, cohort_columns.ALTERATIONS.field("specimen"), own))
    return rows, numbered
