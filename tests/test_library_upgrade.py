"""A library that moves an answer is told by its name: one small fit, held against the numbers of the locked libraries.

The fit takes scikit-learn's ridge, LightGBM's boosters and our own tables of their trees; its self-test is held to 1e-9
against ``golden/library_upgrade.json``. Where a newer library gives other numbers, artefacts have to be trained anew:
write the file again (``python -m tests.test_library_upgrade``) in the same commit as the lock.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest

from models.manifest import LIBRARIES, json_bytes
from models.response_fit import fit_response
from models.selftest import LARGEST_DIFFERENCE, stored_answers
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.conftest import ROOT
from tests.invented_models import InventedEvidence, InventedTable, draw

STORED = ROOT / "tests" / "golden" / "library_upgrade.json"
NUMBERS = ("log_odds", "low", "high", "base", "phi")
SETTINGS = ResponseSettings(
    linear=LinearSettings(penalties=(3.0, 30.0), tuned_groups=("patient",)),
    boosted=BoostedSettings(seeds=2, trees=15, smallest_leaf=25),
    folds=3,
)


def found() -> dict[str, Any]:
    """The self-test of the fit as it comes out now, and the libraries it was made with."""
    cases = draw(500, seed=77)
    model = fit_response(
        cases.batch,
        cases.y,
        cases.groups,
        table=InventedTable.of(cases.batch),
        evidence=InventedEvidence(),
        settings=SETTINGS,
        card={"name": "invented-response"},
    ).model
    assert model.terms.boosted is not None
    by_lightgbm = model.terms.boosted.raw(InventedTable.of(cases.batch).matrix(cases.batch)[:10]).mean(axis=0)
    answers = [{name: one[name] for name in NUMBERS} for one in stored_answers(model)["answers"]]
    libraries = {library: version(library) for library in LIBRARIES}
    return {"libraries": libraries, "answers": answers, "pred_contrib": by_lightgbm.tolist()}


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return found()


@pytest.fixture(scope="module")
def then() -> dict[str, Any]:
    return json.loads(STORED.read_text("utf-8"))


def told(now: dict[str, Any], then: dict[str, Any]) -> str:
    """Which libraries are others than those of the stored numbers."""
    others = [f"{name} {now['libraries'][name]} (stored with {was})" for name, was in then["libraries"].items()]
    changed = [
        one for one, (name, was) in zip(others, then["libraries"].items(), strict=True) if now["libraries"][name] != was
    ]
    return f"moved by {', '.join(changed) or 'our own code: no library is another'}"


@pytest.mark.parametrize("name", NUMBERS)
def test_no_library_moves_a_self_test_answer(now, then, name):
    assert len(now["answers"]) == len(then["answers"])
    gaps = [
        float(np.max(np.abs(np.subtract(ours[name], theirs[name]))))
        for ours, theirs in zip(now["answers"], then["answers"], strict=True)
    ]
    assert max(gaps) <= LARGEST_DIFFERENCE, f"{name} of case {int(np.argmax(gaps))} {told(now, then)}"


def test_lightgbm_takes_its_trees_apart_as_before(now, then):
    np.testing.assert_allclose(
        now["pred_contrib"], then["pred_contrib"], atol=LARGEST_DIFFERENCE, rtol=0, err_msg=told(now, then)
    )


def test_the_library_that_is_another_is_named(then):
    newer = {"libraries": {**then["libraries"], "lightgbm": "99.0"}}
    assert told(newer, then) == f"moved by lightgbm 99.0 (stored with {then['libraries']['lightgbm']})"
    assert told(then, then) == "moved by our own code: no library is another"


if __name__ == "__main__":
    STORED.write_bytes(json_bytes(found()))
