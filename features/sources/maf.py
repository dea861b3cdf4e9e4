"""MAF files and tables like them: one row a mutation, read into alterations of a case.

Reads the GDC format, vcf2maf's, the Broad's (``Protein_Change``), cBioPortal's ``data_mutations``, and comma-separated
tables with ``gene_name`` and ``protein_syntax``; gzip or plain. What cannot be read is kept as a mutation of its
classification and counted, never guessed.
"""

from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING, Any

from features import genes
from features.case import Alteration
from features.cdna_notation import read_cdna
from features.errors import CohortRefusal, UnknownGene, UnreadableAlteration
from features.protein_notation import read_protein
from features.sources.understood import Understood
from features.variant_classification import kind_of_classification
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

GENE = ("Hugo_Symbol", "gene_name", "Gene", "SYMBOL")
SAMPLE = ("Tumor_Sample_Barcode", "Sample_ID", "SAMPLE_ID", "PtID", "Patient")
PROTEIN = ("HGVSp_Short", "HGVSp", "Protein_Change", "protein_syntax", "Amino_Acid_Change", "AAChange")
CODING = ("HGVSc", "cDNA_Change", "cds_syntax")
CLASSIFICATION = ("Variant_Classification", "effect", "Consequence")
FRACTION = ("t_vaf", "VAF", "tumor_f", "af", "allele_frequency")
CANCER_CELLS = ("ccf_hat", "ccf", "CCF")
"""Names of each column, the first that is there and filled counts."""

LONGEST_TEXT = 200
"""Characters a text of a case may have; longer notations are shortened to their canonical form or left out."""

_VARIANT_TYPES = frozenset({"SNP", "DNP", "TNP", "ONP", "INS", "DEL", "SNV", "INDEL"})
_NO_GENE = frozenset({"", "UNKNOWN", ".", "-", "NA"})
_ORIGINS = {"germline": "germline", "somatic": "somatic"}


