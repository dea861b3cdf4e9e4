"""The therapy vocabularies: unique, sorted, without dangling or ambiguous names, and enough for every published arm."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from typing import TYPE_CHECKING, get_args

import pytest

from features import therapy_classes
from features.agents import Mechanism, agents, folded, resolve_agent
from features.regimens import printed_regimen, regimen
from features.therapy_classes import class_facts, classes, combined, family_of, resolve_class
from features.vocabulary import cell_list, names, table

if TYPE_CHECKING:
    from pathlib import Path

AGENT_ROWS = table("therapies")
CLASS_ROWS = table("therapy_classes")


def _closely(spelling: str) -> str:
    return re.sub(r"[ -]", "", folded(spelling))


@pytest.mark.parametrize(("rows", "key"), [(AGENT_ROWS, "agent"), (CLASS_ROWS, "class")], ids=["agents", "classes"])
def test_rows_are_unique_sorted_and_sourced(rows: tuple[dict[str, str], ...], key: str) -> None:
    ids = [row[key] for row in rows]
    assert ids == sorted(set(ids))
    assert all(row["source"] and row["version"] for row in rows)
    assert all(cell == cell.strip() for row in rows for cell in row.values())


def test_there_are_enough_agents() -> None:
    assert len(AGENT_ROWS) >= 180


def test_no_spelling_means_two_agents() -> None:
    meant: dict[str, set[str]] = defaultdict(set)
    for row in AGENT_ROWS:
        for spelling in (row["agent"], *cell_list(row["synonyms"]), *cell_list(row["brands"])):
            meant[_closely(spelling)].add(row["agent"])
    assert {spelling: owners for spelling, owners in meant.items() if len(owners) > 1} == {}


def test_no_spelling_means_two_classes() -> None:
    meant: dict[str, set[str]] = defaultdict(set)
    for row in CLASS_ROWS:
        for spelling in (row["class"], row["name"], *cell_list(row["synonyms"])):
            meant[_closely(spelling)].add(row["class"])
    assert {spelling: owners for spelling, owners in meant.items() if len(owners) > 1} == {}


def test_every_agent_has_a_class_targets_and_a_known_mechanism() -> None:
    for row in AGENT_ROWS:
        assert row["therapy_class"] in classes(), row["agent"]
        assert row["targets"], row["agent"]
        assert row["mechanism"] in get_args(Mechanism), row["agent"]
        assert row["systemic"] in ("yes", "no"), row["agent"]
        assert re.fullmatch(r"\d*", row["generation"]), row["agent"]


def test_rxnorm_codes_are_numbers_and_unique() -> None:
    codes = [row["rxnorm"] for row in AGENT_ROWS if row["rxnorm"]]
    assert all(code.isdigit() for code in codes)
    assert len(codes) == len(set(codes))


def test_named_regimens_consist_of_single_agents_and_are_of_their_class() -> None:
    for one in agents().values():
        for part in one.consists_of:
            assert agents()[part].consists_of == (), one.name
        if one.consists_of:
            assert regimen(one.name).therapy_class == one.therapy_class


def test_driver_and_resistance_classes_exist() -> None:
    if "driver_alterations" not in names():
        pytest.skip("driver_alterations.csv is not there yet")
    known = {row["id"] for row in table("driver_alterations")}
    for one in agents().values():
        assert set(one.needs) | set(one.undone_by) <= known, one.name
        assert not set(one.needs) & set(one.undone_by), one.name


def test_every_resistance_has_a_source_and_lists_are_sorted() -> None:
    for one in agents().values():
        assert all(one.undone_by_sources), one.name
        assert list(one.undone_by) == sorted(set(one.undone_by)), one.name
        assert list(one.needs) == sorted(set(one.needs)), one.name


def test_combinations_are_what_their_parts_make() -> None:
    for known in classes().values():
        assert combined(known.parts) == known.name
        for part in known.parts:
            assert classes()[part].parts == (part,)
        assert known.family == family_of(classes()[part].family for part in known.parts)


def test_orders_are_unique() -> None:
    orders = [row["order"] for row in CLASS_ROWS if row["kind"] != "combination"]
    assert all(orders)
    assert len(orders) == len(set(orders))
    assert all(row["parts"] for row in CLASS_ROWS if row["kind"] == "combination")


def test_every_spelling_resolves_to_its_row() -> None:
    for row in AGENT_ROWS:
        for spelling in (row["agent"], *cell_list(row["synonyms"]), *cell_list(row["brands"])):
            assert resolve_agent(spelling) == row["agent"]
            assert resolve_agent(f"  {spelling.upper()} ") == row["agent"]
    for row in CLASS_ROWS:
        if row["kind"] != "basket":
            assert {resolve_class(s) for s in (row["class"], row["name"], *cell_list(row["synonyms"]))} == {
                row["class"]
            }


def test_every_agent_is_a_regimen() -> None:
    for name in agents():
        facts = regimen(name)
        assert facts.parts
        assert class_facts(facts.therapy_class).family == facts.family


def test_spellings_of_classes_hold_no_stranger() -> None:
    assert set(therapy_classes.spellings().values()) == set(classes())


def _resolves(rows: list[dict[str, str]]) -> None:
    for row in rows:
        facts = regimen(printed_regimen(row["agents"]))
        if row["role"] == "arm" and row["therapy_class"] == "checkpoint":
            assert facts.family in ("checkpoint", "mixed"), row["arm_id"]
        if row["role"] == "arm" and row["therapy_class"] == "targeted":
            assert facts.family == "targeted", row["arm_id"]


@pytest.mark.shared
def test_every_published_arm_resolves(shared_dir: Path) -> None:
    with (shared_dir / "evidence" / "published_arms.csv").open(encoding="utf-8", newline="") as file:
        _resolves(list(csv.DictReader(file)))


def test_every_carried_arm_resolves_to_the_class_it_was_curated_to() -> None:
    rows = [dict(row) for row in table("published_arms")]
    _resolves(rows)
    for row in rows:
        printed, curated = regimen(printed_regimen(row["agents"])), regimen(row["case_therapy"])
        assert printed.therapy_class == curated.therapy_class, row["arm_id"]
