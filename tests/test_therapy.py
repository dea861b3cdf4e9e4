"""The therapy builder: learned levels, companions, and classes that were too rare."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.case import read_case
from features.from_cases import batch_of
from features.therapy import TherapyBuilder

REGIMENS = (["nivolumab"], ["Opdivo", "ipilimumab"], ["pembrolizumab", "carboplatin"], ["vemurafenib"], ["lorlatinib"])


def _batch(*regimens: list[str]) -> Any:
    return batch_of([read_case({"histology": "MEL", "therapy": {"agents": agents}}) for agents in regimens])


def _row(builder: TherapyBuilder, agents: list[str]) -> dict[str, float]:
    names = [column.name for column in builder.columns()]
    return dict(zip(names, builder.build(_batch(agents))[0].tolist(), strict=True))


FITTED = TherapyBuilder().fit(
    _batch(*[["nivolumab"]] * 20, *[["nivolumab", "ipilimumab"]] * 10, *[["ipilimumab"]] * 9, *[["bevacizumab"]] * 12)
)


def test_levels_need_ten_cases_and_the_commonest_is_the_reference() -> None:
    assert FITTED.reference == "pd1_pdl1"
    assert FITTED.levels == ("pd1_pdl1+ctla4", "vegf_antibody")


@pytest.mark.parametrize(
    ("agents", "level", "chemotherapy", "antiangiogenic"),
    [
        (["pembrolizumab"], "", 0, 0),
        (["ipilimumab", "nivolumab"], "pd1_pdl1+ctla4", 0, 0),
        (["pembrolizumab", "carboplatin", "pemetrexed"], "", 1, 0),
        (["atezolizumab", "bevacizumab"], "", 0, 1),
        (["atezolizumab", "bevacizumab", "carboplatin", "paclitaxel"], "", 1, 1),
        (["bevacizumab"], "vegf_antibody", 0, 0),
        (["ipilimumab"], "", 0, 0),
        (["docetaxel"], "", 0, 0),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_levels_and_companions(agents: list[str], level: str, chemotherapy: int, antiangiogenic: int) -> None:
    row = _row(FITTED, agents)
    assert (row.pop("with_chemotherapy"), row.pop("with_antiangiogenic")) == (chemotherapy, antiangiogenic)
    assert [name for name, value in row.items() if value] == ([f"therapy_class_{level}"] if level else [])


def test_a_rare_class_warns_and_a_known_one_does_not() -> None:
    assert FITTED.warnings(_batch(["ipilimumab"]), 0)[0].startswith("rare_therapy_class: ctla4")
    assert list(FITTED.warnings(_batch(["pembrolizumab"]), 0)) == []
    assert list(TherapyBuilder().warnings(_batch(["ipilimumab"]), 0)) == []


def test_a_class_without_agents_counts_as_its_agents() -> None:
    by_class = batch_of([read_case({"histology": "MEL", "therapy": {"class": "ctla4+pd1_pdl1"}})])
    assert FITTED.build(by_class).tobytes() == FITTED.build(_batch(["nivolumab", "ipilimumab"])).tobytes()


@given(st.lists(st.sampled_from(REGIMENS), min_size=1, max_size=40), st.randoms())
def test_the_fit_does_not_depend_on_order_or_spelling(regimens: list[list[str]], random: Any) -> None:
    shuffled = [agents[::-1] for agents in regimens]
    random.shuffle(shuffled)
    assert TherapyBuilder().fit(_batch(*regimens)) == TherapyBuilder().fit(_batch(*shuffled))


def test_what_is_shown_names_the_agents() -> None:
    shown = FITTED.show(_batch(["Mekinist", "Tafinlar"]), 0)
    assert shown[0].value == "BRAF with MEK inhibitor"
    assert shown[0].text == "dabrafenib + trametinib (BRAF with MEK inhibitor)"
