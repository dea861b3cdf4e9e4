"""The harness of bar 1 works: answers of a second process are all right, and asking costs less than answering.

The bars themselves want a quiet machine: ``python -m tests.service_throughput FOLDER`` (docs/benchmarks.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service_throughput import bodies, merged, of_the_app


@pytest.mark.slow
def test_every_request_of_a_second_process_is_answered(served_models: Path, tmp_path: Path) -> None:
    found = of_the_app(served_models.parent, tmp_path, bodies(tmp_path, 8), 60, 20)
    for name, one in found.items():
        assert one["statuses"] == {"200": 20 if "one connection" in name else 60}
    assert 2000 <= found["noop"]["bytes"] <= 2100
    for name in ("app", "noop", "noop again"):
        assert found[name]["client_cpu_ms"] > 0
    assert found["app"]["server_cpu_ms"] > found["noop again"]["server_cpu_ms"]


def test_the_rival_has_all_trees(served_models: Path) -> None:
    import lightgbm
    import numpy as np

    texts = sorted((served_models.parent / "artifacts" / "checkpoint" / "boosted").glob("*.txt"))
    parted = [lightgbm.Booster(model_str=path.read_text()) for path in texts]
    whole = lightgbm.Booster(model_str=merged(texts))
    rows = np.random.default_rng(3).normal(size=(5, whole.num_feature()))
    assert whole.num_trees() == sum(one.num_trees() for one in parted)
    together = sum(one.predict(rows, raw_score=True) for one in parted)
    assert np.allclose(whole.predict(rows, raw_score=True), together, atol=1e-9)
