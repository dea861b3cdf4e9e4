"""What a service remembers of its requests has a bound: it runs for months and sees new findings every day."""

from __future__ import annotations

import gc
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
    for room in (features, models, serving):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.startswith(("serving.service", *TRAINING_ONLY)) and ".migrations" not in module.name:
                importlib.import_module(module.name)
    found = [one for one in gc.get_objects() if isinstance(one, _lru_cache_wrapper)]
    named = {f"{one.__module__}.{one.__name__}": one.cache_info().maxsize for one in found}
    return {
        name: most
        for name, most in named.items()
        if name.startswith(("features.", "models.", "serving.")) and not name.startswith(TRAINING_ONLY)
    }


def test_whatever_remembers_has_a_bound() -> None:
    found = _caches()
    assert found["features.variants.read_variant"] == MOST_FINDINGS
    assert {name for name, most in found.items() if most is None} <= BY_NAME_OF_A_FILE
    assert {name: most for name, most in found.items() if most is not None and most > MOST} == {}
