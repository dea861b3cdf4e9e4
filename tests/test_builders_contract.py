"""What every registered builder must do; a new builder is under test by being registered."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.case import read_case
from features.contract import GROUPS
from features.from_cases import batch_of
from features.table import BUILDERS, FeatureTable
from tests.strategies import raw_cases

LEAST = {"histology": "LUAD", "therapy": {"class": "pd1_pdl1"}}
each_builder = pytest.mark.parametrize("kind", BUILDERS, ids=[kind.name for kind in BUILDERS])
several = st.lists(raw_cases(), min_size=2, max_size=12)


def _batch(raws: list[dict[str, Any]]) -> Any:
    return batch_of([read_case(raw) for raw in raws])


@each_builder
def test_columns_are_named_once_and_signs_are_sourced(kind: Any) -> None:
    columns = kind().columns()
    assert len({column.name for column in columns}) == len(columns)
    for column in columns:
        assert column.group in GROUPS
        assert column.expected_sign == 0 or column.sign_source, f"{column.name} has a sign and no source for it"
        assert set(column.families) <= {"checkpoint", "targeted"}


@each_builder
@settings(max_examples=30)
@given(raws=several)
def test_the_block_has_the_promised_shape_and_nan_only_where_allowed(kind: Any, raws: list[dict[str, Any]]) -> None:
    batch = _batch(raws)
    builder = kind().fit(batch)
    block = builder.build(batch)
    assert block.dtype == np.float64
    assert block.shape == (batch.n, len(builder.columns()))
    for place, column in enumerate(builder.columns()):
        if column.missing == "never":
            assert np.isfinite(block[:, place]).all(), column.name
        else:
            assert not np.isinf(block[:, place]).any(), column.name


@each_builder
@settings(max_examples=30)
@given(raws=several)
def test_columns_of_one_feature_are_unknown_together(kind: Any, raws: list[dict[str, Any]]) -> None:
    batch = _batch(raws)
    builder = kind().fit(batch)
    block = builder.build(batch)
    by_feature: dict[str, list[int]] = {}
    for place, column in enumerate(builder.columns()):
        if column.missing == "indicator":
            by_feature.setdefault(column.feature, []).append(place)
    for feature, places in by_feature.items():
        unknown = np.isnan(block[:, places])
        assert (unknown.all(axis=1) == unknown.any(axis=1)).all(), feature


@each_builder
@settings(max_examples=30)
@given(raws=several)
def test_one_case_alone_and_in_a_batch_give_the_same_bits(kind: Any, raws: list[dict[str, Any]]) -> None:
    batch = _batch(raws)
    builder = kind().fit(batch)
    together = builder.build(batch)
    for place, raw in enumerate(raws):
        alone = builder.build(_batch([raw]))
        assert alone.tobytes() == together[place : place + 1].tobytes()


@each_builder
@settings(max_examples=20)
@given(raws=several, seed=st.integers(0, 99))
def test_the_order_of_cases_does_not_matter(kind: Any, raws: list[dict[str, Any]], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(raws))
    builder = kind().fit(_batch(raws))
    shuffled = builder.build(_batch([raws[place] for place in order]))
    assert shuffled.tobytes() == builder.build(_batch(raws))[order].tobytes()


@each_builder
@settings(max_examples=20)
@given(raws=several)
def test_the_order_of_alterations_and_agents_does_not_matter(kind: Any, raws: list[dict[str, Any]]) -> None:
    turned = []
    for raw in raws:
        other = dict(raw)
        if raw.get("alterations"):
            other["alterations"] = raw["alterations"][::-1]
        if raw["therapy"].get("agents"):
            other["therapy"] = {"agents": raw["therapy"]["agents"][::-1]}
        turned.append(other)
    builder = kind().fit(_batch(raws))
    assert builder.build(_batch(turned)).tobytes() == builder.build(_batch(raws)).tobytes()


@each_builder
@settings(max_examples=20)
@given(raws=several)
def test_parameters_survive_json(kind: Any, raws: list[dict[str, Any]]) -> None:
    batch = _batch(raws)
    builder = kind().fit(batch)
    again = kind.from_parameters(json.loads(json.dumps(builder.parameters())))
    assert again.columns() == builder.columns()
    assert again.build(batch).tobytes() == builder.build(batch).tobytes()


@each_builder
@settings(max_examples=20)
@given(raw=raw_cases())
def test_every_feature_is_shown(kind: Any, raw: dict[str, Any]) -> None:
    batch = _batch([raw])
    builder = kind().fit(batch)
    shown = {item.feature for item in builder.show(batch, 0)}
    assert {column.feature for column in builder.columns()} <= shown


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_a_bare_case_is_unknown_not_zero(family: str) -> None:
    batch = _batch([LEAST])
    table = FeatureTable.for_family(family).fit(batch)
    row = table.matrix(batch)[0]
    for place, column in enumerate(table.columns):
        if column.missing == "indicator" and column.feature != "prior_same_class":
            assert np.isnan(row[place]), f"{column.name} is {row[place]} although nothing is known"


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_the_table_survives_json_and_keeps_its_digest(family: str) -> None:
    batch = _batch([LEAST])
    table = FeatureTable.for_family(family).fit(batch)
    again = FeatureTable.from_dict(json.loads(json.dumps(table.to_dict())))
    assert again.digest == table.digest
    assert again.matrix(batch).tobytes() == table.matrix(batch).tobytes()


@pytest.mark.parametrize("family", ["checkpoint", "targeted"])
def test_column_names_are_unique_over_the_table(family: str) -> None:
    table = FeatureTable.for_family(family)
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
