"""The real service on a disk that is full: 503 until there is room, then it goes on; nothing acknowledged is lost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.openapi import EXAMPLE_CASE
from tests.service_load import acknowledged, check_log, ended, loading, settings_in, wait_for_more
from tests.service_process import Served, asked, serving

DISK, BALLAST = 110, 80
"""MB: the disk, and what lies on it beside the log at first."""

STILL_S = 2.0
"""Seconds without an acknowledged answer, under load: then the disk is full."""

FULL_WITHIN_S = 240.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=0700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _filled_with(ballast: Path) -> None:
    """Write the file that lies on the disk beside the log."""
    with ballast.open("wb") as out:
        out.write(b"\0" * BALLAST * 2**20)


def _until_still(ids: Path) -> None:
    """Wait until nothing more is acknowledged."""
    until = time.monotonic() + FULL_WITHIN_S
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < STILL_S:
        assert time.monotonic() < until, "the disk never filled"
        time.sleep(0.05)
        if len(acknowledged(ids)) != seen:
            seen, since = len(acknowledged(ids)), time.monotonic()


def _refuses(served: Served) -> None:
    status, body = asked(served.address, "/predict", served.token, EXAMPLE_CASE)
    assert (status, body["error"]["code"]) == (503, "audit_unavailable")
    assert asked(served.address, "/readyz")[0] == 503
    assert asked(served.address, "/livez")[0] == 200


@pytest.mark.soak
def test_on_a_full_disk_it_refuses_and_then_goes_on(served_models: Path, tmp_path: Path, disk: Path) -> None:
    ids, ballast = tmp_path / "ids.txt", disk / "ballast"
    _filled_with(ballast)
    with serving(tmp_path, served_models, "--workers", "2", **settings_in(disk)) as served:
        load = loading(served, tmp_path, ids)
        try:
            _until_still(ids)
            before = acknowledged(ids)
            assert len(before) > 100
            assert os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize < 2**20, "it is not full"
            for _ in range(3):
                _refuses(served)
                time.sleep(0.5)
            assert acknowledged(ids) == before, "acknowledged without room"
            ballast.unlink()
            served.wait_ready(30)
            wait_for_more(ids, len(before) + 200)
            assert asked(served.address, f"/predictions/{before[-1]}", served.token)[0] == 200
        finally:
            ended(load)
    check_log(disk, None, ids)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
