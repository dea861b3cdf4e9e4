"""Golden tables: codes to histologies, drugs to agents, values to fields, and the official bundles to their cases."""

from __future__ import annotations

import csv
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from features import genes, histology
from features.sources.mcode import read_bundle
from features.sources.mcode.diagnosis_codes import of_coding
from features.sources.mcode.drugs import drug_of
from features.sources.mcode.histology_of import histology_of
from features.sources.mcode.systems import Coding, Concept
from tests.fhir_invented import INDEX, bundle, condition, observation, patient
from tests.golden_tables import golden

if TYPE_CHECKING:
    from pathlib import Path


def _ids(row: dict[str, str]) -> str:
    return row["case"]


@pytest.mark.parametrize("row", golden("fhir_diagnoses"), ids=_ids)
def test_diagnosis_codes(row: dict[str, str]) -> None:
    """Codes of one tumour, one OncoTree code or the reason why not."""
    parts = (
        row["input"].replace(" G", "~G").replace("C34.9 8140/3", "C34.9~8140/3")
        if "icdo3|C34.9 " in row["input"] or " G" in row["input"]
        else row["input"]
    )
    codings = [
        Coding(system, code.replace("~", " ")) for system, _, code in (one.partition("|") for one in parts.split(" "))
    ]
    says = [said for one in codings for said in of_coding(one)]
    found = histology_of(says)
    got = found.code + (f"!{found.problem}" if found.problem else "") if found.code else found.problem or "none"
    assert got == row["expected"]


@pytest.mark.parametrize("row", golden("fhir_drugs"), ids=_ids)
def test_drugs(row: dict[str, str]) -> None:
    """Codes and names of one medication, its agents."""
    said = row["input"]
    pieces = [said] if said.count("|") <= 2 else _pairs(said)
    codings = tuple(Coding(*piece.split("|")) for piece in pieces)
    drug = drug_of(Concept(codings))
    disputed = drug.disputed or (not drug.agents and bool(drug.by_code or drug.by_name))
    assert ("disputed" if disputed else " ".join(sorted(drug.agents)) or "none") == row["expected"]


def _pairs(said: str) -> list[str]:
    first, second = said.split(" ", 1)
    return [first, second]


@pytest.mark.parametrize("row", golden("fhir_values"), ids=_ids)
def test_values(row: dict[str, str]) -> None:
    """One observation, one field; or the finding that says why it is not used."""
    raw = bundle(patient(), condition(), observation(row["topic"], **json.loads(row["input"])))
    read = read_bundle(raw, therapy="pembrolizumab", index_date=INDEX)
    plain = read_bundle(bundle(patient(), condition()), therapy="pembrolizumab", index_date=INDEX)
    gained = {f"{name}={_short(value)}" for name, value in _flat(read.raw) - _flat(plain.raw)}
    if row["expected"].startswith("!"):
        said = [one.code for one in read.findings]
        assert row["expected"][1:] in said
        assert not gained or read.case is None
    else:
        assert gained == ({row["expected"]} - {"none"})
        assert read.case is not None
    if not gained:
        assert any(one.reference == "Observation/o1" for one in read.not_understood)


def _short(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float) and f"{value:g}" == f"{value:.12g}"
        else f"{value:.12g}"
        if isinstance(value, float)
        else str(value)
    )


def _flat(raw: dict[str, Any], prefix: str = "") -> set[tuple[str, Any]]:
    found: set[tuple[str, Any]] = set()
    for key, value in raw.items():
        found |= (
            _flat(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {(prefix + key, value)}
            if not isinstance(value, list)
            else set()
        )
    return found


@pytest.mark.shared
@pytest.mark.parametrize("row", golden("fhir_bundles"), ids=_ids)
def test_official_bundles(shared_dir: Path, row: dict[str, str]) -> None:
    """Each official bundle with the case it must become and what must be said about it."""
    raw: Any = {
        name: json.loads((shared_dir / "fhir" / name).read_text(encoding="utf-8")) for name in row["input"].split()
    }
    read = read_bundle(raw if len(raw) > 1 else next(iter(raw.values())), therapy="pembrolizumab")
    expected = json.loads(row["expected"])
    assert read.raw == expected["case"]
    assert sorted({one.code for one in read.errors}) == expected["errors"]
    assert sorted({one.code for one in read.warnings}) == expected["warnings"]
    assert (read.case is not None) == (not expected["errors"])


def _table(name: str) -> list[dict[str, str]]:
    text = files("features.sources.mcode.tables").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_the_code_tables_are_sound() -> None:
    """Sorted, once each, sourced; every OncoTree code is one, and a histology lies under its root."""
    rows = _table("diagnoses")
    keys = [(row["system"], row["code"], row["kind"], row["root"]) for row in rows]
    assert keys == sorted(set(keys))
    assert all(row["source"] and row["version"] for row in rows)
    for row in rows:
        if row["kind"] == "morphology":
            assert re.fullmatch(r"\d{4}/3", row["root"])
        elif row["root"] and row["histology"]:
            assert row["root"] in histology.lineage(row["histology"])


def test_entrez_ids_are_ids_of_known_genes() -> None:
    """One id, one gene."""
    rows = _table("entrez")
    assert [row["gene"] for row in rows] == sorted({row["gene"] for row in rows})
    assert len({row["entrez"] for row in rows}) == len(rows)
    assert all(row["entrez"].isdecimal() and genes.resolve(row["gene"]) == row["gene"] for row in rows)
