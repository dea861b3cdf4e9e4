"""Cohorts: what goes in comes out, the same content gives the same bytes, and what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import cohort_refusals as refusals
from features.batch import Coded, Findings
from features.case import Case, read_case
from features.cohort import Cohort, Outcome
from features.cohort_batch import batch_of_tables
from features.cohort_columns import is_post_index
from features.errors import CohortRefusal
from features.from_cases import batch_of, finding_key
from features.provenance import Provenance
from tests.golden_tables import golden
from tests.strategies import MUTATIONS, raw_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from features.batch import Batch

ORR = Provenance("invented", title="Invented", endpoint="orr", denominator="itt")
OUTCOMES = (Outcome(1, "PR"), Outcome(0, "SD"), Outcome(0, "NE", "not evaluable"), Outcome(None, None, "not known yet"))


def _found(count: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    found = st.sampled_from(MUTATIONS).map(
        lambda m: {"gene": m[0], "kind": "mutation", "protein_change": m[1], "vaf": 0.25}
    )
    return st.lists(found, max_size=count)


SPECIMENS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "source": st.sampled_from(["tissue", "blood"]),
            "days_before_index": st.sampled_from([0.0, 10.0, 400.0]),
            "tumor_purity": st.sampled_from([0.2, 0.8]),
            "assay": st.sampled_from(
                [{"panel": "MSK-IMPACT468"}, {"genes_tested": ["KRAS", "EGFR"]}, {"genes_tested": []}]
            ),
            "alterations": _found(3),
        },
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def many_cases(draw: st.DrawFn) -> list[Case]:
    """Draw a few cases, some with several specimens, with the ids a cohort needs."""
    drawn = draw(st.lists(raw_cases(), min_size=1, max_size=5))
    cases = []
    for place, raw in enumerate(drawn):
        known = {**raw, "case_id": f"c-{place}", "patient_id": draw(st.sampled_from([None, "p-1", "p-2"]))}
        if draw(st.booleans()):
            for key in ("specimen", "assay", "alterations"):
                known.pop(key, None)
            known["specimens"] = draw(SPECIMENS)
        cases.append(read_case(known))
    return cases


def cohort_of(cases: Sequence[Case]) -> Cohort:
    """Return a cohort with outcomes of every kind, in turn."""
    return Cohort.of_cases(cases, [OUTCOMES[place % 4] for place in range(len(cases))], ORR)


def canonical(case: Case) -> dict[str, Any]:
    """Return a case without what never carried meaning: the order of agents and tested genes, empty records."""

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            found = {name: plain(entry, name) for name, entry in value.items()}
            return {name: entry for name, entry in found.items() if entry not in (None, {})}
        if isinstance(value, list | tuple):
            rows = [plain(entry) for entry in value]
            return sorted(set(rows)) if key in ("agents", "genes_tested") else rows
        return value

    return dict(plain(case.model_dump(by_alias=True)))


@given(many_cases())
@settings(max_examples=60)
def test_round_trips_exactly(tmp_path_factory: pytest.TempPathFactory, cases: list[Case]) -> None:
    folder = tmp_path_factory.mktemp("cohort")
    cohort = cohort_of(cases)
    again = Cohort.load(cohort.save(folder))
    assert again.content_hash == cohort.content_hash
    assert again.provenance == cohort.provenance
    assert all(again.tables[name].equals(table) for name, table in cohort.tables.items())
    assert [canonical(case) for case in again] == [canonical(case) for case in cases]


def _same(one: object, other: object) -> bool:
    if isinstance(one, Coded) and isinstance(other, Coded):
        return one.levels == other.levels and one.codes.tolist() == other.codes.tolist()
    return bool(np.array_equal(np.asarray(one), np.asarray(other), equal_nan=np.asarray(one).dtype.kind == "f"))


def _same_findings(one: Findings, other: Findings) -> bool:
    levels = [list(map(finding_key, found.levels)) for found in (one, other)]
    fields = ("row", "codes", "vaf", "cancer_cell_fraction", "copies")
    return levels[0] == levels[1] and all(_same(getattr(one, name), getattr(other, name)) for name in fields)


def assert_same_batch(one: Batch, other: Batch) -> None:
    """Hold two batches to the same bits."""
    assert one.n == other.n
    assert one.numbers.keys() == other.numbers.keys()
    assert all(_same(one.numbers[path], other.numbers[path]) for path in one.numbers)
    assert one.texts.keys() == other.texts.keys()
    assert [path for path in one.texts if not _same(one.texts[path], other.texts[path])] == []
    assert _same_findings(one.findings, other.findings)
    assert _same_findings(one.other_findings, other.other_findings)
    assert _same(one.findings_recorded, other.findings_recorded)
    assert all(
        _same(getattr(one.priors, name), getattr(other.priors, name)) for name in one.priors.__dataclass_fields__
    )


@given(many_cases())
@settings(max_examples=80)
def test_tables_and_cases_give_the_same_batch(cases: list[Case]) -> None:
    assert_same_batch(batch_of_tables(cohort_of(cases).tables), batch_of(cases))


@given(many_cases(), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_take_is_the_cohort_of_those_cases(cases: list[Case], random: Any) -> None:
    rows = random.sample(range(len(cases)), random.randint(1, len(cases)))
    assert_same_batch(cohort_of(cases).take(rows).batch(), batch_of([cases[row] for row in rows]))


def two_cases() -> list[Case]:
    """Return two small cases."""
    therapy = {"class": "pd1_pdl1"}
    found = [{"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C"}]
    return [
        read_case({"case_id": "a", "patient_id": "p", "histology": "LUAD", "alterations": found, "therapy": therapy}),
        read_case({"case_id": "b", "histology": "MEL", "therapy": therapy, "tmb": {"mut_per_mb": 4.0}}),
    ]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = cohort_of(two_cases()).save(tmp_path / "one"), cohort_of(two_cases()).save(tmp_path / "other")
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert [name for name in names if (one / name).read_bytes() != (other / name).read_bytes()] == []


def test_chunks_do_not_change_the_hash() -> None:
    cohort = cohort_of(two_cases())
    halves = {name: pa.concat_tables([table.slice(0, 1), table.slice(1)]) for name, table in cohort.tables.items()}
    assert Cohort(**halves, provenance=ORR).content_hash == cohort.content_hash


def test_not_evaluable_counts_as_no_response_and_both_ways_are_kept() -> None:
    cases = [case.model_copy(update={"case_id": f"{case.case_id}{k}"}) for k in (0, 1) for case in two_cases()]
    cohort = cohort_of(cases)
    assert cohort.response[:3].tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(cohort.response[3])
    assert cohort.response_if_evaluable[:2].tolist() == [1.0, 0.0]
    assert np.isnan(cohort.response_if_evaluable[2:]).all()
    assert cohort.patient_ids == ["p", "b0", "p", "b1"]


def test_truth_is_kept_apart(tmp_path: Path) -> None:
    truth = pa.table({"case_id": ["a", "b"], "probability": [0.2, 0.7]})
    cohort = Cohort.of_cases(two_cases(), None, Provenance("s", synthetic=True), truth=truth)
    again = Cohort.load(cohort.save(tmp_path))
    assert again.truth is not None
    assert again.truth.equals(truth)
    assert again.take([1]).truth.column("probability").to_pylist() == [0.7]  # type: ignore[union-attr]  # it has truth
    assert not any("probability" in table.column_names for name, table in again.tables.items() if name != "truth")


def _column(folder: Path, name: str, values: list[Any], table: str = "cases") -> None:
    """Put a column into a table of a folder, or in place of the one that is there."""
    path = folder / f"{table}.parquet"
    found = pq.read_table(path)
    if name in found.column_names:
        pq.write_table(found.set_column(found.column_names.index(name), name, pa.array(values)), path)
    else:
        pq.write_table(found.append_column(name, pa.array(values)), path)


def _described(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "cohort.json"
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))


SPOILED: dict[str, Callable[[Path], object]] = {
    "absent": lambda folder: (folder / "cohort.json").unlink(),
    "table absent": lambda folder: (folder / "cases.parquet").unlink(),
    "not JSON": lambda folder: (folder / "cohort.json").write_text("{"),
    "newer format": lambda folder: _described(folder, lambda d: d.update(format=99)),
    "a row less": lambda folder: pq.write_table(
        pq.read_table(folder / "cases.parquet").slice(0, 1), folder / "cases.parquet"
    ),
    "a value changed": lambda folder: _column(folder, "histology", ["LUSC", "MEL"]),
    "id twice": lambda folder: _column(folder, "case_id", ["a", "a"]),
    "id null": lambda folder: _column(folder, "case_id", ["a", None]),
    "no endpoint": lambda folder: _described(folder, lambda d: d["provenance"].update(endpoint=None)),
    "unknown endpoint": lambda folder: _described(folder, lambda d: d["provenance"].update(endpoint="os")),
    "unknown provenance": lambda folder: _described(folder, lambda d: d["provenance"].update(licens="CC0")),
    "finding of a stranger": lambda folder: _column(folder, "case_id", ["z"], "alterations"),
    "response 2": lambda folder: _column(folder, "objective_response", [2.0, 0.0], "outcomes"),
    "PR without response": lambda folder: _column(folder, "objective_response", [0.0, 0.0], "outcomes"),
    "best response ??": lambda folder: _column(folder, "best_response", ["??", "SD"], "outcomes"),
    "age as text": lambda folder: _column(folder, "patient.age_years", ["old", "young"]),
}
"""Ways to spoil a folder of :func:`two_cases`; ``column X`` adds a column of that name."""


@pytest.mark.parametrize("row", golden("cohort_refusals"), ids=lambda row: row["case"])
def test_a_spoiled_folder_is_refused_by_cause(row: dict[str, str], tmp_path: Path) -> None:
    folder = cohort_of(two_cases()).save(tmp_path)
    if row["input"].startswith("column "):
        _column(folder, row["input"].removeprefix("column "), [1.0, 2.0])
    else:
        SPOILED[row["input"]](folder)
    with pytest.raises(CohortRefusal) as caught:
        Cohort.load(folder)
    assert caught.value.code == row["expected"]
    assert str(tmp_path) not in str(caught.value)


def test_a_case_without_id_is_refused() -> None:
    with pytest.raises(refusals.MissingCaseId, match="place 0"):
        Cohort.of_cases([read_case({"histology": "LUAD", "therapy": {"class": "pd1_pdl1"}})], None, ORR)


@pytest.mark.parametrize(
    "name", ["PFS", "OS_MONTHS", "OS.CNSR", "TimeToBR", "time_to_response", "post_treatment_biopsy", "cyclesOnTherapy"]
)
def test_names_after_the_index_date(name: str) -> None:
    assert is_post_index(name)


@pytest.mark.parametrize(
    "name", ["patient.age_years", "histology", "position", "cost", "osteolysis", "tmb.mut_per_mb", "PTEN"]
)
def test_names_before_the_index_date(name: str) -> None:
    assert not is_post_index(name)


def test_a_hundred_thousand_cases_become_a_batch_in_seconds() -> None:
    import time

    n = 100_000
    cases = pa.table(
        {"case_id": [f"c{i}" for i in range(n)], "histology": ["LUAD", "MEL"] * (n // 2), "therapy": ["nivolumab"] * n}
    )
    owners = [f"c{i // 8}" for i in range(8 * n)]
    found = pa.table(
        {"case_id": owners, "gene": ["TP53", "KRAS", "TTN", "EGFR"] * (2 * n), "kind": ["mutation"] * (8 * n)}
    )
    empty = cohort_of(two_cases())
    outcomes = pa.table({"case_id": cases.column("case_id"), "objective_response": [0.0] * n})
    cohort = Cohort(
        cases=cases,
        alterations=found,
        specimens=empty.specimens,
        prior_therapies=empty.prior_therapies,
        outcomes=outcomes,
        provenance=ORR,
    )
    start = time.process_time()
    assert cohort.batch().findings.levels[0].gene == "TP53"
    assert time.process_time() - start < 5
