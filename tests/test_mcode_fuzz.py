"""Bundles damaged in every way: never an unexpected exception, never a silent change of a clinical value.

Dropping, nulling, retyping and nesting may lose what was said; none of them may say something else. A unit that
changes must change the value by its factor, or the value is not used and a finding says so. Reordering and repeating
entries change nothing.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import histology
from features.sources.mcode import BundleRefusal, ReadCase, read_bundle
from features.sources.mcode.units import DIMENSIONS
from tests.fhir_invented import INDEX, bundle, condition, observation, patient, quantity, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THERAPY = {"agents": ["pembrolizumab"]}
BASE = whole()
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1e308,
        10**400,
        "",
        "x",
        "<dateTime>",
        "2026-02-31",
        "null",
        [],
        {},
        [[]],
        [None],
        {"coding": None},
        {"coding": [None, 3, {"system": 1, "code": []}]},
        {"reference": "#"},
        {"reference": "Patient/p1/_history/"},
        "\ud800",
        "a" * 600,
        {"value": "12", "unit": 3},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]},
    ]
)
OPERATIONS = ("drop", "null", "retype", "nest", "list", "duplicate")


def read(raw: Any, **more: Any) -> ReadCase:
    """Read with the therapy and the index date of these tests."""
    return read_bundle(raw, therapy=THERAPY, index_date=INDEX, **more)


def paths(node: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if here:
        yield here
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from paths(value, (*here, key))


PLACES = [(place, path) for place, entry in enumerate(BASE["entry"]) for path in paths(entry["resource"])]


def changed(raw: dict[str, Any], place: int, path: tuple[Any, ...], operation: str, junk: Any = None) -> dict[str, Any]:
    """A copy of a bundle with one place changed."""
    found = {**raw, "entry": list(raw["entry"])}
    found["entry"][place] = copy.deepcopy(raw["entry"][place])
    parent = found["entry"][place]["resource"]
    for key in path[:-1]:
        parent = parent[key]
    key, value = path[-1], parent[path[-1]]
    if operation == "drop":
        del parent[key]
    elif operation == "duplicate" and isinstance(parent, list):
        parent.append(copy.deepcopy(value))
    else:
        parent[key] = {"null": None, "nest": {"value": value}, "list": [value], "duplicate": value}.get(
            operation, _retyped(value)
        )
        if operation == "junk":
            parent[key] = junk
    return found


def _retyped(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return str(value)
    return [1, 2] if isinstance(value, dict) else {"x": 1} if isinstance(value, list) else 7


def says_nothing_else(base: ReadCase, after: ReadCase) -> None:
    """What was said is said the same, less precisely, or not at all."""
    known, found = flat(base.raw), flat(after.raw)
    for name, value in found.items():
        if name == "histology":
            assert value in histology.lineage(known[name]), (name, value)
        elif name not in {"case_id", "patient_id"}:
            assert value == known.get(name), (name, value, known.get(name))
    for name in ("alterations", "prior_therapies"):
        for one in after.raw.get(name) or ():
            assert any(_less(one, other) for other in base.raw[name]), (name, one)
    tested = set((after.raw.get("assay") or {}).get("genes_tested") or ())
    assert tested <= set(base.raw["assay"]["genes_tested"])
    for gene in tested - {one["gene"] for one in after.raw.get("alterations") or ()}:
        assert gene not in {one["gene"] for one in base.raw["alterations"] if "status" not in one}, (
            f"{gene} became wild-type"
        )


def _less(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a finding or regimen says what another says, or less."""
    if one.get("kind") == "fusion" and other.get("kind") == "fusion":
        return {one["gene"], one.get("partner")} <= {other["gene"], other.get("partner"), None}
    if "agents" in one:
        return set(one["agents"]) <= set(other["agents"]) and all(
            value == other.get(key) or key in {"agents", "ended_days_before_index"} for key, value in one.items()
        )
    return one.get("status") == other.get("status") and all(other.get(key) == value for key, value in one.items())


def flat(raw: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Scalars of a case by path."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            found[prefix + key] = value
    return found


def loses_loudly(base: ReadCase, after: ReadCase, place: int, operation: str) -> None:
    """What is lost by another way than leaving it out leaves a finding, a line in the list, or a missing input."""
    lost = set(flat(base.raw)) - set(flat(after.raw))
    if not lost or operation in {"drop", "null"}:
        return
    said = {one.field for one in after.findings} | {one.field for one in after.missing}
    new = set(after.not_understood) - set(base.not_understood)
    assert new or lost & said or set(after.findings) - set(base.findings) or lost <= SILENT, (lost, place)


SILENT = {"specimen.source", "specimen.days_before_index", "patient.sex", "patient.age_years", "patient_id", "stage"}
"""Lost in silence when the element that holds them is no longer of its type: it then says nothing at all."""

CHANGES = st.tuples(st.sampled_from(PLACES), st.sampled_from(OPERATIONS))
BASE_READ = read(BASE)


def damaged(change: tuple[tuple[int, tuple[Any, ...]], str]) -> None:
    """Damage one place and compare."""
    (place, path), operation = change
    after = read(changed(BASE, place, path, operation))
    says_nothing_else(BASE_READ, after)
    loses_loudly(BASE_READ, after, place, operation)


@settings(max_examples=500)
@given(CHANGES)
def test_damage_says_nothing_else(change: tuple[tuple[int, tuple[Any, ...]], str]) -> None:
    """One place damaged: the same, less, or nothing; never another value."""
    damaged(change)


@pytest.mark.soak
def test_damage_says_nothing_else_everywhere() -> None:
    """Every place of the bundle, every kind of damage: some thousands of bundles."""
    number = 0
    for where in PLACES:
        for operation in OPERATIONS:
            damaged((where, operation))
            number += 1
    assert number > 2_000


MANY = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from((*OPERATIONS, "junk", "junk")), JUNK), min_size=1, max_size=8
)


