"""The audit log as the service uses it: what goes in comes out, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.errors import InvalidCase
from serving.audit import group_commit
from serving.audit.entries import Decision, Once, Outcome, Review, read_event
from serving.audit.reading import Filter, in_order, listed
from serving.audit.refusals import AuditUnavailable, ErasedRecord, IdempotencyKeyReused, UnknownPrediction
from serving.audit.tables import METADATA
from serving.audit.used_tokens import UsedTokens
from tests.audit_log import answer, entry, open_log
from tests.audit_verdict import verdict_of


def test_what_was_recorded_is_looked_up(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    one = entry(patient={"age_years": 63}, features={"age_years": 63.0, "ecog": None})
    written = auditor.record_prediction(one)
    assert written.seq == 1
    auditor.record_outcome(written.record_id, Outcome(best_response="PR", note="seen on CT"), "tests")
    auditor.record_decision(written.record_id, Decision(decision="overridden", reason="comorbidity"), "tests")
    auditor.record_review(written.record_id, Review(finding="agree"), "tests")
    found = auditor.lookup(written.record_id)
    auditor.close()
    assert found.payload is not None
    assert found.payload["request"]["patient"] == {"age_years": 63.0}
    assert found.payload["features"] == {"age_years": 63.0, "ecog": None}
    assert {**found.answer, "case_id": "c-1"} == dict(one.answer)
    assert [later.row["kind"] for later in found.later] == ["outcome", "decision", "review"]
    assert found.later[0].payload == {"event": {"best_response": "PR", "note": "seen on CT"}}
    assert found.row["lineage"] == "LUAD/NSCLC/LUNG"
    assert found.row["therapy_class"] == "pd1_pdl1"


def test_no_id_and_no_value_stands_in_clear(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    names = {"case_id": "CASE-OF-MILLER", "patient_id": "PATIENT-MILLER", "patient": {"race": "AS-TOLD"}}
    auditor.record_prediction(entry(**names))
    rows = [row for block in in_order(auditor.database) for row in block]
    auditor.close()
    assert "MILLER" not in str(rows)
    assert "AS-TOLD" not in str(rows)
    for path in tmp_path.glob("audit*"):
        assert b"MILLER" not in path.read_bytes()


def test_the_writing_thread_outlives_a_panic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        """As libraries of Rust raise it: no ``Exception``."""

    def panics(*_: object) -> None:
        raise Panic

    auditor = open_log(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(group_commit, "sign_head", panics)
        with pytest.raises(AuditUnavailable):
            auditor.record_prediction(entry())
    assert auditor.record_prediction(entry()).seq == 1
    assert verdict_of(auditor).good
    auditor.close()


def test_several_answers_of_a_request_stand_together(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    entries = [entry(place=place) for place in range(5)]
    assert auditor.record_predictions(entries) == [dict(one.answer) for one in entries]
    assert [row["place"] for row in listed(auditor.database, Filter())] == [4, 3, 2, 1, 0]
    assert verdict_of(auditor).good
    auditor.close()


def test_the_same_key_gives_the_same_answer_and_one_row(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    once = Once("key-1", "tests", "aa" * 32)
    assert auditor.idempotent(once) is None
    first = auditor.record_predictions([entry()], once)
    second = auditor.record_predictions([entry(answer=answer(log_odds=9.0))], once)
    assert second == first
    assert auditor.idempotent(once, ["c-1"]) == {0: first[0]}
    assert auditor.idempotent(Once("key-1", "another caller", "aa" * 32)) is None
    with pytest.raises(IdempotencyKeyReused):
        auditor.idempotent(Once("key-1", "tests", "bb" * 32))
    assert len(listed(auditor.database, Filter())) == 1
    auditor.close()


def test_one_key_from_many_threads_makes_one_row(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    once, got = Once("key-2", "tests", "aa" * 32), []
    workers = [
        threading.Thread(target=lambda: got.append(auditor.record_predictions([entry()], once)[0])) for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(got) == 8
    assert len({one["prediction_id"] for one in got}) == 1
    event = Outcome(objective_response=True)
    ids = {auditor.record_outcome(got[0]["prediction_id"], event, "t", Once("k", "t", "cc")) for _ in range(2)}
    assert len(ids) == 1
    auditor.close()


def test_unknown_ids_are_refused(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    written = auditor.record_prediction(entry())
    outcome = auditor.record_outcome(written.record_id, Outcome(best_response="SD"), "tests")
    for record_id in ("nowhere", outcome.record_id):
        with pytest.raises(UnknownPrediction):
            auditor.lookup(record_id)
        with pytest.raises(UnknownPrediction):
            auditor.record_review(record_id, Review(finding="agree"), "tests")
    auditor.close()


def test_an_erased_patient_cannot_be_read_and_the_chain_verifies(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    once = Once("key-3", "tests", "aa" * 32)
    gone = auditor.record_predictions([entry()], once)[0]["prediction_id"]
    auditor.record_outcome(gone, Outcome(best_response="CR"), "tests")
    kept = auditor.record_prediction(entry(patient_id="p-2")).record_id
    assert auditor.erase("officer", patient_id="p-1") == 2
    found = auditor.lookup(gone)
    assert found.erased
    assert found.later[0].erased
    assert found.row["probability"] is not None
    with pytest.raises(ErasedRecord):
        auditor.idempotent(once)
    assert not auditor.lookup(kept).erased
    verdict = verdict_of(auditor)
    assert (verdict.good, verdict.erased, verdict.records) == (True, 2, 4)
    assert auditor.erase("officer", patient_id="p-1") == 0
    auditor.close()


def test_look_ups_try_every_active_key(tmp_path: Path) -> None:
    from serving.audit.keys import rotate_key

    auditor = open_log(tmp_path)
    before = auditor.record_prediction(entry()).record_id
    auditor.close()
    for kind in ("data", "pseudonym", "signing"):
        rotate_key(tmp_path / "keys", kind)
    auditor = open_log(tmp_path)
    after = auditor.record_prediction(entry()).record_id
    refs = auditor.pseudonyms_of(patient_id="p-1")
    found = listed(auditor.database, Filter(patient_refs=refs))
    assert [row["record_id"] for row in found] == [after, before]
    assert found[0]["patient_ref"] != found[1]["patient_ref"]
    assert not auditor.lookup(before).erased
    assert verdict_of(auditor).good
    assert auditor.erase("officer", patient_id="p-1") == 2
    assert verdict_of(auditor).good
    auditor.close()


def test_filters_find_what_the_pages_ask_for(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    auditor.record_prediction(entry())
    abstained = answer(status="abstained", probability=None, interval=None, reasons=[{"code": "histology_unknown"}])
    auditor.record_prediction(entry(histology="MEL", answer=abstained))
    wanted = [
        (Filter(lineage="NSCLC"), 1),
        (Filter(lineage="NSC"), 0),
        (Filter(status="abstained"), 1),
        (Filter(reason="histology_unknown"), 1),
        (Filter(reason="histology%"), 0),
        (Filter(warning="synthetic_model", therapy_class="pd1_pdl1"), 2),
        (Filter(since="2000"), 2),
        (Filter(until="2000"), 0),
        (Filter(newest=1), 1),
    ]
    assert [len(listed(auditor.database, one)) for one, _ in wanted] == [count for _, count in wanted]
    auditor.close()


def test_events_are_closed_records() -> None:
    for kind, raw in (
        ("outcome", {}),
        ("outcome", {"best_response": "PR", "objective_response": False}),
        ("outcome", {"best_response": "maybe"}),
        ("decision", {"decision": "overridden"}),
        ("decision", {"decision": "taken", "reason": "other"}),
        ("review", {"finding": "agree", "name": "Dr."}),
    ):
        with pytest.raises(InvalidCase):
            read_event(kind, raw)


def test_a_token_counts_once_in_every_worker_until_it_expires(tmp_path: Path, address: str) -> None:
    workers = [open_log(tmp_path, address) for _ in range(2)]
    first, second = (UsedTokens(worker.database, lambda: 100.0) for worker in workers)
    assert first.claim("issuer", "jti-1", 200.0)
    assert not second.claim("issuer", "jti-1", 200.0)
    assert second.claim("another issuer", "jti-1", 200.0)
    assert UsedTokens(workers[1].database, lambda: 300.0).claim("issuer", "jti-1", 400.0)
    for worker in workers:
        worker.close()


def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path, address: str) -> None:
    auditor = open_log(tmp_path, address)
    inspector = sa.inspect(auditor.database.engine)
    for table in METADATA.sorted_tables:
        made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert made == {column.name: bool(column.nullable) for column in table.columns}
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]
    auditor.close()
