"""The vocabulary of driver alterations: ids, keys, rules, and that every rule can be met."""

from __future__ import annotations

import re

import pytest

from features import genes
from features.copy_number import of_copies, read_copy_call
from features.driver_classes import UnknownDriverClass, classes, row, with_broader, with_narrower
from features.driver_rules import BadRule, compile_rule
from features.errors import UnreadableAlteration
from features.vocabulary import cell_list, table

ROWS = table("driver_alterations")
SOURCE = re.compile(r"PMID:\d{7,8}|label:[A-Z][a-z]+|doi:10\..+")


def test_ids_are_unique_and_sorted() -> None:
    ids = [one["id"] for one in ROWS]
    assert ids == sorted(set(ids))
    assert len(ids) >= 170


def test_parents_exist_and_do_not_run_in_circles() -> None:
    ids = {one["id"] for one in ROWS}
    dangling = {one["id"]: set(cell_list(one["parent"])) - ids for one in ROWS if set(cell_list(one["parent"])) - ids}
    assert dangling == {}
    assert [one for one in ids if any(one in with_broader(parent) for parent in row(one).parents)] == []


def test_every_class_can_be_reached() -> None:
    unreachable = {one["id"] for one in ROWS if not any(row(part).rule for part in with_narrower(one["id"]))} - {
        "HRR_REVERSION"
    }  # told by a report, not by one notation
    assert unreachable == set()


def test_rules_compile_and_groups_have_none() -> None:
    for one in ROWS:
        compile_rule(one["rule"])
        assert one["gene"] or not one["rule"], one["id"]


@pytest.mark.parametrize("rule", ["misense V600E", "inframe here", "exon 19 gone", "germline wrong 1"])
def test_a_rule_outside_the_language_is_refused(rule: str) -> None:
    with pytest.raises(BadRule):
        compile_rule(rule)


def test_closed_words_and_sources() -> None:
    effects = {"driver", "resistance", "driver_and_resistance", "loss", "passenger"}
    kinds = {"mutation", "fusion", "amplification", "deletion", "expression", "group"}
    wrong = [
        one["id"]
        for one in ROWS
        if one["effect"] not in effects
        or one["kind"] not in kinds
        or one["level"] not in {"approved", "trial", "biology"}
        or not SOURCE.fullmatch(one["source"])
        or one["source_read"] not in {"yes", "no"}
        or not one["version"]
        or not one["alteration_class"]
        or not one["pathway"]
    ]
    assert wrong == []


def test_genes_are_approved_symbols() -> None:
    assert [one["gene"] for one in ROWS if one["gene"] and genes.resolve(one["gene"]) != one["gene"]] == []


def test_an_unknown_class_names_the_nearest() -> None:
    with pytest.raises(UnknownDriverClass, match="BRAF_V600E"):
        row("BRAF_V600EE")
    assert "BRAF_V600E" in classes()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("2", "amplification"),
        ("-2", "deletion"),
        ("1", None),
        ("-1", None),
        ("0", None),
        ("2.0", "amplification"),
        ("AMP", "amplification"),
        ("DeepDel", "deletion"),
        ("HOMDEL", "deletion"),
        ("Gain", None),
        ("-1.5", None),
    ],
)
def test_copy_number_calls(call: str, expected: str | None) -> None:
    assert read_copy_call(call) == expected


def test_copies_and_unknown_calls() -> None:
    assert (of_copies(6.0), of_copies(5.9), of_copies(0.0)) == ("amplification", None, "deletion")
    with pytest.raises(UnreadableAlteration, match="copy-number call"):
        read_copy_call("lots")
