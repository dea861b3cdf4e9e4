"""The gene and panel vocabularies: hygiene, aliases, and what a panel tests."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import genes, panels
from features.errors import UnknownGene
from features.vocabulary import cell_list, table

if TYPE_CHECKING:
    from pathlib import Path

GENES = table("genes")
SYMBOLS = {row["symbol"] for row in GENES}
PATHWAYS = {
    "RTK-RAS",
    "PI3K",
    "Cell cycle",
    "p53",
    "WNT",
    "MYC",
    "TGF-beta",
    "Notch",
    "Hippo",
    "NRF2",
    "DNA repair",
    "Chromatin",
    "Immune",
}


def test_symbols_are_unique_sorted_and_enough() -> None:
    symbols = [row["symbol"] for row in GENES]
    assert symbols == sorted(set(symbols))
    assert len(symbols) >= 500


def test_hgnc_ids_are_ids_and_unique() -> None:
    ids = [row["hgnc_id"] for row in GENES if row["hgnc_id"]]
    assert all(re.fullmatch(r"HGNC:\d+", written) for written in ids)
    assert [written for written, n in Counter(ids).items() if n > 1] == []


def test_an_alias_stands_for_one_gene_and_is_no_symbol() -> None:
    aliases = Counter(alias.upper() for row in GENES for alias in cell_list(row["aliases"]))
    assert [alias for alias, n in aliases.items() if n > 1] == []
    assert set(aliases) & {symbol.upper() for symbol in SYMBOLS} == set()


def test_roles_and_pathways_are_from_their_lists_and_sourced() -> None:
    assert {row["role"] for row in GENES} <= set(get_args(genes.Role))
    assert set(genes.pathways()) == PATHWAYS
    assert [row["symbol"] for row in GENES if not (row["source"] and row["version"])] == []


@pytest.mark.parametrize(
    ("written", "symbol"),
    [
        ("HER2", "ERBB2"),
        ("MLL2", "KMT2D"),
        ("mll3", "KMT2C"),
        ("FAM123B", "AMER1"),
        ("PARK2", "PRKN"),
        ("LKB1", "STK11"),
        ("PD-L1", "CD274"),
        ("MEK1", "MAP2K1"),
        ("MRE11A", "MRE11"),
        ("H3F3A", "H3-3A"),
        ("HIST1H3B", "H3C2"),
        ("C11orf30", "EMSY"),
        (" braf ", "BRAF"),
        ("TTN", "TTN"),
        ("HLA-A", "HLA-A"),
        ("c9orf72", "C9orf72"),
    ],
)
def test_symbols_and_aliases_resolve(written: str, symbol: str) -> None:
    assert genes.resolve(written) == symbol


@pytest.mark.parametrize("written", ["", "BRAF V600E", "EML4::ALK", "p.V600E ", "BRAF;KRAS", "x" * 50, "ÄGFR"])
def test_what_is_no_symbol_is_refused(written: str) -> None:
    with pytest.raises(UnknownGene):
        genes.resolve(written)


@given(st.sampled_from(sorted(SYMBOLS)))
def test_resolving_twice_changes_nothing(symbol: str) -> None:
    assert genes.resolve(symbol) == symbol == genes.resolve(genes.resolve(symbol.lower()))


def test_clonal_haematopoiesis_genes_are_set_apart() -> None:
    assert {"DNMT3A", "TET2", "ASXL1", "PPM1D"} <= genes.clonal_haematopoiesis()
    assert genes.clonal_haematopoiesis().isdisjoint({"EGFR", "STK11", "KRAS", "BRAF"})


def test_panels_are_unique_sorted_and_sourced() -> None:
    rows = table("panels")
    names = [row["panel"] for row in rows]
    assert names == sorted(set(names))
    assert [row["panel"] for row in rows if not (row["source"] and row["specimen"] in ("tissue", "blood"))] == []
    spellings = Counter(panels.folded(name) for row in rows for name in (row["panel"], *cell_list(row["synonyms"])))
    assert [name for name, n in spellings.items() if n > 1] == []


def test_a_calibration_is_whole_and_sourced() -> None:
    for row in table("panels"):
        assert bool(row["tmb_slope"]) == bool(row["tmb_intercept"])
        assert row["tmb_source"], row["panel"]


def test_panel_genes_are_known_genes_of_known_panels() -> None:
    rows = table("panel_genes")
    listed = [row["gene"] for row in rows]
    assert listed == sorted(set(listed))
    assert set(listed) <= SYMBOLS
    assert {panel for row in rows for panel in cell_list(row["panels"])} <= set(panels.names())


@pytest.mark.parametrize(("panel", "n"), [("MSK-IMPACT341", 341), ("F1CDx", 324), ("ACCESS129", 129)])
def test_a_panel_has_as_many_genes_as_its_name_says(panel: str, n: int) -> None:
    found = panels.find(panel)
    assert found is not None
    assert found.genes is not None
    assert len(found.genes) == n


def test_a_later_panel_tests_what_the_earlier_one_did() -> None:
    lists = [panels.find(f"IMPACT{n}") for n in (341, 410, 468)]
    sets = [found.genes for found in lists if found is not None and found.genes is not None]
    assert sets[0] < sets[1] < sets[2]


@pytest.mark.shared
def test_reported_mutations_lie_on_their_panel_and_sizes_explain_the_rates(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "rizvi18"
    with (folder / "CLIN_sample.txt").open(encoding="utf-8") as samples:
        rows = list(csv.DictReader(samples, delimiter="\t"))
    panel_of = {row["SAMPLE_ID"]: panels.find(row["GENE_PANEL"]) for row in rows}
    for row in rows:
        panel = panel_of[row["SAMPLE_ID"]]
        assert panel is not None
        assert panel.size_mb is not None
        mutations = float(row["MUTATION_RATE"]) * panel.size_mb
        assert mutations == pytest.approx(round(mutations), abs=0.02), row["SAMPLE_ID"]
    with gzip.open(folder / "SNV.txt.gz", "rt", encoding="utf-8") as mutations_file:
        off = {
            m["Hugo_Symbol"]
            for m in csv.DictReader(mutations_file, delimiter="\t")
            if (p := panel_of.get(m["Tumor_Sample_Barcode"])) and genes.resolve(m["Hugo_Symbol"]) not in (p.genes or ())
        }
    assert off <= {"INSRR"}, "INSRR was on IMPACT410 only and is not certain for the panel as a whole"
