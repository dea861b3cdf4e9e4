"""LightGBM's text as trees: the few numbers of each tree that its output and its contributions are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.inputs import FloatArray, IntArray

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of ``decision_type``; the two bits above them are the kind of missing value (0 none, 1 zero, 2 NaN)."""


class CannotTabulate(ValueError):
    """A tree that tables do not hold: too many splits, a categorical split, or linear leaves."""


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree, its m splits and m + 1 leaves.

    Attributes
    ----------
    feature, threshold, missing_left, missing_kind
        Shape (m,): see :class:`models.boosted_tables.BoostedTables`.
    left, right
        Shape (m,): the split a side leads to, or -1 - leaf.
    split_count, leaf_count
        Shape (m,) and (m + 1,): training cases that came through; path-dependent TreeSHAP weighs with them.
    leaf_value
        Shape (m + 1,): log-odds, the learning rate in it.
    """

    feature: IntArray
    threshold: FloatArray
    missing_left: np.ndarray[tuple[int], np.dtype[np.bool_]]
    missing_kind: IntArray
    left: IntArray
    right: IntArray
    split_count: FloatArray
    leaf_count: FloatArray
    leaf_value: FloatArray


def trees_of(text: str, most_splits: int) -> list[Tree]:
    """Read the trees of a booster's text.

    Raises
    ------
    CannotTabulate
        When a tree has more splits than ``most_splits``, a categorical split or linear leaves.
    """
    return [_tree(fields, most_splits) for fields in _blocks(text)]


def _blocks(text: str) -> Iterator[dict[str, str]]:
    body = text.partition("\nend of trees")[0]
    for block in body.split("\nTree=")[1:]:
        yield dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _tree(fields: dict[str, str], most_splits: int) -> Tree:
    leaves = int(fields["num_leaves"])
    if leaves - 1 > most_splits or int(fields["num_cat"]) or int(fields.get("is_linear", "0")):
        raise CannotTabulate(f"a tree of {leaves} leaves, {fields['num_cat']} categorical splits")
    kind = _integers(fields, "decision_type")
    return Tree(
        feature=_integers(fields, "split_feature"),
        threshold=_numbers(fields, "threshold"),
        missing_left=(kind & DEFAULT_LEFT) > 0,
        missing_kind=kind >> 2,
        left=_integers(fields, "left_child"),
        right=_integers(fields, "right_child"),
        split_count=_numbers(fields, "internal_count"),
        leaf_count=_numbers(fields, "leaf_count"),
        leaf_value=_numbers(fields, "leaf_value"),
    )


def _numbers(fields: dict[str, str], name: str) -> FloatArray:
    return np.array([float(word) for word in fields.get(name, "").split()], dtype=np.float64)


def _integers(fields: dict[str, str], name: str) -> IntArray:
    return np.array([int(word) for word in fields.get(name, "").split()], dtype=np.int64)
