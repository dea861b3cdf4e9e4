"""Contributions by table are LightGBM's own, whatever is missing or repeated; and the same bits in any batch."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from models.boosted import BoostedTerm, centred
from models.boosted_tables import CHUNK, FEW, BoostedTables

RNG = np.random.default_rng(4)
N = 3_000
MATRIX = np.column_stack([RNG.normal(size=(N, 4)), RNG.integers(0, 3, (N, 3)), RNG.random((N, 3)) < 0.3]).astype(float)
HOLES = MATRIX.copy()
HOLES[RNG.random(HOLES.shape) < 0.2] = np.nan
Y = (RNG.random(N) < 1 / (1 + np.exp(-MATRIX[:, 0] * MATRIX[:, 4] + MATRIX[:, 1]))).astype(float)
WEIGHT = RNG.integers(1, 4, N).astype(float)


def fitted(matrix: Any, trees: int = 30, **wanted: Any) -> list[str]:
    """Texts of three boosters."""
    texts = []
    for seed in range(3):
        settings = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1, "seed": seed, **wanted}
        settings |= {"bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.7}
        categories = settings.pop("categories", "auto")
        data = lightgbm.Dataset(matrix, label=Y, weight=WEIGHT, params=settings, categorical_feature=categories)
        texts.append(lightgbm.train(settings, data, num_boost_round=trees).model_to_string(num_iteration=-1))
    return texts


def of_lightgbm(texts: list[str], matrix: Any) -> tuple[Any, Any]:
    raw = BoostedTerm(tuple(texts), np.zeros(matrix.shape[1]), 0.0).raw(matrix)
    return raw[:, :, :-1].mean(axis=0), raw.sum(axis=2)


FITS: dict[str, tuple[Any, dict[str, Any]]] = {
    "nothing missing": (MATRIX, {}),
    "missing values": (HOLES, {}),
    "zero is missing": (HOLES, {"zero_as_missing": True}),
    "missing not used": (HOLES, {"use_missing": False}),
    "stumps": (HOLES, {"num_leaves": 2}),
    "eight leaves": (HOLES, {"num_leaves": 8}),
    "one column, split again and again": (HOLES[:, :1], {}),
    "nothing to learn": (np.zeros((N, 2)), {}),
    "monotone": (HOLES, {"monotone_constraints": [1, -1] + [0] * 8}),
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("holes", [False, True])
def test_tables_are_pred_contrib(name: str, holes: bool) -> None:
    matrix, wanted = FITS[name]
    texts, asked = fitted(matrix, **wanted), matrix[:800].copy()
    if holes:  # also where training saw none
        asked[np.random.default_rng(1).random(asked.shape) < 0.3] = np.nan
    tables = BoostedTables.of(texts, matrix.shape[1])
    assert tables is not None
    ours, outputs = tables.contributions_and_outputs(asked)
    theirs, whole = of_lightgbm(texts, asked)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    np.testing.assert_allclose(outputs, whole, rtol=0, atol=1e-9)
    assert np.array_equal(tables.outputs(asked), outputs)


def test_the_bits_of_a_case_do_not_depend_on_its_neighbours() -> None:
    tables = BoostedTables.of(fitted(HOLES), HOLES.shape[1])
    assert tables is not None
    together, outputs = tables.contributions_and_outputs(HOLES[: CHUNK + 7])
    for start, n in ((0, 1), (5, FEW), (CHUNK - 3, FEW + 1), (100, 500)):
        some, of_some = tables.contributions_and_outputs(HOLES[start : start + n])
        inside = slice(start, min(start + n, CHUNK + 7))
        assert np.array_equal(some[: inside.stop - start], together[inside])
        assert np.array_equal(of_some[:, : inside.stop - start], outputs[:, inside])


@pytest.mark.parametrize(
    ("matrix", "wanted"),
    [(HOLES, {"num_leaves": 31}), (MATRIX, {"categories": [4, 5, 6], "max_cat_to_onehot": 1})],
    ids=["large trees", "categorical splits"],
)
def test_what_tables_do_not_hold_is_asked_of_lightgbm(matrix: Any, wanted: dict[str, Any]) -> None:
    texts = fitted(matrix, **wanted)
    assert BoostedTables.of(texts, matrix.shape[1]) is None
    term = centred(texts, matrix, WEIGHT)
    ours, spread = term.contributions(matrix[:50])
    theirs, outputs = of_lightgbm(texts, matrix[:50])
    np.testing.assert_array_equal(ours + term.centre, theirs - term.centre + term.centre)
    np.testing.assert_array_equal(spread, outputs.var(axis=0, ddof=1))
    np.testing.assert_allclose(term.outputs(matrix[:50]), outputs, rtol=0, atol=1e-9)


def test_the_term_is_the_same_by_table_and_by_lightgbm() -> None:
    texts = fitted(HOLES)
    term = centred(texts, HOLES, WEIGHT)
    ours, spread = term.contributions(HOLES[:700])
    theirs, outputs = of_lightgbm(texts, HOLES[:700])
    np.testing.assert_allclose(ours, theirs - term.centre, rtol=0, atol=1e-9)
    np.testing.assert_allclose(spread, outputs.var(axis=0, ddof=1), rtol=0, atol=1e-9)
