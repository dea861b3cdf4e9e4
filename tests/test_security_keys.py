"""API keys: made, kept, compared, revoked; and the command line for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.security.api_keys import ApiKeys, server_key
from serving.security.commands import keys_app
from serving.security.refusals import KeyFileRefused, NoSuchKey, Unauthenticated, UnknownRole


def test_a_key_opens_and_only_its_hmac_is_kept(tmp_path: Path) -> None:
    keys = ApiKeys(tmp_path)
    written = keys.add("ward-7", ["predict", "outcome"])
    caller = keys.caller(written)
    assert (caller.name, caller.roles) == ("key:ward-7", {"predict", "outcome"})
    stored = (tmp_path / "api_keys.json").read_text(encoding="utf-8")
    assert written not in stored
    assert written.split("_", 2)[2] not in stored
    for name in ("api_keys.json", "server.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_keys_hold_256_random_bits_and_differ(tmp_path: Path) -> None:
    keys = ApiKeys(tmp_path)
    written = {keys.add(f"k{i}", ["predict"]) for i in range(20)}
    assert len({one.split("_", 2)[2] for one in written}) == 20
    assert all(len(one.split("_", 2)[2]) == 43 for one in written)


def test_a_stolen_file_of_keys_is_of_no_use_under_another_server_key(tmp_path: Path) -> None:
    written = ApiKeys(tmp_path / "a").add("x", ["predict"])
    (tmp_path / "b").mkdir()
    server_key(tmp_path / "b")
    (tmp_path / "a" / "api_keys.json").rename(tmp_path / "b" / "api_keys.json")
    with pytest.raises(Unauthenticated):
        ApiKeys(tmp_path / "b").caller(written)


@pytest.mark.parametrize("wrong", ["", "orp_", "orp_00000000_" + "A" * 43, "x" * 9000, "ключ", "orp_zz_\n"])
def test_what_is_no_key_opens_nothing(tmp_path: Path, wrong: str) -> None:
    keys = ApiKeys(tmp_path)
    keys.add("x", ["predict"])
    with pytest.raises(Unauthenticated) as refused:
        keys.caller(wrong)
    assert refused.value.cause == "unknown_key"


def test_every_changed_character_closes(tmp_path: Path) -> None:
    keys = ApiKeys(tmp_path)
    written = keys.add("x", ["predict"])
    for place in range(len(written)):
        changed = written[:place] + ("B" if written[place] != "B" else "C") + written[place + 1 :]
        with pytest.raises(Unauthenticated):
            keys.caller(changed)


def test_revoking_counts_at_once_in_a_process_that_read_the_file_before(tmp_path: Path) -> None:
    serving, terminal = ApiKeys(tmp_path), ApiKeys(tmp_path)
    written = terminal.add("x", ["predict"])
    assert serving.caller(written).name == "key:x"
    terminal.revoke("x")
    with pytest.raises(Unauthenticated, match="revoked"):
        serving.caller(written)
    with pytest.raises(NoSuchKey):
        terminal.revoke("x")
    again = terminal.add("x", ["predict"])
    assert serving.caller(again).name == "key:x"
    assert [bool(key.revoked) for key in serving.every()] == [True, False]


def test_what_cannot_be_a_key_is_refused(tmp_path: Path) -> None:
    keys = ApiKeys(tmp_path)
    keys.add("x", ["predict"])
    with pytest.raises(KeyFileRefused, match="active key"):
        keys.add("x", ["audit"])
    with pytest.raises(KeyFileRefused, match="letters"):
        keys.add("../x", ["predict"])
    with pytest.raises(KeyFileRefused, match="opens nothing"):
        keys.add("y", [])
    with pytest.raises(UnknownRole):
        keys.add("y", ["doctor"])


@pytest.mark.parametrize("name", ["api_keys.json", "server.key"])
def test_files_that_others_can_read_are_refused(tmp_path: Path, name: str) -> None:
    written = ApiKeys(tmp_path).add("x", ["predict"])
    (tmp_path / name).chmod(0o640)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        ApiKeys(tmp_path).caller(written)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "keys": []}', '{"format": 1, "keys": [{"name": 1}]}'])
def test_a_damaged_file_of_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "api_keys.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyFileRefused):
        ApiKeys(tmp_path).every()


def test_the_command_line_adds_lists_and_revokes(tmp_path: Path) -> None:
    run = CliRunner(env={"ORP_KEYS": str(tmp_path)})
    added = json.loads(run.invoke(keys_app, ["add", "ward-7", "--role", "predict", "--json"]).output)
    assert ApiKeys(tmp_path).caller(added["key"]).name == "key:ward-7"
    listed = run.invoke(keys_app, ["list", "--json"]).output
    assert added["key"] not in listed
    assert json.loads(listed)["keys"][0]["roles"] == ["predict"]
    assert "ward-7" in run.invoke(keys_app, ["list"]).output
    assert json.loads(run.invoke(keys_app, ["revoke", "ward-7", "--json"]).output)["revoked"]
    assert "revoked" in run.invoke(keys_app, ["list"]).output
    shown = run.invoke(keys_app, ["add", "other", "--role", "audit"]).output
    assert ApiKeys(tmp_path).caller(shown.strip().splitlines()[-1]).roles == {"audit"}
    assert isinstance(run.invoke(keys_app, ["add", "z", "--role", "doctor"]).exception, UnknownRole)
