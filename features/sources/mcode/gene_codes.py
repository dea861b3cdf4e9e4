"""Genes: HGNC ids, Entrez ids and symbols of one concept read together; a contradiction is said, never settled alone.

HGNC ids are those of the gene vocabulary, Entrez ids those of ``tables/entrez.csv``. An id that neither lists cannot be
checked, and the written symbol counts.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from features import genes
from features.errors import UnknownGene
from features.sources.mcode.systems import Concept
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.sources.mcode.systems import Coding

_ID = re.compile(r"(?:HGNC:)?(\d{1,6})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene as named.

    Attributes
    ----------
    symbol
        The symbol that counts, "" when none does.
    by_id, by_name
        What the ids and what the words say; "" where they say nothing.
    secondary
        A second coding (Entrez) that says another gene than id and name, or "".
    """

    symbol: str
    by_id: str = ""
    by_name: str = ""
    secondary: str = ""

    @property
    def disputed(self) -> bool:
        """Return whether id and name are two genes."""
        return bool(self.by_id and self.by_name and self.by_id != self.by_name)


@lru_cache(maxsize=1)
def _by_hgnc() -> Mapping[str, str]:
    return {row["hgnc_id"].removeprefix("HGNC:"): row["symbol"] for row in table("genes") if row["hgnc_id"]}


@lru_cache(maxsize=1)
def _by_entrez() -> Mapping[str, str]:
    text = files("features.sources.mcode.tables").joinpath("entrez.csv").read_text(encoding="utf-8")
    return {row["entrez"]: row["gene"] for row in csv.DictReader(text.splitlines())}


@lru_cache(maxsize=8192)
def symbol_of(words: str) -> str:
    """Return the symbol of a written gene, "" when the words are no gene.

    Examples
    --------
    >>> symbol_of("HER2"), symbol_of("not a gene")
    ('ERBB2', '')
    """
    if not words or _ID.fullmatch(words):
        return ""
    try:
        return genes.resolve(words)
    except UnknownGene:
        return ""


@lru_cache(maxsize=8192)
def gene_of(concept: Concept) -> Gene:
    """Return the one gene that a concept names.

    Examples
    --------
    >>> from features.sources.mcode.systems import Coding, Concept
    >>> gene_of(Concept((Coding("hgnc", "HGNC:1097", "BRAF"),))).symbol
    'BRAF'
    >>> gene_of(Concept((Coding("hgnc", "HGNC:6342", "NRAS"),))).disputed
    True
    """
    ids = {found for one in concept.codings if one.system == "hgnc" and (found := _of_hgnc(one.code))}
    entrez = {found for one in concept.codings if one.system == "entrez" and (found := _by_entrez().get(one.code, ""))}
    names = _names(concept)
    by_id = ids.pop() if len(ids) == 1 else ""
    by_name = names.pop() if len(names) == 1 else ""
    if ids or names or (by_id and by_name and by_id != by_name):
        return Gene("", by_id or "?", by_name or "??")
    symbol = by_id or by_name
    other = entrez.pop() if len(entrez) == 1 else ""
    if not symbol:
        return Gene(other)
    return Gene(symbol, by_id, by_name, other if other and other != symbol else "")


def _of_hgnc(code: str) -> str:
    hit = _ID.fullmatch(code)
    return _by_hgnc().get(hit[1].lstrip("0"), "") if hit else symbol_of(code)


def _names(concept: Concept) -> set[str]:
    """Return the symbols that displays and text are; long names of genes are no symbols and say nothing."""
    displays = [one.display for one in concept.codings if one.system in {"hgnc", "entrez", ""}]
    found = {symbol for words in displays if (symbol := symbol_of(words))}
    return found or {symbol for words in [concept.text] if (symbol := symbol_of(words))}


def several_genes(concept: Concept) -> list[Gene]:
    """Return the genes of a concept whose codings may each be another gene, as regions studied are written."""
    of_hgnc = [one for one in concept.codings if one.system == "hgnc"]
    if len(of_hgnc) > 1:
        return [gene_of(Concept((one,))) for one in of_hgnc]
    return [gene_of(concept)]


def swapped(found: Iterable[Gene]) -> bool:
    """Return whether the ids of several genes are the same genes as their names, in another order."""
    listed = list(found)
    by_id, by_name = (
        sorted(one.by_id or one.symbol for one in listed),
        sorted(one.by_name or one.symbol for one in listed),
    )
    return any(one.disputed for one in listed) and by_id == by_name


def shown(codings: Iterable[Coding]) -> str:
    """Return codings as a message shows them."""
    return ", ".join(f"{one.code} {one.display}".strip() for one in codings)
