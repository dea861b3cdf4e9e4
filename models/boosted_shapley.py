"""Path-dependent Shapley values of one small tree, for every pattern of its splits, from all subsets of its columns.

The value of a subset of columns is what the tree gives a case whose other columns are not known: at a split on one of
them, both sides are taken, each by its share of the training cases. With at most 7 columns in a tree there are at most
128 subsets, and the definition itself is the algorithm.
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.boosted_text import Tree
    from models.inputs import FloatArray, IntArray


def tabulated(tree: Tree) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return the distinct columns of a tree (d), their Shapley values and the tree's output by pattern.

    Bit k of a pattern is 1 where split k goes left; shapes (d,), (d, 2 ** m) and (2 ** m,).

    Examples
    --------
    >>> from models.boosted_text import Tree
    >>> one = np.array([0])
    >>> counts, values = np.array([1.0, 3.0]), np.array([4.0, 0.0])
    >>> stump = Tree(one, one * 1.0, one > 0, one, one - 1, one - 2, one + 4.0, counts, values)
    >>> [found.tolist() for found in tabulated(stump)]
    [[0], [[-1.0, 3.0]], [0.0, 4.0]]
    """
    own, member = np.unique(tree.feature, return_inverse=True)
    values = _subset_values(tree, member, len(own))
    return own, shapley_weights(len(own)) @ values, values[-1]


def _subset_values(tree: Tree, member: IntArray, d: int) -> FloatArray:
    """Return the value of every subset for every pattern, shape (2 ** d, 2 ** m)."""
    m = len(tree.feature)
    if not m:
        return np.full((1, 1), tree.leaf_value[0])
    subsets, patterns = np.arange(1 << d)[:, None], np.arange(1 << m)[None, :]

    def below(child: int) -> tuple[FloatArray, float]:
        if child < 0:
            leaf = -1 - child
            return np.full((1 << d, 1 << m), tree.leaf_value[leaf]), float(tree.leaf_count[leaf])
        (left, of_left), (right, of_right) = below(int(tree.left[child])), below(int(tree.right[child]))
        whole = float(tree.split_count[child])
        followed = np.where((patterns >> child) & 1 == 1, left, right)
        spread = (of_left / whole) * left + (of_right / whole) * right
        return np.where((subsets >> member[child]) & 1 == 1, followed, spread), whole

    return below(0)[0]


@lru_cache(maxsize=16)
def shapley_weights(d: int) -> FloatArray:
    """Return the matrix, shape (d, 2 ** d), that turns the values of subsets into Shapley values.

    Examples
    --------
    >>> shapley_weights(1).tolist()
    [[-1.0, 1.0]]
    """
    weights = np.zeros((d, 1 << d))
    for subset in range(1 << d):
        size = subset.bit_count()
        for j in range(d):
            if subset >> j & 1:
                weights[j, subset] = factorial(size - 1) * factorial(d - size) / factorial(d)
            else:
                weights[j, subset] = -factorial(size) * factorial(d - size - 1) / factorial(d)
    return weights
