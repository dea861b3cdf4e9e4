"""Genes: aliases to HGNC symbols, roles and canonical pathways.

The vocabulary holds the genes of common panels. A well-formed symbol that it does not list passes as it is, since a
whole exome has 20,000 genes; it has no role, pathway or HGNC id here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from features.errors import UnknownGene, seen_text
from features.vocabulary import cell_list, nearest, table

Role = Literal["oncogene", "tumour_suppressor", "both", "fusion_partner", "other"]

_SYMBOL = re.compile(r"(?![CGP]\.)[A-Z0-9][A-Z0-9orf]*(?:[-.@_/][A-Z0-9]+)*", re.ASCII)
"""HGNC symbols are Latin capitals and digits, at times a hyphen, ``orf`` and (on panels) a dot or an underscore."""

_OPEN_READING_FRAME = re.compile(r"C(\d+|X|Y)ORF(\d+)")
LONGEST_SYMBOL = 40
"""Characters; longer than any approved symbol (HGNC guideline) or Ensembl clone name."""


@dataclass(frozen=True, slots=True)
class GeneRow:
    """One row of ``genes.csv``.

    Attributes
    ----------
    hgnc_id
        ``HGNC:1097``; empty where we are not certain.
    pathway
        One of :func:`pathways`; empty when none is assigned.
    clonal_haematopoiesis
        True for genes whose blood findings are often not from the tumour.
    """

    symbol: str
    hgnc_id: str
    aliases: tuple[str, ...]
    role: Role
    pathway: str
    clonal_haematopoiesis: bool
    source: str

    @property
    def chip(self) -> bool:
        """Short for ``clonal_haematopoiesis``."""
        return self.clonal_haematopoiesis


@lru_cache(maxsize=1)
def _rows() -> dict[str, GeneRow]:
    return {
        row["symbol"]: GeneRow(
            symbol=row["symbol"],
            hgnc_id=row["hgnc_id"],
            aliases=cell_list(row["aliases"]),
            role=cast("Role", row["role"]),
            pathway=row["pathway"],
            clonal_haematopoiesis=row["clonal_haematopoiesis"] == "yes",
            source=row["source"],
        )
        for row in table("genes")
    }


@lru_cache(maxsize=1)
def _by_name() -> dict[str, str]:
    """Return every upper-cased symbol and alias with its symbol; a symbol beats an alias."""
    aliases = {alias.upper(): symbol for symbol, row in _rows().items() for alias in row.aliases}
    return {**aliases, **{symbol.upper(): symbol for symbol in _rows()}}


@lru_cache(maxsize=1)
def symbols() -> tuple[str, ...]:
    """Return the symbols of the vocabulary, sorted.

    Examples
    --------
    >>> {"BRAF", "EGFR", "STK11"} <= set(symbols())
    True
    """
    return tuple(sorted(_rows()))


@lru_cache(maxsize=32_768)
def resolve(symbol: str) -> str:
    """Return the HGNC symbol of a gene.

    Parameters
    ----------
    symbol
        A symbol or an alias, in any case. A well-formed symbol that is not listed is returned upper-cased.

    Raises
    ------
    UnknownGene
        When the text cannot be a gene symbol (spaces, two genes, a variant), with the nearest symbols.

    Examples
    --------
    >>> resolve("HER2"), resolve("MLL2"), resolve("braf"), resolve("TTN"), resolve("c9orf72")
    ('ERBB2', 'KMT2D', 'BRAF', 'TTN', 'C9orf72')
    """
    written = symbol.strip().upper()
    listed = _by_name().get(written) or _by_name().get(written.replace("-", ""))  # K-RAS, HER-2, c-MET
    if listed is not None:
        return listed
    if len(written) > LONGEST_SYMBOL or not _SYMBOL.fullmatch(written):
        raise UnknownGene(
            f"{seen_text(symbol)} is not a gene symbol",
            allowed=nearest(written, _by_name()),
            way_out="Give one HGNC symbol; a fusion's other gene goes into `partner`, a variant into `protein_change`.",
        )
    return _OPEN_READING_FRAME.sub(r"C\1orf\2", written)


def row(symbol: str) -> GeneRow | None:
    """Return the row of a resolved symbol, or None when the vocabulary does not list it.

    Examples
    --------
    >>> row("DNMT3A").chip
    True
    >>> row("TTN") is None
    True
    """
    return _rows().get(symbol)


def pathway(symbol: str) -> str:
    """Return the canonical pathway of a resolved symbol, ``""`` when it has none.

    Examples
    --------
    >>> pathway("KRAS"), pathway("TTN")
    ('RTK-RAS', '')
    """
    found = _rows().get(symbol)
    return found.pathway if found else ""


@lru_cache(maxsize=1)
def pathways() -> tuple[str, ...]:
    """Return the names of all pathways, sorted.

    Examples
    --------
    >>> "RTK-RAS" in pathways()
    True
    """
    return tuple(sorted({found.pathway for found in _rows().values()} - {""}))


@lru_cache(maxsize=64)
def of_pathway(name: str) -> frozenset[str]:
    """Return the symbols of a pathway; empty for a name that no row carries."""
    return frozenset(symbol for symbol, found in _rows().items() if found.pathway == name)


@lru_cache(maxsize=1)
def clonal_haematopoiesis() -> frozenset[str]:
    """Return the genes whose blood findings are often of clonal haematopoiesis."""
    return frozenset(symbol for symbol, found in _rows().items() if found.clonal_haematopoiesis)
