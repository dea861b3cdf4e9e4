"""Between :class:`features.case.Case` and the tables of a cohort, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.batch import regimen_key
from features.case import Alteration, Case, read_case
from features.cohort_columns import ALTERATIONS, CASES, PRIOR_THERAPIES, SPECIMENS
from features.cohort_refusals import MissingCaseId
from features.flat import FLAT_FIELDS, flatten, nest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from features.case import Regimen

_ALTERATION_FIELDS = tuple(Alteration.model_fields)
_PRIOR_FIELDS = tuple(name for name in PRIOR_THERAPIES.names if name not in ("case_id", "therapy"))
_PATHS = tuple(field.path for field in FLAT_FIELDS)


def joined_genes(genes: Iterable[str] | None) -> str | None:
    """Join the genes that were tested: sorted, once each, by ``|``; None where unknown.

    Examples
    --------
    >>> joined_genes(["KRAS", "EGFR", "KRAS"])
    'EGFR|KRAS'
    """
    return None if genes is None else "|".join(sorted(set(genes)))


def split_genes(joined: str | None) -> list[str] | None:
    """Undo :func:`joined_genes`; the empty text is the empty list."""
    return None if joined is None else [gene for gene in joined.split("|") if gene]


def regimen_of_key(key: str) -> dict[str, Any]:
    """Return the JSON of a regimen from its key.

    Examples
    --------
    >>> regimen_of_key("dabrafenib+trametinib"), regimen_of_key("class:pd1_pdl1+ctla4")
    ({'agents': ['dabrafenib', 'trametinib']}, {'class': 'pd1_pdl1+ctla4'})
    """
    if key.startswith("class:"):
        return {"class": key.removeprefix("class:")}
    return {"agents": key.split("+")}


def _key(regimen: Regimen) -> str:
    return regimen_key(regimen.agents, regimen.regimen_class)


def tables_of(cases: Sequence[Case]) -> dict[str, pa.Table]:
    """Lay cases out as the tables of a cohort, in their order.

    Raises
    ------
    MissingCaseId
        When a case carries no ``case_id``.
    """
    rows: dict[str, list[dict[str, Any]]] = {"cases": [], "alterations": [], "specimens": [], "prior_therapies": []}
    for place, case in enumerate(cases):
        if case.case_id is None:
            raise MissingCaseId("a case of a cohort needs an id", field="case_id", record=f"case in place {place}")
        rows["cases"].append(_case_row(case))
        rows["alterations"] += _alteration_rows(case)
        rows["specimens"] += _specimen_rows(case)
        rows["prior_therapies"] += [
            {"case_id": case.case_id, "therapy": _key(prior), **{name: getattr(prior, name) for name in _PRIOR_FIELDS}}
            for prior in case.prior_therapies or ()
        ]
    schemas = {"cases": CASES, "alterations": ALTERATIONS, "specimens": SPECIMENS, "prior_therapies": PRIOR_THERAPIES}
    return {name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in schemas.items()}


def _case_row(case: Case) -> dict[str, Any]:
    return {
        **flatten(case),
        "therapy": _key(case.therapy),
        "assay.genes_tested": joined_genes(case.assay.genes_tested) if case.assay else None,
        "alterations_recorded": case.alterations is not None,
        "prior_therapies_recorded": case.prior_therapies is not None,
        "specimens_recorded": case.specimens is not None,
    }


def _alteration_rows(case: Case) -> list[dict[str, Any]]:
    found: list[tuple[int | None, Alteration]] = [(None, alteration) for alteration in case.alterations or ()]
    for place, specimen in enumerate(case.specimens or ()):
        found += [(place, alteration) for alteration in specimen.alterations or ()]
    return [{"case_id": case.case_id, "specimen": place, **alteration.__dict__} for place, alteration in found]


def _specimen_rows(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "case_id": case.case_id,
            "specimen": place,
            "source": specimen.source,
            "days_before_index": specimen.days_before_index,
            "tumor_purity": specimen.tumor_purity,
            "panel": specimen.assay.panel if specimen.assay else None,
            "genes_tested": joined_genes(specimen.assay.genes_tested) if specimen.assay else None,
            "alterations_recorded": specimen.alterations is not None,
        }
        for place, specimen in enumerate(case.specimens or ())
    ]


def _known(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if row[name] is not None}


def case_of(
    row: Mapping[str, Any],
    alterations: Sequence[Mapping[str, Any]],
    specimens: Sequence[Mapping[str, Any]],
    priors: Sequence[Mapping[str, Any]],
) -> Case:
    """Return one case from its rows in the tables; the inverse of :func:`tables_of`.

    Agents and tested genes come back sorted: their order never carried meaning.
    """
    raw = nest({path: row[path] for path in _PATHS})
    raw["therapy"] = regimen_of_key(row["therapy"])
    if row["assay.genes_tested"] is not None:
        raw.setdefault("assay", {})["genes_tested"] = split_genes(row["assay.genes_tested"])
    if row["alterations_recorded"]:
        raw["alterations"] = [_known(a, _ALTERATION_FIELDS) for a in alterations if a["specimen"] is None]
    if row["specimens_recorded"]:
        raw["specimens"] = [_specimen(s, alterations) for s in specimens]
    if row["prior_therapies_recorded"]:
        raw["prior_therapies"] = [{**regimen_of_key(p["therapy"]), **_known(p, _PRIOR_FIELDS)} for p in priors]
    return read_case(raw)


def _specimen(row: Mapping[str, Any], alterations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = _known(row, ("source", "days_before_index", "tumor_purity"))
    assay = {"panel": row["panel"], "genes_tested": split_genes(row["genes_tested"])}
    if any(value is not None for value in assay.values()):
        found["assay"] = {name: value for name, value in assay.items() if value is not None}
    if row["alterations_recorded"]:
        own = [a for a in alterations if a["specimen"] == row["specimen"]]
        found["alterations"] = [_known(a, _ALTERATION_FIELDS) for a in own]
    return found