def maf_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a file as they stand, comment lines left out.

    Parameters
    ----------
    path
        Tab- or comma-separated with a header; UTF-8, or latin-1 where it is not valid UTF-8.

    Raises
    ------
    CohortRefusal
        When the file has no column of gene symbols.
    """
    text = _text_of(path)
    lines = [line for line in io.StringIO(text, newline=None) if not line.startswith("#") and line.strip()]
    if not lines:
        raise CohortRefusal("has no rows", record=path.name, way_out="Give a MAF with its header line.")
    tab = "\t" in lines[0]
    reader = csv.DictReader(lines, delimiter="\t" if tab else ",", quoting=csv.QUOTE_NONE if tab else csv.QUOTE_MINIMAL)
    if not set(GENE) & set(reader.fieldnames or ()):
        raise CohortRefusal(
            "has no column of gene symbols", record=path.name, allowed=GENE, way_out="Name the column Hugo_Symbol."
        )
    yield from reader


def _text_of(path: Path) -> str:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def first_filled(row: Mapping[str, str | None], names: Iterable[str]) -> str | None:
    """Return the first of the named cells that is filled; ``.``, ``NA`` and blanks are not.

    Examples
    --------
    >>> first_filled({"HGVSp_Short": "", "HGVSp": "p.Val600Glu"}, PROTEIN)
    'p.Val600Glu'
    """
    for name in names:
        cell = (row.get(name) or "").strip()
        if cell and cell not in {".", "NA", "N/A", "nan"}:
            return cell
    return None


def classification_of(row: Mapping[str, str | None]) -> str | None:
    """Return a row's variant classification.

    Some cBioPortal files lack the ``Consequence`` cell in every row, so that the classification stands one column to
    the left and ``Variant_Classification`` holds a variant type; then the cell to the left is taken.
    """
    word = first_filled(row, CLASSIFICATION)
    return first_filled(row, ("Consequence",)) if word in _VARIANT_TYPES else word


def _readable(text: str | None, read: Callable[[str], Any], tally: Understood | None) -> str | None:
    """Return the text if it can be read (shortened where it is too long for a case), else None; count it."""
    if text is None:
        return None
    try:
        found = read(text)
    except UnreadableAlteration:
        if tally is not None:
            tally.add(text, readable=False)
        return None
    if tally is not None:
        tally.add(text, readable=True)
    if len(text) <= LONGEST_TEXT:
        return text
    canonical = f"c.{found.text}" if read is read_cdna else f"p.{found.text}"
    return canonical if len(canonical) <= LONGEST_TEXT else None


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None else float(cell.replace(",", "."))
    except ValueError:
        return None


def allele_fraction(row: Mapping[str, str | None]) -> float | None:
    """Return the allele fraction: as given (0 to 1, or percent with ``%``), else alternate over all reads.

    Examples
    --------
    >>> allele_fraction({"t_alt_count": "25", "t_ref_count": "75"})
    0.25
    """
    cell = first_filled(row, FRACTION)
    given = _number(cell.rstrip("%")) if cell else None
    if cell and given is not None:
        given = given / 100 if cell.endswith("%") else given
        return given if 0 <= given <= 1 else None
    alternate, reference = _number(row.get("t_alt_count")), _number(row.get("t_ref_count"))
    depth = alternate + reference if alternate is not None and reference is not None else _number(row.get("t_depth"))
    if alternate is None or not depth or not 0 <= alternate <= depth:
        return None
    return alternate / depth


def fields_of_row(row: Mapping[str, str | None], tally: Understood | None = None) -> dict[str, Any] | None:
    """Return the fields of one alteration, or None for a row of no gene.

    Parameters
    ----------
    row
        Cells by column name.
    tally
        Counts the protein notations of the file and what was not understood.
    """
    symbol = first_filled(row, GENE) or ""
    if symbol.upper() in _NO_GENE:
        return None
    try:
        gene = genes.resolve(symbol)
    except UnknownGene:
        return None
    word = classification_of(row)
    found = {
        "gene": gene,
        "kind": "mutation",
        "protein_change": _readable(first_filled(row, PROTEIN), read_protein, tally),
        "cdna_change": _readable(first_filled(row, CODING), read_cdna, None),
        "variant_classification": word if word and _known_word(word) else None,
        "vaf": allele_fraction(row),
        "cancer_cell_fraction": _fraction(first_filled(row, CANCER_CELLS)),
        "origin": _ORIGINS.get((row.get("Mutation_Status") or "").strip().casefold()),
    }
    return {name: value for name, value in found.items() if value is not None}


def _fraction(cell: str | None) -> float | None:
    value = _number(cell)
    return value if value is not None and 0 <= value <= 1 else None


def _known_word(word: str) -> bool:
    try:
        kind_of_classification(word)
    except UnreadableAlteration:
        return False
    return True


def alterations_of_maf(path: Path, sample: str | None = None) -> tuple[tuple[Alteration, ...], Understood]:
    """Return the alterations of one sample of a MAF, and how much of its notation was understood.

    Parameters
    ----------
    path
        See :func:`maf_rows`.
    sample
        Tumour sample; may be left out when the file holds one.

    Raises
    ------
    CohortRefusal
        When the sample is not in the file, or the file holds several and none is named.
    """
    rows = list(maf_rows(path))
    samples = {name for row in rows if (name := first_filled(row, SAMPLE))}
    chosen = _chosen(sample, samples, path)
    tally = Understood()
    found = [
        fields
        for row in rows
        if first_filled(row, SAMPLE) == chosen and (fields := fields_of_row(row, tally)) is not None
    ]
    return tuple(Alteration.model_validate(fields) for fields in found), tally


def _chosen(sample: str | None, samples: set[str], path: Path) -> str | None:
    if sample is None and len(samples) <= 1:
        return next(iter(samples), None)
    if sample is not None and sample in samples:
        return sample
    message = f"has {len(samples)} samples; name one" if sample is None else f"has no sample {sample!r}"
    near = nearest(sample, samples) if sample else ()
    raise CohortRefusal(message, record=path.name, allowed=near or sorted(samples), way_out="Give it by --sample.")


def understood(rows: Iterable[Mapping[str, str | None]], columns: tuple[str, ...] = PROTEIN) -> Understood:
    """Return how many of the protein changes of a file are understood, and list those that are not."""
    tally = Understood()
    for row in rows:
        _readable(first_filled(row, columns), read_protein, tally)
    return tally


def alterations_of(path: Path, sample: str | None = None) -> list[dict[str, Any]]:
    """Return the alterations of one sample of a MAF or a VCF as a case writes them.

    Raises
    ------
    CohortRefusal
        When the file or the sample cannot be used; see :func:`alterations_of_maf` and
        :func:`features.sources.vcf.alterations_of_vcf`.
    """
    from features.sources.vcf import alterations_of_vcf

    read = alterations_of_vcf if ".vcf" in path.suffixes else alterations_of_maf
    return [one.model_dump(exclude_none=True) for one in read(path, sample)[0]]
