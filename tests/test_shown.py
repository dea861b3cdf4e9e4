"""What a run prints: whole words on a narrow terminal, no codes, nothing dropped without a word."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from experiments.shown import further_table
from models.bootstrap import Estimate
from training.further import Cell, FurtherTable
from training.within_cohorts import COUNTED

SCORED: dict[str, Cell] = {
    "by": "histology",
    "group": "Non-Small Cell Lung Cancer",
    "n": 276,
    "predictor": "default_lightgbm",
    "auroc": Estimate(0.792, 0.729, 0.844),
    "skill": Estimate(0.227, 0.125, 0.306),
    "citl": Estimate(0.009, -0.292, 0.311),
}
SMALL: dict[str, Cell] = {"by": "histology", "group": "Merkel Cell Carcinoma", "n": 11, "note": COUNTED}
COLUMNS = (
    ("by", "by"),
    ("group", "group"),
    ("n", "n"),
    ("predictor", "predictor"),
    ("auroc", "AUROC within cohorts"),
    ("skill", "Brier skill over the cohorts' base rates"),
    ("citl", "CITL"),
    ("note", "note"),
)
TABLE = FurtherTable("subgroups", "For whom", COLUMNS, (SCORED, SMALL), ("Pooled.",))


def printed(width: int) -> str:
    page = io.StringIO()
    Console(width=width, file=page).print(further_table(TABLE, width))
    return page.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_word_and_no_number_is_broken(width: int) -> None:
    text = printed(width)
    for whole in ("Non-Small Cell Lung", "default LightGBM", "histology", "0.792", "0.729…0.844"):
        assert whole in text
    assert all(len(line) <= width for line in text.splitlines())


def test_what_does_not_fit_is_named() -> None:
    assert "CITL: in the report, and on a wider terminal." in " ".join(printed(80).split())
    assert "wider terminal" not in printed(160)


def test_groups_that_were_only_counted_are_counted() -> None:
    assert "Merkel" not in printed(160)
    assert "1 more, counted and not scored: in the report." in printed(160)
