"""Specimens and findings of a manifest: variant tables joined to the cases, and tests with a column of their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features import genes
from features.cohort_cases import joined_genes
from features.cohort_columns import ALTERATIONS
from features.errors import UnknownGene
from features.sources.manifest_columns import condition_text, hide, read_field
from features.sources.manifest_refusals import InvalidManifest
from features.sources.manifest_schema import FieldRule
from features.sources.source_table import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.sources.build_report import BuildReport
    from features.sources.manifest_schema import SpecimenRule, TestRule, VariantTable
    from features.sources.source_table import SourceTable

SPECIMEN_PATHS = {
    "source": "specimen.source",
    "days_before_index": "specimen.days_before_index",
    "tumor_purity": "specimen.tumor_purity",
    "panel": "assay.panel",
}
LONGEST_TEXT = 200
"""Characters of a notation, as the case allows; a longer one (a large deletion spelled out) is unknown."""

_NUMBERS = ("vaf", "cancer_cell_fraction", "copies")


@dataclass(frozen=True)
class ReadSpecimen:
    """One specimen rule applied to all cases.

    Attributes
    ----------
    present
        Whether each case has the specimen.
    fields
        Values by ``source``, ``days_before_index``, ``tumor_purity``, ``panel``; one per case.
    genes_tested
        Joined symbols, or None; one per case.
    recorded
        Whether a list of findings was given; one per case.
    findings
        Rows of :data:`features.cohort_columns.ALTERATIONS`, ``specimen`` null.
    """

    name: str
    present: list[bool]
    fields: dict[str, list[Any]]
    genes_tested: list[str | None]
    recorded: list[bool]
    findings: pa.Table
    columns: tuple[str, ...]


def read_specimen(
    rule: SpecimenRule,
    table: SourceTable,
    case_ids: Sequence[str],
    variants: Sequence[tuple[VariantTable, SourceTable]],
    report: BuildReport,
) -> ReadSpecimen:
    """Apply one specimen rule to the clinical table and its variant tables."""
    present = matching(table, rule.where)
    for where in rule.unknown_where:
        hidden = matching(table, where)
        times = sum(hit and has for hit, has in zip(hidden, present, strict=True))
        if times:
            report.made_unknown[f"specimen {rule.name}: {condition_text(where)}"] += times
        present = [has and not hit for has, hit in zip(present, hidden, strict=True)]
    fields, columns = _fields(rule, table, present, report)
    parts, tested = [], [set[str]() for _ in case_ids]
    seen: frozenset[str] = frozenset()
    for variant_rule, variant_table in variants:
        keys = _keys(variant_rule, table, case_ids, present)
        found, named = read_variants(variant_rule, variant_table, keys, report)
        parts.append(found)
        seen |= named
    _add_tested(rule, tested, present, seen)
    for test in rule.tests:
        parts.append(_test(test, table, case_ids, present, tested, report))
        columns.append(test.column)
    if rule.tests and not variants:
        present = [has and bool(found) for has, found in zip(present, tested, strict=True)]
    listed = rule.tests or rule.genes_tested is not None
    joined = [joined_genes(found) if has and listed else None for has, found in zip(present, tested, strict=True)]
    recorded = [has and bool(variants or rule.tests) for has in present]
    findings = pa.concat_tables(parts) if parts else ALTERATIONS.empty_table()
    return ReadSpecimen(rule.name, present, fields, joined, recorded, findings, tuple(columns))


def _fields(
    rule: SpecimenRule, table: SourceTable, present: list[bool], report: BuildReport
) -> tuple[dict[str, list[Any]], list[str]]:
    fields: dict[str, list[Any]] = {}
    columns: list[str] = []
    for name, rules in rule.fields.items():
        if name not in SPECIMEN_PATHS:
            raise InvalidManifest(
                "is not a field of a specimen", field=f"specimens.{rule.name}.fields.{name}", allowed=SPECIMEN_PATHS
            )
        read = read_field(SPECIMEN_PATHS[name], rules, table, report)
        fields[name] = [value if has else None for value, has in zip(read.values, present, strict=True)]
        columns += read.columns
    return fields, columns


def _keys(rule: VariantTable, table: SourceTable, case_ids: Sequence[str], present: Sequence[bool]) -> dict[str, str]:
    joins = table.column(rule.joins or rule.key)
    return {key: case_id for key, case_id, has in zip(joins, case_ids, present, strict=True) if has and key is not None}


def _add_tested(rule: SpecimenRule, tested: list[set[str]], present: Sequence[bool], seen: frozenset[str]) -> None:
    if rule.genes_tested is None:
        return
    listed = seen if isinstance(rule.genes_tested, str) else frozenset(map(genes.resolve, rule.genes_tested))
    for found, has in zip(tested, present, strict=True):
        if has:
            found |= listed


def _test(
    test: TestRule,
    table: SourceTable,
    case_ids: Sequence[str],
    present: Sequence[bool],
    tested: list[set[str]],
    report: BuildReport,
) -> pa.Table:
    """Return one finding per case with a known result, and note that its gene was tested."""
    gene = genes.resolve(test.gene)
    name = f"test of {gene}"
    rule = FieldRule(column=(test.column,), codes=test.codes)
    values = hide(name, rule, table, report, [_coded(test, value) for value in table.column(test.column)])
    rows = []
    for case_id, has, found, status in zip(case_ids, present, tested, values, strict=True):
        if has and status is not None:
            found.add(gene)
            rows.append({"case_id": case_id, "gene": gene, "kind": test.kind, "status": status})
    return pa.Table.from_pylist(rows, schema=ALTERATIONS)


def _coded(test: TestRule, value: str | None) -> str | None:
    if value is None:
        return None
    if value not in test.codes:
        raise InvalidManifest(
            f"{value!r} is not among the codes", field=f"test of {test.gene}", record=test.column, allowed=test.codes
        )
    status: str | None = test.codes[value]
    return status


def read_variants(
    rule: VariantTable, table: SourceTable, case_of_key: Mapping[str, str], report: BuildReport
) -> tuple[pa.Table, frozenset[str]]:
    """Read a variant table: one finding per row that belongs to a case.

    Returns
    -------
    tuple
        The findings, and every gene that the whole table names (a lower bound of what the assay tests).
    """
    report.count_finding(table.name, "rows", len(table))
    symbols = _by_value(table.column(rule.columns["gene"]), _symbol)
    seen = frozenset(symbol for symbol in set(symbols) if symbol is not None)
    owners = [None if key is None else case_of_key.get(key) for key in table.column(rule.key)]
    wanted = [True] * len(table)
    for name, values in rule.leave_out.items():
        wanted = [keep and not hit for keep, hit in zip(wanted, matching(table, {name: values}), strict=True)]
    chosen = []
    counts: Counter[str] = Counter()
    for row, (owner, keep, symbol) in enumerate(zip(owners, wanted, symbols, strict=True)):
        why = _why_not(owner, keep, symbol, rule)
        counts[why or "kept"] += 1
        if why is None:
            chosen.append(row)
    for what, times in sorted(counts.items()):
        report.count_finding(table.name, what, times)
    return _findings(rule, table, chosen, owners, symbols, report), seen


def _why_not(owner: str | None, keep: bool, symbol: str | None, rule: VariantTable) -> str | None:
    if owner is None:
        return "left out: belongs to no case of this cohort"
    if not keep:
        return f"left out: {rule.leave_out_reason}"
    return "left out: not a gene symbol" if symbol is None else None


def _by_value(values: Sequence[str | None], read: Callable[[str], Any]) -> list[Any]:
    known = {value: None if value is None else read(value) for value in dict.fromkeys(values)}  # in their order
    return [known[value] for value in values]


def _symbol(text: str) -> str | None:
    try:
        return genes.resolve(text)
    except UnknownGene:
        return None


def _findings(
    rule: VariantTable,
    table: SourceTable,
    chosen: Sequence[int],
    owners: Sequence[str | None],
    symbols: Sequence[str | None],
    report: BuildReport,
) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "case_id": [owners[row] for row in chosen],
        "gene": [symbols[row] for row in chosen],
        "kind": [rule.kind_of_finding] * len(chosen),
        "status": ["present"] * len(chosen),
    }
    for field, name in rule.columns.items():
        if field == "gene":
            continue
        if field not in ALTERATIONS.names:
            raise InvalidManifest(
                "is not a field of an alteration", field=f"variants.columns.{field}", allowed=ALTERATIONS.names
            )
        values = table.column(name)
        columns[field] = _by_value([values[row] for row in chosen], _reader(field, rule, table, report))
    if rule.alt_reads and rule.ref_reads:
        columns["vaf"] = _fractions(table, rule.alt_reads, rule.ref_reads, chosen)
    return pa.table(
        [pa.array(columns.get(field.name, [None] * len(chosen)), type=field.type) for field in ALTERATIONS],
        schema=ALTERATIONS,
    )


def _reader(field: str, rule: VariantTable, table: SourceTable, report: BuildReport) -> Callable[[str], Any]:
    codes = rule.codes.get(field)

    def read(value: str) -> Any:
        if codes is not None:
            value = codes.get(value, value)
        if field in _NUMBERS:
            return _number(value, table.decimal)
        if len(value) > LONGEST_TEXT:
            report.count_finding(table.name, f"{field} longer than {LONGEST_TEXT} characters, unknown", 1)
            return None
        return value

    return read


def _number(value: str, decimal: str) -> float | None:
    try:
        return float(value.replace(decimal, "."))
    except ValueError:
        return None


def _fractions(table: SourceTable, alt: str, ref: str, chosen: Sequence[int]) -> list[float | None]:
    pairs = zip(table.column(alt), table.column(ref), strict=True)
    found = [_fraction(*pair) for pair in pairs]
    return [found[row] for row in chosen]


def _fraction(alt: str | None, ref: str | None) -> float | None:
    counts = [None if text is None else _number(text, ".") for text in (alt, ref)]
    if counts[0] is None or counts[1] is None or counts[0] + counts[1] == 0:
        return None
    return counts[0] / (counts[0] + counts[1])