def survives(raw: dict[str, Any], changes: list[tuple[int, str, Any]]) -> None:
    """Any damage, several times over: a case or a refusal, the same in any order of entries."""
    for number, operation, junk in changes:
        place = number % len(raw["entry"])
        inside = list(paths(raw["entry"][place]["resource"]))
        if inside:
            raw = changed(raw, place, inside[number // 97 % len(inside)], operation, junk)
    same_in_any_order(raw)


def same_in_any_order(raw: dict[str, Any]) -> None:
    """Read forwards, backwards, and with everything there twice."""
    outcomes = []
    for entries in (raw["entry"], raw["entry"][::-1], raw["entry"] + raw["entry"][:3]):
        try:
            found = read({**raw, "entry": entries})
        except BundleRefusal as refused:
            outcomes.append(type(refused).__name__)
        else:
            outcomes.append(
                json.dumps(
                    [found.raw, sorted(f"{x.code} {x.field}" for x in found.findings)], sort_keys=True, default=str
                )
            )
    assert outcomes[0] == outcomes[1] == outcomes[2]


@settings(max_examples=500)
@given(MANY)
def test_any_damage_is_survived_and_order_never_matters(changes: list[tuple[int, str, Any]]) -> None:
    """Up to eight changes, junk of every type included."""
    survives(BASE, changes)


@pytest.mark.soak
@settings(max_examples=6_000)
@given(MANY)
def test_any_damage_is_survived_soak(changes: list[tuple[int, str, Any]]) -> None:
    """The same, 6,000 times."""
    survives(BASE, changes)


@pytest.mark.shared
@settings(max_examples=60)
@given(MANY, st.integers(0, 2))
def test_official_bundles_damaged(shared_dir: Path, changes: list[tuple[int, str, Any]], which: int) -> None:
    """The same for the official bundles."""
    name = ("Bundle-gx-genomic-bundle-adam-anyperson", "Bundle-oncologyexamples-r4", "incomplete-genomicsBundle")[which]
    survives(json.loads((shared_dir / "fhir" / f"{name}.json").read_text(encoding="utf-8")), changes)


@settings(max_examples=200)
@given(st.permutations(range(len(BASE["entry"]))))
def test_the_order_of_entries_never_matters(order: list[int]) -> None:
    """Any order gives the same case and the same findings."""
    found = read({**BASE, "entry": [BASE["entry"][place] for place in order]})
    assert found.raw == BASE_READ.raw
    assert found.findings == BASE_READ.findings


UNITS = sorted(
    {unit for known in DIMENSIONS.values() for unit in known} | {"stone", "mg", "10*2/L", "g", "/uL ", "G/L"}
)
MEASURED = (
    ("1751-7", "albumin", "patient.albumin_g_per_dl"),
    ("718-7", "hemoglobin", "patient.hemoglobin_g_per_dl"),
    ("777-3", "cells", "patient.platelets_per_nl"),
    ("94076-7", "mut/mb", "tmb.mut_per_mb"),
    ("83053-9", "percent", "patient.pdl1_tps_percent"),
)


@settings(max_examples=500)
@given(st.sampled_from(MEASURED), st.sampled_from(UNITS), st.sampled_from([*UNITS, ""]), st.floats(0.1, 5000))
def test_a_unit_changes_the_value_by_its_factor_or_not_at_all(
    measured: tuple[str, str, str], code: str, unit: str, value: float
) -> None:
    """Code and unit text in any pairing; a value in an unknown or contradictory unit is never used in silence."""
    loinc, dimension, name = measured
    raw = bundle(patient(), condition(), observation(loinc, valueQuantity=quantity(value, code, unit)))
    found = read(raw)
    taken = flat(found.raw).get(name)
    known = {spelling.replace(" ", ""): factor for spelling, factor in DIMENSIONS[dimension].items()}
    factors = {known[one] for one in ("".join(code.split()).lower(), "".join(unit.split()).lower()) if one in known}
    if taken is None:
        assert any(one.field == name for one in found.findings)
    else:
        assert len(factors) == 1
        assert taken == pytest.approx(value * factors.pop(), rel=1e-9)


@settings(max_examples=300)
@given(
    st.recursive(
        JUNK,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "resourceType",
                        "entry",
                        "resource",
                        "parameter",
                        "name",
                        "code",
                        "coding",
                        "subject",
                        "component",
                        "contained",
                        "id",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=25,
    )
)
def test_any_json_is_a_case_or_a_refusal(raw: Any) -> None:
    """Not even FHIR."""
    try:
        found = read_bundle(raw)
    except BundleRefusal as refused:
        assert refused.issue_code in {"structure", "too-costly"}  # noqa: PT017
    else:
        assert found.case is None


def test_depth_and_size_are_bounded() -> None:
    """Bundles within bundles, and too many resources."""
    nested: dict[str, Any] = whole()
    for _ in range(20):
        nested = {"resourceType": "Bundle", "entry": [{"resource": nested}]}
    with pytest.raises(BundleRefusal, match="more than 8 deep"):
        read(nested)
    many = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Flag"}}] * 20_001}
    with pytest.raises(BundleRefusal, match="20000 resources"):
        read(many)
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    raw = bundle(patient(), condition())
    raw["entry"].append({"resource": {"resourceType": "Observation", "code": deep, "component": deep}})
    assert read(raw).case is not None
