"""Therapy against alteration: the golden table, by the single judgement and by the columns of a batch.

``input`` is ``therapy | histology | findings; ... | genes tested`` (``-``: not known; ``blood`` after the genes for a
blood assay); ``expected`` is ``status | classes that undo | level``.
"""

from __future__ import annotations

from typing import Any

import pytest

from features import agents, histology, therapy_classes
from features.alteration_columns import MATCH_STATES, PLACE
from features.alterations import AlterationsBuilder
from features.case import Alteration, read_case
from features.driver_classes import classes
from features.from_cases import batch_of
from features.histology import lineage
from features.matching import LEVEL_SCORE, match
from features.regimens import regimen
from features.vocabulary import cell_list, table
from tests.alteration_texts import fields_of
from tests.golden_tables import golden

GOLDEN = golden("matching")


def case_of(row: dict[str, str]) -> dict[str, Any]:
    therapy, histology, findings, tested = row["input"].split(" | ")
    genes = [gene for gene in tested.split() if gene != "blood"] if tested != "-" else None
    return {
        "histology": histology,
        "therapy": {"agents": therapy.split("+")},
        "specimen": {"source": "blood" if "blood" in tested else "tissue"},
        "assay": {"genes_tested": genes},
        "alterations": [] if findings == "none" else [fields_of(text) for text in findings.split("; ")],
    }


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row['case']} {row['input']}")
def test_golden(row: dict[str, str]) -> None:
    case = case_of(row)
    tested = case["assay"]["genes_tested"]
    found = match(
        [Alteration.model_validate(one) for one in case["alterations"]],
        None if tested is None else frozenset(tested),
        lineage(case["histology"]),
        regimen("+".join(sorted(case["therapy"]["agents"]))),
        blood=case["specimen"]["source"] == "blood",
    )
    assert f"{found.status} | {' '.join(found.resistance_ids) or '-'} | {found.level}" == row["expected"]
    assert found.status not in {"matched", "wrong_class"} or found.sources


def test_columns_of_a_batch_say_the_same() -> None:
    batch = batch_of([read_case(case_of(row)) for row in GOLDEN])
    values = AlterationsBuilder().build(batch)
    for row, cells in zip(GOLDEN, values, strict=True):
        status, undone, level = row["expected"].split(" | ")
        states = {state: cells[PLACE[name]] for name, state, _ in MATCH_STATES}
        assert states == {state: float(state == status) for state in states}, row
        assert (cells[PLACE["resistance_present"]] == 1) == (undone != "-"), row
        assert cells[PLACE["match_evidence_level"]] == LEVEL_SCORE[level], row  # type: ignore[index]


def test_the_golden_table_is_as_long_as_asked() -> None:
    assert len(GOLDEN) >= 60
    assert len({row["input"] for row in GOLDEN}) == len(GOLDEN)
    assert all(row["source"] for row in GOLDEN)


def test_needs_and_undoers_of_every_agent_are_driver_classes() -> None:
    named = {one for agent in agents.agents().values() for one in (*agent.needs, *agent.undone_by)}
    assert named - set(classes()) == set()


def test_match_levels_resolve() -> None:
    rows = table("match_levels")
    keys = [(row["therapy_class"], row["alteration"], row["level"], row["histologies"]) for row in rows]
    assert keys == sorted(set(keys))
    assert {row["alteration"] for row in rows} <= set(classes())
    assert {row["therapy_class"] for row in rows} <= set(therapy_classes.classes())
    assert {row["level"] for row in rows} <= {"label", "trial", "refuted"}
    assert {code for row in rows for code in cell_list(row["histologies"])} <= {*histology.codes(), "ANY"}
    assert all(row["source"] and row["version"] for row in rows)


@pytest.mark.parametrize("agent", ["gefitinib", "osimertinib"])
def test_a_gene_without_any_mutation_has_none_that_is_needed(agent):
    """The negative is of the whole kind: resistance mutations of the gene too, which osimertinib is also chosen by."""
    absent = Alteration(gene="EGFR", kind="mutation", status="absent")
    assert match([absent], None, lineage("LUAD"), regimen(agent)).status == "unmatched"
    t790m = Alteration(gene="EGFR", kind="mutation", protein_change="T790M", status="absent")
    assert match([t790m], None, lineage("LUAD"), regimen(agent)).status == "untested"
