"""Nested histology columns: who gets one, who falls back, and what is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.case import read_case
from features.from_cases import batch_of
from features.histology_builder import HistologyBuilder


def _batch(codes: list[str], **more: Any) -> Any:
    return batch_of([read_case({"histology": code, "therapy": {"class": "pd1_pdl1"}, **more}) for code in codes])


TRAINING = ["LUAD"] * 25 + ["LUSC"] * 21 + ["SKCM"] * 30 + ["CHOL"] * 5


def _fitted() -> HistologyBuilder:
    return HistologyBuilder().fit(_batch(TRAINING))


def test_levels_need_enough_cases_and_tell_something() -> None:
    assert _fitted().levels == ("LUAD", "LUNG", "LUSC", "SKIN")


def test_a_level_with_all_cases_has_no_column() -> None:
    assert HistologyBuilder().fit(_batch(["LUAD"] * 40)).levels == ()


def test_a_code_counts_as_itself_and_its_ancestors() -> None:
    built = _fitted().build(_batch(["LUAD", "LUSC", "SKCM", "CHOL"]))
    assert built[:, :-1].tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_an_unseen_code_is_its_ancestors() -> None:
    built = _fitted().build(_batch(["LUPC", "LUNG", "ACRM"]))
    assert built[:, :-1].tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def test_synonyms_give_the_same_row() -> None:
    built = _fitted().build(_batch(["LUAD", "lung adenocarcinoma", "Adenocarcinoma of the Lung"]))
    assert (built == built[0]).all()


def test_a_sparse_histology_warns() -> None:
    warned = _fitted().warnings(_batch(["CHOL"]), 0)
    assert warned == ["histology_sparse: CHOL has 5 training cases; tissue too rare as well, histology says nothing"]


def test_a_change_since_diagnosis_is_flagged_and_shown() -> None:
    builder = _fitted()
    batch = batch_of(
        [
            read_case({"histology": "SCLC", "histology_at_diagnosis": "LUAD", "therapy": {"agents": ["osimertinib"]}}),
            read_case({"histology": "LUAD", "histology_at_diagnosis": "LUAD", "therapy": {"agents": ["osimertinib"]}}),
            read_case({"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}}),
        ]
    )
    assert builder.build(batch)[:, -1].tolist() == [1, 0, 0]
    assert any(text.startswith("histology_changed: LUAD") for text in builder.warnings(batch, 0))
    assert "change from Lung Adenocarcinoma" in builder.show(batch, 0)[1].text


def test_the_order_of_training_cases_does_not_matter() -> None:
    turned = HistologyBuilder().fit(_batch(TRAINING[::-1]))
    assert turned.parameters() == _fitted().parameters()
    assert not np.isnan(turned.build(_batch(TRAINING))).any()
