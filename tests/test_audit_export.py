"""What leaves the log in bulk, and what never does; the command line over a log; retention."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features.case import Case
from features.contract import GROUPS
from features.errors import Refusal
from serving.audit.commands import audit_app
from serving.audit.entries import Outcome
from serving.audit.export import FREE_TEXT, exported, safe_case
from serving.audit.export_files import CSV_COLUMNS, write_csv, write_parquet
from serving.audit.keys import generate_keys, load_keys, rotate_key
from serving.audit.reading import listed
from serving.audit.refusals import AuditDamaged, AuditKeysRefused, NoLogHere, UnknownExportFormat
from serving.audit.segments import seal_segment
from tests.audit_log import answer, entry, open_log
from tests.audit_verdict import kinds_of, verdict_of

OLD = {
    "patient": {"age_years": 93.0, "race": "AS-TOLD"},
    "assay": {"panel": "MILLER'S PANEL"},
    "alterations": [
        {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"},
        {"gene": "ALK", "kind": "fusion", "partner": "MILLER"},
    ],
}


def test_every_text_field_of_a_case_is_known_to_the_export() -> None:
    free = set()

    def walk(node: Any, name: str = "") -> None:
        if isinstance(node, dict):
            if node.get("type") == "string" and node.get("maxLength") == 200:
                free.add(name)
            for key, value in node.items():
                walk(value, key if "properties" not in node and key not in {"anyOf", "items"} else name)
                if key == "properties":
                    for field, schema in value.items():
                        walk(schema, field)
        elif isinstance(node, list):
            for one in node:
                walk(one, name)

    walk(Case.model_json_schema(by_alias=True))
    assert {name for name in free if name} - {"properties"} == set(FREE_TEXT)


def test_no_free_text_and_no_high_age_is_exported(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    written = auditor.record_prediction(entry(**OLD))
    auditor.record_outcome(written.record_id, Outcome(best_response="SD", note="Mrs. MILLER said"), "tests")
    records = list(exported(auditor.database, auditor.keys, values=True))
    text = json.dumps(records)
    assert "MILLER" not in text
    assert "AS-TOLD" not in text
    assert records[0]["case"]["patient"] == {"age_years": "90+"}
    assert records[0]["case"]["alterations"][0]["protein_change"] == "p.V600E"
    assert records[1]["event"] == {"best_response": "SD"}
    assert "case" not in next(exported(auditor.database, None))
    assert write_parquet(iter(records), tmp_path / "log.parquet") == 2
    table = pq.read_table(tmp_path / "log.parquet")
    assert dict(table.column("groups")[0].as_py())["tmb"] == pytest.approx(0.1 / 3, abs=0)
    assert table.column("warnings")[0].as_py() == ["synthetic_model"]
    assert write_csv(iter(records), tmp_path / "log.csv") == 2
    assert "MILLER" not in (tmp_path / "log.csv").read_text(encoding="utf-8")
    auditor.close()


def test_a_csv_says_what_the_log_says_in_the_documented_columns(tmp_path: Path, project_root: Path) -> None:
    auditor = open_log(tmp_path)
    warnings = [{"code": "synthetic_model", "text": "SYNTHETIC"}, {"code": "underpowered", "text": "few"}]
    made = auditor.record_prediction(entry(answer=answer(warnings=warnings))).record_id
    auditor.record_outcome(made, Outcome(best_response="PR"), "=2+2")
    records = list(exported(auditor.database, auditor.keys, values=True))
    auditor.close()
    write_csv(iter(records), tmp_path / "log.csv")
    with (tmp_path / "log.csv").open(encoding="utf-8", newline="") as text:
        first, second = csv.DictReader(text)
    assert list(first) == list(CSV_COLUMNS)
    page = (project_root / "docs" / "audit.md").read_text(encoding="utf-8")
    named = {name.partition(":")[0] for name in CSV_COLUMNS}
    assert sorted(name for name in named if f"`{name}" not in page) == []
    assert (first["record_id"], first["warnings"], first["reasons"]) == (made, "synthetic_model;underpowered", "")
    assert float(first["probability"]) == records[0]["probability"]
    assert {name: float(first[f"group:{name}"]) for name in GROUPS} == records[0]["groups"]
    assert json.loads(first["contributions"]) == records[0]["contributions"]
    assert json.loads(first["case"]) == records[0]["case"]
    assert (second["about"], second["kind"], second["responded"]) == (made, "outcome", "1")
    assert json.loads(second["event"]) == {"best_response": "PR"}
    assert (second["case"], second["log_odds"]) == ("", "")
    assert second["caller"] == "'=2+2", "no formula for a spreadsheet"


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        *((text, True) for text in ("p.V600E", "V600E", "E746_A750del", "p.Glu746_Ala750del", "R175fs*5", "T790=")),
        *((text, True) for text in ("X1010_splice", "p.D770_N771insSVD", "W288*", "Q61")),
        *((text, False) for text in ("Miller", "p.V600E Miller", "born 1950", "M1 iller", "")),
    ],
)
def test_protein_changes_of_a_known_form_are_kept(change: str, kept: bool) -> None:
    assert ("protein_change" in safe_case({"protein_change": change})) is kept


def test_old_records_move_to_a_segment_and_still_verify(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    ids = [auditor.record_prediction(entry()).record_id for _ in range(6)]
    folder = tmp_path / "segments"
    cut = auditor.lookup(ids[4]).row["time"]
    segment = seal_segment(auditor.database, auditor.keys, folder, cut)
    assert segment is not None
    assert (segment["first_seq"], segment["last_seq"]) == (1, 4)
    auditor.record_prediction(entry())
    bare, whole = verdict_of(auditor), verdict_of(auditor, archive=folder)
    assert (bare.good, bare.records, bare.archived) == (True, 3, 4)
    assert (whole.good, whole.records, whole.archived) == (True, 7, 0)
    second = seal_segment(auditor.database, auditor.keys, folder, "9999")
    assert second is not None
    assert auditor.record_prediction(entry()).seq == 8
    assert verdict_of(auditor, archive=folder).records == 8
    assert seal_segment(auditor.database, auditor.keys, folder, "2000") is None
    assert auditor.erase("officer", patient_id="p-1") == 8
    assert verdict_of(auditor, archive=folder).erased == 8
    path = folder / segment["file"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(AuditDamaged, match="sealed"):
        verdict_of(auditor, archive=folder)
    auditor.close()


def test_a_false_segment_row_is_found(tmp_path: Path) -> None:
    import sqlalchemy as sa

    auditor = open_log(tmp_path)
    auditor.record_prediction(entry())
    row = listed(auditor.database, _all())[0]
    with auditor.database.writing() as connection:
        names = "last_seq, first_seq, last_hash, file, file_sha256, time, key_id, signature"
        values = f"1, 1, '{row['hash']}', 'f', 'd', 't', '{auditor.keys.signing_id}', 'AAAA'"
        connection.execute(sa.text(f"INSERT INTO segments ({names}) VALUES ({values})"))  # noqa: S608
    assert ("segment", 1) in kinds_of(verdict_of(auditor))
    auditor.close()


def _all() -> Any:
    from serving.audit.reading import Filter

    return Filter()


def test_keys_are_made_once_and_refused_when_others_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert len(generate_keys(folder)) == 4
    assert generate_keys(folder) == []
    assert oct((folder / "data-1.key").stat().st_mode)[-3:] == "600"
    before = load_keys(folder)
    rotate_key(folder, "data")
    assert list(load_keys(folder).data)[1:] == list(before.data)
    (folder / "data-1.key").chmod(0o644)
    with pytest.raises(AuditKeysRefused, match="chmod 600"):
        load_keys(folder)
    with pytest.raises(AuditKeysRefused, match="keys init"):
        load_keys(tmp_path)


def test_a_data_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys"
    generate_keys(folder)
    monkeypatch.setenv("ORP_DATA_KEY", "A" * 43 + "=")
    assert next(iter(load_keys(folder).data.values())) == bytes(32)
    monkeypatch.setenv("ORP_DATA_KEY", "not a key")
    with pytest.raises(AuditKeysRefused, match="ORP_DATA_KEY"):
        load_keys(folder)


def test_the_commands_over_a_log(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    record_id = auditor.record_prediction(entry()).record_id
    auditor.close()
    where = ["--database", f"sqlite:///{tmp_path / 'audit.db'}", "--keys", str(tmp_path / "keys")]

    def run(*arguments: str, code: int = 0) -> str:
        found = CliRunner().invoke(audit_app, list(arguments))
        assert found.exit_code == code, (found.output, found.exception)
        return found.stdout

    assert json.loads(run("list", *where, "--json"))["record_id"] == record_id
    assert record_id in run("list", "--patient", "p-1", *where)
    assert json.loads(run("show", record_id, *where, "--json"))["payload"]["request"]["histology"] == "LUAD"
    assert "good: 1 records" in run("verify", *where)
    (tmp_path / "kept.jsonl").write_text(run("head", *where[:2]))
    assert json.loads(run("verify", *where, "--head", str(tmp_path / "kept.jsonl"), "--json"))["good"]
    assert "1 no_artefact" in run("replay", "--all", "--models", str(tmp_path), *where)
    assert "1 records" in run("export", str(tmp_path / "log.jsonl"), "--values", *where)
    assert json.loads((tmp_path / "log.jsonl").read_text())["case"]["histology"] == "LUAD"
    assert "1 records" in run("export", str(tmp_path / "log.csv"), *where)
    assert (tmp_path / "log.csv").read_text().startswith("seq,record_id,kind,about,time,")
    run("export", str(tmp_path / "log.PARQUET"), *where)
    assert pq.read_table(tmp_path / "log.PARQUET").num_rows == 1
    run("export", str(tmp_path / "log.txt"), "--format", "csv", *where)
    assert (tmp_path / "log.txt").read_bytes() == (tmp_path / "log.csv").read_bytes()
    for name in ("log.xlsx", "log", "csv"):
        refused = CliRunner().invoke(audit_app, ["export", str(tmp_path / name), *where]).exception
        assert isinstance(refused, UnknownExportFormat)
        assert "Allowed: .jsonl, .csv, .parquet." in str(refused)
        assert not (tmp_path / name).exists()
    assert json.loads(run("erase", "--patient", "p-1", "--yes", *where, "--json")) == {"erased": 1}
    assert "its values were erased" in run("show", record_id, *where)
    assert "records 1 to 2" in run("archive", str(tmp_path / "segments"), "--before", "9999-01-01", *where)
    assert "good: 2 records" in run("verify", "--archive", str(tmp_path / "segments"), *where)
    kept = tmp_path / "audit.heads.jsonl"
    kept.write_text(kept.read_text().replace('"count": 2', '"count": 3'))
    assert "head: " in run("verify", *where, code=3)
    assert isinstance(CliRunner().invoke(audit_app, ["show", "nowhere", *where]).exception, Refusal)


@pytest.mark.parametrize("words", [["list"], ["show", "x"], ["verify"], ["replay", "--all"], ["export", "out.jsonl"]])
def test_where_there_is_no_log_none_is_made(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORP_DATABASE_URL", raising=False)
    found = CliRunner().invoke(audit_app, words)
    assert isinstance(found.exception, NoLogHere)
    assert "ORP_DATABASE_URL" in str(found.exception)
    assert not any(tmp_path.iterdir())
