"""Nothing acknowledged is lost: many threads, several processes, processes and databases killed, a full disk."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from serving.audit.reading import in_order
from serving.audit.refusals import AuditUnavailable
from tests.audit_log import entry, keys_in, open_log
from tests.audit_verdict import verdict_of
from tests.conftest import ROOT, SOAK

KILLS = 20 if SOAK else 2


def _loading(folder: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    # unbuffered: communicate() passes over what a buffered readline() has read ahead
    command = [sys.executable, "-m", "tests.audit_load", str(folder), url, "4", *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)


def _first(process: subprocess.Popen[bytes]) -> str:
    """Wait for the first id that a process acknowledges."""
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert line.endswith("\n"), "the loading process ended before it recorded anything"
    return line.strip()


def _acknowledged(process: subprocess.Popen[bytes]) -> list[str]:
    """Return the ids a process acknowledged until it ended; a last line cut off was not acknowledged."""
    out, _ = process.communicate(timeout=300)
    return out.decode().split("\n")[:-1]


def _logged(folder: Path, url: str) -> list[str]:
    auditor = open_log(folder, url)
    assert verdict_of(auditor, heads=folder / "audit.heads.jsonl").good
    found = [row["record_id"] for block in in_order(auditor.database) for row in block]
    auditor.close()
    return found


def test_two_processes_write_one_chain(tmp_path: Path, address: str) -> None:
    keys_in(tmp_path)
    processes = [_loading(tmp_path, address, "25") for _ in range(2)]
    acknowledged = [one for process in processes for one in _acknowledged(process)]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(acknowledged) == 200
    assert sorted(_logged(tmp_path, address)) == sorted(acknowledged)


def test_killed_under_load_nothing_acknowledged_is_lost(tmp_path: Path, address: str) -> None:
    keys_in(tmp_path)
    chance = random.Random(7)  # noqa: S311
    acknowledged: list[str] = []
    for _ in range(KILLS):
        processes = [_loading(tmp_path, address) for _ in range(2)]
        acknowledged += [_first(process) for process in processes for _ in range(3)]
        time.sleep(chance.uniform(0, 0.5))
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            acknowledged += _acknowledged(process)
    logged = _logged(tmp_path, address)
    assert sorted(set(acknowledged) - set(logged)) == []
    assert len(set(logged)) == len(logged)


@pytest.mark.soak
def test_postgres_killed_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    from tests.audit_databases import postgres_running

    keys_in(tmp_path)
    acknowledged: list[str] = []
    with postgres_running() as server:
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        for _ in range(KILLS):
            process = _loading(tmp_path, address)
            acknowledged.append(_first(process))
            time.sleep(0.3)
            os.kill(server.get_pid(), signal.SIGQUIT)  # immediate shutdown: no checkpoint, as in a crash
            time.sleep(1.0)
            process.send_signal(signal.SIGKILL)
            acknowledged += _acknowledged(process)
            server.ensure_postgres_running()
        logged = _logged(tmp_path, address)
    assert sorted(set(acknowledged) - set(logged)) == []
    assert len(set(logged)) == len(logged)


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    first = auditor.record_prediction(entry()).record_id
    with auditor.database.engine.connect() as connection:  # the pool's one connection, which the writer takes next
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    more = [entry(place=place) for place in range(20)]
    with pytest.raises(AuditUnavailable) as refused:
        auditor.record_predictions(more)
    assert refused.value.http_status == 503
    assert "p-1" not in str(refused.value)
    with auditor.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert auditor.ready()
    last = auditor.record_prediction(entry()).record_id
    assert verdict_of(auditor).good
    assert {first, last} <= {row["record_id"] for block in in_order(auditor.database) for row in block}
    auditor.close()


def test_with_less_room_than_a_batch_takes_it_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.audit import database

    auditor = open_log(tmp_path)
    with monkeypatch.context() as little:
        little.setattr(database, "LEAST_ROOM", 2**62)
        assert not auditor.ready()
    assert auditor.ready()
    auditor.close()


ROOM = 600_000
"""Bytes that a file may have at first: some dozen records."""

STILL_S = 3.0
"""Seconds without an acknowledged record, under load: then there is no room."""


def _until_still(process: subprocess.Popen[bytes]) -> list[str]:
    """Return what is acknowledged until nothing more is, though the load goes on."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    found, since, until = b"", time.monotonic(), time.monotonic() + 120
    while time.monotonic() - since < STILL_S:
        assert time.monotonic() < until, "acknowledged without room"
        time.sleep(0.05)
        if more := process.stdout.read():
            found, since = found + more, time.monotonic()
    os.set_blocking(process.stdout.fileno(), True)
    return found.decode().split()


def test_files_that_may_not_grow_lose_nothing_and_grow_again(tmp_path: Path) -> None:
    """The system itself refuses to write, as it does on a full disk; then it lets it again."""
    keys_in(tmp_path)
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    process = _loading(tmp_path, url)
    first = _first(process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
    before = [first, *_until_still(process)]
    assert max(path.stat().st_size for path in tmp_path.glob("audit.db*")) > ROOM / 2, "it was not for want of room"
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    later = [_first(process) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    acknowledged = [*before, *later, *_acknowledged(process)]
    logged = _logged(tmp_path, url)
    assert sorted(set(acknowledged) - set(logged)) == []
    assert len(set(logged)) == len(logged)


def test_when_the_database_is_gone_it_is_not_ready_and_then_it_is(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    with auditor.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE heads RENAME TO away"))
    with pytest.raises(AuditUnavailable):
        auditor.record_prediction(entry())
    with auditor.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO heads"))
    assert auditor.ready()
    assert auditor.record_prediction(entry()).seq == 1
    auditor.close()
    assert not auditor.ready()
    with pytest.raises(AuditUnavailable):
        auditor.record_prediction(entry())


def test_one_unit_at_fault_fails_alone(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    auditor = open_log(tmp_path)
    twice = entry()
    auditor.record_prediction(twice)
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(auditor.record_prediction, entry()) for _ in range(7)]
        at_fault = pool.submit(auditor.record_prediction, twice)  # its id is there already
        assert at_fault.exception() is not None
        assert all(one.exception() is None for one in others)
    assert verdict_of(auditor).records == 8
    auditor.close()


def test_an_unwritable_head_file_is_caught_up(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    heads = tmp_path / "audit.heads.jsonl"
    heads.mkdir()
    auditor.record_prediction(entry())
    assert not auditor.ready()
    heads.rmdir()
    assert auditor.ready()
    assert heads.read_text().count("\n") == 1
    auditor.close()


def test_alone_nobody_waits_and_together_one_commit_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from serving.audit import group_commit

    monkeypatch.setattr(group_commit, "GATHERED_S", 30.0)
    auditor = open_log(tmp_path)
    began = time.monotonic()
    with auditor.coming():
        auditor.record_prediction(entry())
    assert time.monotonic() - began < 15, "nobody else is coming: it does not wait"

    all_are_coming = threading.Barrier(3)

    def answering(number: int) -> None:
        with auditor.coming():
            all_are_coming.wait(30)
            time.sleep(0.2 * number)  # some are computed while others wait for their commit
            auditor.record_prediction(entry())

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(answering, range(3)))
    with auditor.database.reading() as connection:
        heads = connection.exec_driver_sql("SELECT count FROM heads ORDER BY count").scalars().all()
    assert heads == [1, 4], "three records, one commit"
    assert verdict_of(auditor).good
    auditor.close()
