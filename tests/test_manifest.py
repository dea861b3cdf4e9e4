"""Manifests: any table becomes a cohort, and nothing is lost or invented on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from features import errors
from features.cohort import Cohort
from features.cohort_refusals import DuplicateCaseId, PostIndexColumn
from features.sources import manifest_refusals as refusals
from features.sources.build_report import BuildReport
from features.sources.manifest import build
from features.sources.manifest_columns import read_field
from features.sources.manifest_schema import FieldRule, Manifest, parse_manifest, read_manifest
from features.sources.source_table import SourceTable
from tests.golden_tables import golden

ROOT = Path(__file__).resolve().parent.parent
SHEET = """Id,Type,TMB,Alb,Prior,Drug,Response,PFS_Months,Mystery
1,NSCLC,4.4,39,1,0,1,3.0,a
2,Melanoma,,41,0,1,0,2.0,b
3,NSCLC,7.9,38,1,,0,9.1,c
4,Nonsense,1.0,40,0,2,0,1.0,d
5,NSCLC,2.0,35,1,0,,1.0,e
"""
RULES: dict[str, Any] = {
    "format": 1,
    "cohort": {
        "id": "invented",
        "title": "Invented",
        "source": "nobody",
        "licence": "CC0-1.0",
        "assay": "none",
        "endpoint": "orr",
        "denominator": "unknown",
    },
    "table": {"file": "t.csv"},
    "ids": {"case": "inv-{Id}"},
    "fields": {
        "histology": {"column": "Type", "codes": {"NSCLC": "NSCLC", "Melanoma": "MEL"}},
        "tmb.mut_per_mb": "TMB",
        "patient.albumin_g_per_dl": {"column": "Alb", "unit": "g/L"},
        "prior_systemic_therapy": {"column": "Prior", "codes": {0: False, 1: True}},
        "prior_lines": {"column": "Prior", "codes": {0: 0, 1: None}},
    },
    "therapy": {
        "class": [
            {
                "column": "Drug",
                "codes": {0: "pd1_pdl1", 1: "pd1_pdl1+ctla4", 2: "ctla4"},
                "when_blank": "checkpoint_unspecified",
                "optional": True,
            }
        ]
    },
    "outcome": {"objective_response": {"column": "Response", "codes": {0: 0, 1: 1}, "optional": True}},
}


def made(folder: Path, text: str = SHEET, encoding: str = "utf-8", **changes: Any) -> Cohort:
    """Build a cohort from a text and the rules above, some sections replaced."""
    rules = {**RULES, **changes}
    (folder / "m.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    (folder / rules["table"]["file"]).write_bytes(text.encode(encoding))
    return build(folder / "m.yaml", folder)


def test_rows_in_order_or_the_reason_why_not(tmp_path: Path) -> None:
    cohort = made(tmp_path)
    report = cohort.build or {}
    assert cohort.case_ids == ["inv-1", "inv-2", "inv-3"]
    assert cohort.response.tolist() == [1.0, 0.0, 0.0]
    assert {entry["reason"]: entry["rows"] for entry in report["left_out"]} == {
        "histology is not known": [4],
        "outcome is blank, without a reason": [5],
    }
    assert report["rows_read"] == report["cases"] + sum(entry["count"] for entry in report["left_out"])
    assert report["unreadable"] == {"histology": {"Nonsense": 1}}
    assert (report["after_index"], report["unmapped"]) == (["PFS_Months"], ["Mystery"])


def test_nothing_is_invented(tmp_path: Path) -> None:
    first, second, third = made(tmp_path)
    assert (first.prior_systemic_therapy, first.prior_lines) == (True, None)
    assert (second.prior_systemic_therapy, second.prior_lines, second.tmb) == (False, 0, None)
    assert [case.therapy.regimen_class for case in (first, second, third)] == [
        "pd1_pdl1",
        "pd1_pdl1+ctla4",
        "checkpoint_unspecified",
    ]
    assert first.patient is not None
    assert first.patient.albumin_g_per_dl == pytest.approx(3.9)


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        made(folder).save(folder / "out")
    names = sorted(path.name for path in (folders[0] / "out").iterdir())
    assert all((folders[0] / "out" / name).read_bytes() == (folders[1] / "out" / name).read_bytes() for name in names)


@pytest.mark.parametrize("row", golden("manifest_fields"), ids=lambda row: row["case"])
def test_fields(row: dict[str, str]) -> None:
    told = json.loads(row["input"])
    values = [value or None for value in told["values"]]
    rules = Manifest.model_validate({**RULES, "fields": {told["field"]: told["rule"]}}).fields[told["field"]]
    table = SourceTable("t", "", {"X": values}, range(1, len(values) + 1))
    assert read_field(told["field"], rules, table, BuildReport()).values == pytest.approx(
        json.loads(row["expected"]), nan_ok=True
    )


def test_decimal_commas_tabs_latin_1_and_a_footer(tmp_path: Path) -> None:
    text = "Id\tType\tTMB\tAlb\tPrior\tDrug\tResponse\n1\tNSCLC\t4,4\t39\t1\t0\t1\nÉtude, total 1\t\t\t\t\t\t\n"
    table = {"file": "t.txt", "encoding": "latin-1", "decimal": ","}
    keep = [{"matches": {"Id": "^[0-9]+$"}, "otherwise": "footer"}]
    cohort = made(tmp_path, text, encoding="latin-1", table=table, keep=keep)
    assert cohort.case(0).tmb.mut_per_mb == 4.4  # type: ignore[union-attr]  # it is there
    assert (cohort.build or {})["left_out"] == [{"reason": "footer", "count": 1, "rows": [2]}]


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_spreadsheets_and_parquet_give_the_same_cohort(kind: str, tmp_path: Path) -> None:
    expected = made(tmp_path)
    frame = pd.read_csv(tmp_path / "t.csv")
    path = tmp_path / f"t.{kind}"
    frame.to_excel(path, index=False, sheet_name="A") if kind == "xlsx" else frame.to_parquet(path)
    (tmp_path / "m.yaml").write_text(yaml.safe_dump({**RULES, "table": {"file": path.name}}))
    assert build(tmp_path / "m.yaml", path).content_hash == expected.content_hash


def test_optional_columns_may_be_missing_and_outcomes_too(tmp_path: Path) -> None:
    text = "\n".join(",".join(line.split(",")[:5]) for line in SHEET.splitlines()) + "\n"
    cohort = made(tmp_path, text)
    report = cohort.build or {}
    assert {case.therapy.regimen_class for case in cohort} == {"checkpoint_unspecified"}
    assert cohort.provenance.endpoint is None
    assert report["absent_columns"] == ["Drug"]
    assert report["notes"] == ["no outcome column: the cases are kept without outcomes"]


@pytest.mark.parametrize(
    ("changes", "text", "error", "says"),
    [
        ({"fieldz": {}}, SHEET, refusals.InvalidManifest, "fields"),
        ({"fields": {"tmb.mut_per_mbb": "TMB"}}, SHEET, refusals.InvalidManifest, "tmb.mut_per_mb"),
        ({"fields": {"patient.nlr": {"colum": "X"}}}, SHEET, refusals.InvalidManifest, "column"),
        ({"fields": {"patient.nlr": {"column": "X", "value": 3}}}, SHEET, refusals.InvalidManifest, "exactly one"),
        ({"fields": {"patient.nlr": "Albumn"}}, SHEET, refusals.MissingColumn, "Alb"),
        ({"fields": {"patient.nlr": "PFS_Months"}}, SHEET, PostIndexColumn, "after the index date"),
        ({"fields": {"patient.albumin_g_per_dl": "Alb"}}, SHEET, refusals.UnusableColumn, "looks like g/L"),
        (
            {"fields": {"patient.albumin_g_per_dl": {"column": "Alb", "unit": "ounces"}}},
            SHEET,
            refusals.UnknownUnit,
            "g/L",
        ),
        ({"therapy": {"class": [{"value": "magic"}]}}, SHEET, refusals.InvalidManifest, "magic"),
        ({}, SHEET.replace("\n2,", "\n1,"), DuplicateCaseId, "inv-1"),
        ({}, SHEET.splitlines()[0] + "\n", refusals.NoCaseLeft, "0 rows"),
        (
            {"keep": [{"where": {"Type": "x"}, "otherwise": "another disease"}]},
            SHEET,
            refusals.NoCaseLeft,
            "another disease",
        ),
    ],
)
def test_refusals_say_what_is_wrong(
    changes: dict[str, Any], text: str, error: type[errors.Refusal], says: str, tmp_path: Path
) -> None:
    if "fields" in changes:
        changes = {**changes, "fields": {"histology": RULES["fields"]["histology"], **changes["fields"]}}
    with pytest.raises(error) as caught:
        made(tmp_path, text, **changes)
    assert says in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(refusals.ManifestNotFound):
        build(tmp_path / "none.yaml", tmp_path)
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(RULES))
    with pytest.raises(refusals.SourceNotFound, match=r"t\.csv"):
        build(tmp_path / "m.yaml", tmp_path)
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(refusals.InvalidManifest, match="not YAML"):
        build(tmp_path / "bad.yaml", tmp_path)


def test_sheets_arms_and_encodings_that_are_not_there(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(refusals.UnknownArm, match="none"):
        build(tmp_path / "m.yaml", tmp_path, arm="b")
    pd.DataFrame({"Id": [1]}).to_excel(tmp_path / "t.xlsx", sheet_name="MSK1", index=False)
    with pytest.raises(refusals.UnknownSheet, match="MSK1"):
        build(tmp_path / "m.yaml", tmp_path / "t.xlsx", sheet="MSK2")
    with pytest.raises(refusals.UnreadableSource, match="utf-8"):
        made(tmp_path, SHEET.replace("Nonsense", "Étude"), encoding="latin-1")


VARIANTS = (
    "Key;Gene;Change;AF\n1;KRAS;p.G12C;0,2\n1;KRAS;p.G12C;0,1\n2;HER2;p.S310F;\n"
    "9;TP53;p.R175H;0,5\n2;two genes;x;\n3;TTN;p.A1A;0,1\n"
)


def test_specimens_tests_and_variants(tmp_path: Path) -> None:
    text = "Id,Type,Blood,Local\n1,NSCLC,Y,pos\n2,NSCLC,Y,neg\n3,NSCLC,N,neg\n4,NSCLC,N,\n"
    (tmp_path / "v.tsv").write_text(VARIANTS.replace(";", "\t"))
    variants = {
        "file": "v.tsv",
        "key": "Key",
        "joins": "Id",
        "decimal": ",",
        "columns": {"gene": "Gene", "protein_change": "Change", "vaf": "AF"},
    }
    specimens = [
        {
            "name": "blood",
            "where": {"Blood": "Y"},
            "fields": {"source": {"value": "blood"}},
            "genes_tested": "seen_in_variants",
            "variants": variants,
        },
        {
            "name": "local",
            "fields": {"source": {"value": "tissue"}},
            "tests": [{"gene": "EGFR", "column": "Local", "codes": {"pos": "present", "neg": "absent"}}],
        },
    ]
    cohort = made(
        tmp_path,
        text,
        fields={"histology": {"value": "NSCLC"}},
        therapy={"agents": [{"value": ["Opdivo"]}]},
        specimens=specimens,
    )
    first, second, third, fourth = cohort
    assert first.therapy.agents == ("nivolumab",)
    assert [s.source for s in first.specimens or ()] == ["blood", "tissue"]
    assert [a.vaf for a in (first.specimens or ())[0].alterations or ()] == [0.2, 0.1]
    assert [a.gene for a in (second.specimens or ())[0].alterations or ()] == ["ERBB2"]
    assert (second.specimens or ())[0].assay.genes_tested == ("ERBB2", "KRAS", "TP53", "TTN")  # type: ignore[union-attr]  # it has one
    assert [(a.gene, a.status) for a in (third.specimens or ())[0].alterations or ()] == [("EGFR", "absent")]
    assert fourth.specimens is None
    assert (cohort.build or {})["findings"]["v.tsv"] == {
        "rows": 6,
        "kept": 3,
        "left out: belongs to no case of this cohort": 2,
        "left out: not a gene symbol": 1,
    }


def test_not_evaluable_and_earlier_regimens(tmp_path: Path) -> None:
    text = "Id,Type,Best,Ipi\n1,NSCLC,PR,1\n2,NSCLC,NE,0\n3,NSCLC,,0\n4,NSCLC,MR,\n"
    outcome = {
        "best_response": {"column": "Best", "codes": {"PR": "PR", "NE": "NE", "MR": None}, "when_blank": "NE"},
        "objective_response": {"column": "Best", "codes": {"PR": 1, "NE": 0, "MR": 0}},
        "reasons": {"NE": "not evaluable", "": "no scan", "MR": "mixed response"},
    }
    priors = {"none_where": [{"Ipi": 0}], "given": [{"where": {"Ipi": 1}, "therapy": {"class": "ctla4"}}]}
    cohort = made(
        tmp_path,
        text,
        fields={"histology": {"value": "MEL"}},
        therapy={"class": [{"value": "pd1_pdl1"}]},
        outcome=outcome,
        prior_therapies=priors,
    )
    assert cohort.response.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert cohort.outcomes.column("reason").to_pylist() == [None, "not evaluable", "no scan", "mixed response"]
    assert cohort.response_if_evaluable[[0, 3]].tolist() == [1.0, 0.0]
    assert [None if case.prior_therapies is None else len(case.prior_therapies) for case in cohort] == [1, 0, 0, None]


def test_a_sheet_lays_its_own_rules_over_the_manifest() -> None:
    rules = parse_manifest({**RULES, "sheets": {"B": {"cohort": {"assay": "exome"}}}}, "m", sheet="B")
    assert (rules.cohort.assay, rules.cohort.licence, rules.sheet) == ("exome", "CC0-1.0", "B")


@pytest.mark.parametrize("path", sorted((ROOT / "experiments" / "cohorts").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_manifests_are_whole(path: Path) -> None:
    rules = read_manifest(path)
    assert rules.cohort.licence
    assert rules.cohort.source
    assert path.read_text(encoding="utf-8").startswith("# Who:")
    assert all(isinstance(rule, FieldRule) for found in rules.fields.values() for rule in found)
