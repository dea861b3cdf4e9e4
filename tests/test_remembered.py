"""What a service remembers of its requests has a bound: it runs for months and sees new findings every day."""

from __future__ import annotations

import importlib
import pkgutil
from functools import _lru_cache_wrapper

import features
import models
import serving
from features.remembered import MOST_FINDINGS

MOST = 65_536
"""Entries of the largest, of things that are less many than findings: regimens, settings, pairs of them."""

TRAINING_ONLY = ("features.sources.", "features.flat_lists", "serving.bulk")
"""No request comes here: synthetic cases, source tables, bulk scoring."""

BY_NAME_OF_A_FILE = {"features.vocabulary.table"}
"""Unbounded, and asked with names of files alone."""


def _caches() -> dict[str, int | None]:
    """Return the bound of every remembering function that a request can come to."""
    found: dict[str, int | None] = {}
    for room in (features, models, serving):
        for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if one.name.startswith(("serving.service", *TRAINING_ONLY)) or ".migrations" in one.name:
                continue
            module = importlib.import_module(one.name)
            for name, value in vars(module).items():
                if isinstance(value, _lru_cache_wrapper) and value.__module__ == one.name:
                    found[f"{one.name}.{name}"] = value.cache_info().maxsize
    return found


def test_whatever_remembers_has_a_bound() -> None:
    found = _caches()
    assert found["features.variants.read_variant"] == MOST_FINDINGS
    assert {name for name, most in found.items() if most is None} <= BY_NAME_OF_A_FILE
    assert {name: most for name, most in found.items() if most is not None and most > MOST} == {}
