"""A minute of the bench: ratios, never times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import encoding, scoring
from tests.bench.__main__ import BEGIN, END, PAGE, table
from tests.bench.timing import Figure, exponent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.mark.slow
def test_scoring_keeps_its_ratios(folder: Path) -> None:
    by_what = {one.what: one for one in scoring.figures(folder, granules=2, rounds=2, others=False)}
    everything = next(one for what, one in by_what.items() if what.startswith("all contributions"))
    tables = next(one for what, one in by_what.items() if what.startswith("TreeSHAP by table"))
    alone = next(one for what, one in by_what.items() if what.startswith("probability"))
    assert everything.kept, everything
    assert tables.kept, tables
    assert alone.ratio > 0.1, alone  # a third of the bar: two granules are mostly cold, and CI shares its cores


@pytest.mark.slow
def test_one_case_is_encoded_twenty_times_as_fast_as_by_a_column_transformer(folder: Path) -> None:
    one = encoding.figures(folder, sizes=(1, 100), rounds=3)[0]  # forty different cases, each by itself
    assert one.kept, one


def test_exponent_of_a_square() -> None:
    assert abs(exponent({10: 1.0, 100: 100.0, 1_000: 10_000.0}) - 2.0) < 1e-12


def test_the_table_says_which_bars_are_kept() -> None:
    shown = table([Figure("a", "x", 0.5, 0.7), Figure("f", "y", 900.0, 1_500.0, True, "MB"), Figure("c", "z", 2.0)])
    assert "| a | x | 0.5 | at least 0.7 | **no** |" in shown
    assert "| f | y | 900 MB | at most 1500 | yes |" in shown


def test_the_page_has_a_place_for_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
