"""Evidence by shares is evidence as a whole, whatever is known of the cases and whatever arms there are."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.case import read_case
from features.from_cases import batch_of
from features.sources.published_arms import arms
from features.sources.synthetic import draw
from models.bulk_model import for_bulk
from models.evidence import EvidenceTerm
from models.evidence_bulk import EvidenceInBulk
from tests.conftest import SOAK
from tests.served import fit_small
from tests.strategies import raw_cases

TERMS = {
    family: EvidenceTerm.fit([arm for arm in arms() if arm.family == family]) for family in ("checkpoint", "targeted")
}
FEW = EvidenceTerm.fit([arm for arm in arms() if arm.family == "checkpoint"][:12])
"""Few arms: most regimens are not spoken to."""


def assert_same(bulk, term, batch) -> None:
    ours, theirs = bulk.evaluate(batch), term.evaluate(batch)
    for name in ("log_odds", "variance", "parts"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-12)
    assert np.array_equal(ours.covered, theirs.covered)
    assert (ours.names, ours.between_trial_variance) == (theirs.names, theirs.between_trial_variance)


@settings(max_examples=200 if SOAK else 12)
@given(raws=st.lists(raw_cases(), min_size=1, max_size=25))
@pytest.mark.parametrize(
    "term", [TERMS["checkpoint"], TERMS["targeted"], FEW], ids=["checkpoint", "targeted", "few arms"]
)
def test_halves_add_up_to_the_whole(term, raws) -> None:
    assert_same(EvidenceInBulk(term), term, batch_of([read_case(raw) for raw in raws]))


@pytest.mark.parametrize("family", TERMS)
@pytest.mark.parametrize("of", TERMS)
def test_synthetic_cohorts_of_both_families(family, of) -> None:
    bulk = EvidenceInBulk(TERMS[family])
    for start in (0, 1_500):  # the second is met with what the first left behind
        assert_same(bulk, TERMS[family], draw(of, 1_500, 3, start=start).batch())


@cache
def small(family):
    """One small model of a family for all tests here."""
    return fit_small(family)


@pytest.mark.parametrize("family", TERMS)
@pytest.mark.parametrize("contributions", [True, False])
def test_a_model_in_bulk_answers_as_the_model_does(family, contributions) -> None:
    model, batch = small(family), draw(family, 400, 8).batch()
    ours, theirs = for_bulk(model, contributions).answers(batch), model.answers(batch)
    for name in ("probability", "low", "high", "log_odds", "sd"):
        np.testing.assert_allclose(getattr(ours.scores, name), getattr(theirs.scores, name), rtol=0, atol=1e-12)
    assert ours.scores.base == theirs.scores.base
    assert {code: flags.tolist() for code, flags in ours.abstains.items()} == {
        code: flags.tolist() for code, flags in theirs.abstains.items()
    }
    if contributions:
        np.testing.assert_allclose(ours.scores.phi, theirs.scores.phi, rtol=0, atol=1e-12)
