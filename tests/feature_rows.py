"""Rows of the whole feature table for the property tests: fitted tables, and a bare case to change."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from features.case import read_case
from features.from_cases import batch_of
from features.sources.synthetic import draw
from features.table import FeatureTable

Raw = dict[str, Any]

FAMILIES = ("checkpoint", "targeted")
families = pytest.mark.parametrize("family", FAMILIES)
BARE: Raw = {"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}}


@lru_cache
def table_of(family: Any) -> FeatureTable:
    return FeatureTable.for_family(family).fit(draw(family, 1_000, seed=5).batch())


@lru_cache
def places_of(family: str) -> dict[str, int]:
    return {column.name: place for place, column in enumerate(table_of(family).columns)}


def rows_of(family: str, *raws: Raw) -> np.ndarray[Any, np.dtype[np.float64]]:
    return table_of(family).matrix(batch_of([read_case(raw) for raw in raws]))


def same(family: str, one: Raw, other: Raw) -> bool:
    rows = rows_of(family, one, other)
    return rows[0].tobytes() == rows[1].tobytes()


def changed(family: str, one: Raw, other: Raw) -> set[str]:
    rows = rows_of(family, one, other)
    differs = ~((rows[0] == rows[1]) | (np.isnan(rows[0]) & np.isnan(rows[1])))
    return {table_of(family).columns[place].name for place in np.flatnonzero(differs)}


def value_of(family: str, raw: Raw, name: str) -> float:
    return float(rows_of(family, raw)[0, places_of(family)[name]])


def bare_with(**changes: Any) -> Raw:
    return {**BARE, **changes}


def altered(gene: str, kind: str = "mutation", **fields: Any) -> Raw:
    return bare_with(alterations=[{"gene": gene, "kind": kind, **fields}])
