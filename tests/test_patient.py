"""Patient columns: the golden table, caps that are shown, and PD-L1 readings that stay apart."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from features.case import read_case
from features.from_cases import batch_of
from features.patient import GRADED, MEASURED, PatientBuilder
from tests.cases import golden

BUILDER = PatientBuilder()
PLACE = {column.name: place for place, column in enumerate(BUILDER.columns())}


def _batch(*patients: dict[str, Any]) -> Any:
    return batch_of(
        [read_case({"histology": "LUAD", "therapy": {"class": "pd1_pdl1"}, "patient": p}) for p in patients]
    )


@pytest.mark.parametrize("row", golden("patient"), ids=lambda row: row["case"])
def test_golden_columns(row: dict[str, str]) -> None:
    name, expected = row["expected"].split("=")
    found = BUILDER.build(_batch(json.loads(row["input"])))[0, PLACE[name]]
    if expected == "unknown":
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(expected), abs=1e-5)


def test_a_cap_is_shown() -> None:
    shown = {item.feature: item for item in BUILDER.show(_batch({"age_years": 92, "nlr": 3.0}), 0)}
    assert shown["age_years"].value == 92
    assert shown["age_years"].text == "age 92 years (counted as 85, the cap)"
    assert "cap" not in shown["nlr"].text


def test_unknown_is_shown_as_unknown() -> None:
    for item in BUILDER.show(_batch({}), 0):
        assert item.value is None
        assert item.unknown


def test_race_changes_nothing() -> None:
    built = BUILDER.build(_batch({"age_years": 60}, {"age_years": 60, "race": "invented"}))
    assert built[0].tobytes() == built[1].tobytes()


def test_several_pdl1_readings_are_read_apart_and_warned_about() -> None:
    batch = _batch({"pdl1_tps_percent": 60.0, "pdl1_cps": 70.0, "pdl1_tc_ic": "TC3/IC3"})
    assert BUILDER.warnings(batch, 0)[0].startswith("pdl1_several: PD-L1 TPS, PD-L1 CPS, PD-L1 class")
    assert BUILDER.warnings(_batch({"pdl1_cps": 70.0}), 0) == []


def test_every_field_of_the_vocabulary_of_grades_is_covered() -> None:
    values = {"female", "male", "TC0/IC0", "TC3/IC3", "favorable", "poor", "never", "ever"}
    assert values <= {grade for graded in GRADED for grade in graded.grades}
    assert len({item.feature for item in MEASURED} | {item.feature for item in GRADED}) == len(BUILDER.columns())
