"""The copy-number and structural-variant files of a study, in any of their shapes, as one row per finding."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from features.copy_number import read_copy_call
from features.errors import UnknownGene, UnreadableAlteration
from features.fusions import read_fusion
from features.sources.manifest_refusals import MissingColumn
from features.sources.manifest_schema import TableFile
from features.sources.source_table import SourceTable, read_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from features.sources.build_report import BuildReport

_SAMPLE = ("Sample_Id", "SAMPLE_ID", "Sample_ID", "Samples", "Tumor_Sample_Barcode")
_GENE = ("Hugo_Symbol", "Gene", "GENE")
_CALL = ("CNA", "Value", "VALUE", "Call")
_MATRIX_EXTRAS = ("Hugo_Symbol", "Entrez_Gene_Id", "Cytoband", "Gene Symbol", "Locus ID")


def _first(table: SourceTable, names: Sequence[str]) -> str:
    found = next((name for name in names if name in table.columns), None)
    if found is None:
        raise MissingColumn(f"needs one of {', '.join(names)}", record=table.name, allowed=tuple(table.columns))
    return found


def _read(path: Path, missing: Sequence[str]) -> SourceTable:
    return read_source(path, TableFile(file=path.name, kind="tsv", missing=tuple(missing), comment_lines="#"))


def copy_number_table(path: Path, missing: Sequence[str], report: BuildReport) -> SourceTable:
    """Read copy number as a matrix (genes by samples) or as a list of calls: columns SAMPLE, gene, kind.

    Only events become rows. A zero of a matrix does not say that the gene was tested: studies fill the genes that a
    smaller panel lacks with zeros (nsclc_pd1_msk_2018 does), so tested genes come from the panel.
    """
    table = _read(path, missing)
    if any(name in table.columns for name in _CALL) and any(name in table.columns for name in _SAMPLE):
        return _from_list(table, report)
    return _from_matrix(table, report)


def _from_list(table: SourceTable, report: BuildReport) -> SourceTable:
    samples, symbols, calls = (table.column(_first(table, names)) for names in (_SAMPLE, _GENE, _CALL))
    counts: Counter[str] = Counter()
    rows = []
    for sample, gene, call in zip(samples, symbols, calls, strict=True):
        kind = _event(call or "", counts)
        if kind is not None:
            rows.append((sample, gene, kind))
    return _events(table, rows, counts, report)


def _from_matrix(table: SourceTable, report: BuildReport) -> SourceTable:
    symbols = table.column(_first(table, ("Hugo_Symbol", "Gene Symbol", "Gene")))
    counts: Counter[str] = Counter()
    rows: list[tuple[str | None, str | None, str]] = []
    for sample, calls in table.columns.items():
        if sample in _MATRIX_EXTRAS:
            continue
        for gene, call in zip(symbols, calls, strict=True):
            if call is None or call in ("0", "1", "-1"):
                continue
            kind = _event(call, counts)
            if kind is not None:
                rows.append((sample, gene, kind))
    return _events(table, rows, counts, report)


def _event(call: str, counts: Counter[str]) -> str | None:
    try:
        kind = read_copy_call(call)
    except UnreadableAlteration:
        counts[f"left out: call {call!r} is not known"] += 1
        return None
    if kind is None:
        counts[f"left out: call {call!r} is no event"] += 1
    return kind


def _events(
    table: SourceTable, rows: Sequence[tuple[str | None, str | None, str]], counts: Counter[str], report: BuildReport
) -> SourceTable:
    for what, times in sorted(counts.items()):
        report.count_finding(table.name, what, times)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("SAMPLE", "gene", "kind"))}
    return SourceTable(table.name, table.digest, columns, range(1, len(rows) + 1))


def structural_variant_table(path: Path, missing: Sequence[str], report: BuildReport) -> SourceTable:
    """Read structural variants (``data_sv``, or the older ``data_fusions``): columns SAMPLE, gene, kind, partner."""
    table = _read(path, missing)
    samples = table.column(_first(table, _SAMPLE))
    ones = table.column(_first(table, ("Site1_Hugo_Symbol", "Hugo_Symbol")))
    twos = table.columns.get("Site2_Hugo_Symbol") or table.columns.get("Fusion") or [None] * len(table)
    found: list[tuple[str | None, str, str, str | None]] = []
    for sample, one, two in zip(samples, ones, twos, strict=True):
        first, second = one or two, two if one else None
        try:
            fusion = read_fusion(first or "", second)
        except (UnknownGene, UnreadableAlteration):
            report.count_finding(table.name, "left out: not a rearrangement of named genes", 1)
            continue
        found.append((sample, fusion.gene, "fusion", "intragenic" if fusion.intragenic else fusion.partner))
    columns = {name: [row[place] for row in found] for place, name in enumerate(("SAMPLE", "gene", "kind", "partner"))}
    return SourceTable(table.name, table.digest, columns, range(1, len(found) + 1))
