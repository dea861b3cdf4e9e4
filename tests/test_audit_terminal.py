"""What somebody mistypes over a log: an empty table is never the answer to a question that could not be understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from serving.audit.commands import MOST_PROBLEMS, audit_app
from serving.audit.keys import generate_keys
from serving.audit.moments import NotAMoment, moment
from serving.audit.refusals import AuditKeysRefused
from tests.audit_log import entry, open_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def where(tmp_path: Path) -> list[str]:
    """Return the options that name a log of some predictions, and leave its keys beside it."""
    auditor = open_log(tmp_path)
    for _ in range(MOST_PROBLEMS + 5):
        auditor.record_prediction(entry())
    auditor.close()
    url = auditor.database.engine.url.render_as_string(hide_password=False)
    return ["--database", url, "--keys", str(next(tmp_path.glob("**/data-1.key")).parent)]


def asked(*words: str) -> Result:
    return CliRunner().invoke(audit_app, list(words))


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "22.11.2026", "2026-11-22T8", "2026-11-22T08:00+02:00", ""]
)
def test_what_is_no_time_is_refused(text: str, where: list[str]) -> None:
    assert isinstance(asked("list", "--since", text, *where).exception, NotAMoment)
    assert isinstance(asked("list", "--until", text, *where).exception, NotAMoment)


def test_no_record_is_archived_before_a_word(where: list[str], tmp_path: Path) -> None:
    found = asked("archive", str(tmp_path / "segments"), "--before", "yesterday", *where)
    assert isinstance(found.exception, NotAMoment)
    assert not (tmp_path / "segments").exists()
    assert asked("list", "--newest", "100", *where).output.count("prediction") == MOST_PROBLEMS + 5


def test_a_moment_is_compared_without_its_z() -> None:
    assert moment("2026-11-22T08:00Z", "--since") == "2026-11-22T08:00" < "2026-11-22T08:00:00.000001Z"
    assert moment("2026-11-22", "--since") == "2026-11-22"
    assert moment(None, "--since") is None


def test_a_word_that_no_record_has_is_named_beside_those_that_are(where: list[str]) -> None:
    told = asked("list", "--kind", "predictions", "--family", "checkpoint", *where)
    assert told.exit_code == 0
    assert "no record matches" in told.output
    assert "--kind 'predictions' is nowhere in this log; there are: prediction" in told.output
    assert "--family" not in told.output
    assert "no record matches" not in asked("list", *where).output


def test_a_folder_that_is_not_there_is_said(where: list[str], tmp_path: Path) -> None:
    told = asked("export", str(tmp_path / "no" / "log.jsonl"), *where)
    assert told.exit_code == 2
    assert "there is no folder" in " ".join(told.output.split())


def test_other_keys_are_told_once_and_not_for_every_record(where: list[str], tmp_path: Path) -> None:
    generate_keys(tmp_path / "others")
    found = asked("verify", *where[:2], "--keys", str(tmp_path / "others"))
    assert found.exit_code == 3
    assert found.output.count("the wrapped key of record") <= MOST_PROBLEMS
    assert "more; all of them: --json" in found.output
    assert "is $ORP_KEYS the folder of this log's keys?" in found.output


def test_without_keys_nobody_is_told_to_make_new_ones_for_an_old_log(where: list[str], tmp_path: Path) -> None:
    refused = asked("replay", "--all", *where[:2], "--keys", str(tmp_path / "none")).exception
    assert isinstance(refused, AuditKeysRefused)
    assert "new keys open no old record" in str(refused)


def test_an_id_that_nobody_sent_erases_nothing_and_says_so(where: list[str]) -> None:
    assert "nothing was erased" in asked("erase", "--patient", "nobody", "--yes", *where).output
