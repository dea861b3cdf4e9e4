"""The files of deploy/ as far as this machine can check them: they parse, and say what the code says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from oncorespond import COMMANDS
from serving.audit.group_commit import MOST_WAITED_S
from serving.deadline import DEFAULT_S
from serving.security.routes import OPEN, rule_for
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
FILES = ("Dockerfile", "compose.yaml", "kubernetes.yaml", "oncorespond.service", "service-role.sh")
PORT = 3000

DRAINED_S = DEFAULT_S + MOST_WAITED_S
"""Seconds that a request which has begun may take at most: its deadline, then the commit."""


def _text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def _variables_of_the_code() -> set[str]:
    found: set[str] = set()
    for room in ("serving", "models", "features"):
        for path in (ROOT / room).rglob("*.py"):
            found |= set(re.findall(r"ORP_[A-Z_]+", path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_variable_is_one_that_the_code_reads(name: str) -> None:
    assert set(re.findall(r"ORP_[A-Z_]+", _text(name))) <= _variables_of_the_code()


def _kubernetes() -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all(_text("kubernetes.yaml"))}


def test_kubernetes_asks_the_probes_and_waits_until_requests_have_drained() -> None:
    found = _kubernetes()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [port] = container["ports"]
    assert port == {"name": "http", "containerPort": PORT}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == "http"
        assert rule_for("GET", asked["path"]).roles == OPEN
    before_stop = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= before_stop + DRAINED_S
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels == found["Service"]["spec"]["selector"]
    assert labels == found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_every_volume_that_is_mounted_is_there() -> None:
    pod = _kubernetes()["Deployment"]["spec"]["template"]["spec"]
    named = {one["name"] for one in pod["volumes"]}
    mounted = {m["name"] for c in (*pod["containers"], *pod["initContainers"]) for m in c["volumeMounts"]}
    assert mounted == named
    compose = yaml.safe_load(_text("compose.yaml"))
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"]


def test_compose_answers_on_this_machine_alone_and_waits_for_its_database() -> None:
    services = yaml.safe_load(_text("compose.yaml"))["services"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    ours = services["oncorespond"]
    assert ours["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert int(ours["stop_grace_period"].removesuffix("s")) >= DRAINED_S
    assert ours["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    program, room, command = services["migrate"]["command"][1:4]
    assert (ROOT / program).is_file()
    assert f'- "{program}"' in (ROOT / "bentofile.yaml").read_text(encoding="utf-8")
    assert room in COMMANDS
    assert command == "migrate"
    role = services["migrate"]["command"][-1]
    assert f"CREATE ROLE {role} " in _text("service-role.sh")
    assert f"//{role}:" in ours["environment"]["ORP_DATABASE_URL"]


def test_the_image_serves_the_bento_as_nobody_in_particular() -> None:
    lines = re.sub(r"\\\n", " ", _text("Dockerfile")).splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
    assert {name for name, _ in steps} <= known
    last_user = [value for name, value in steps if name == "USER"][-1]
    assert last_user != "root"
    assert ["EXPOSE", str(PORT)] in steps
    command = next(value for name, value in steps if name == "CMD")
    assert f'"--port", "{PORT}"' in command
    assert "/readyz" in next(value for name, value in steps if name == "HEALTHCHECK")


def _unit() -> dict[str, str]:
    lines = (line for line in _text("oncorespond.service").splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_starts_what_the_command_line_knows_and_waits_until_requests_have_drained() -> None:
    unit = _unit()
    program, *words = unit["ExecStart"].split()
    assert program.endswith("/bin/oncorespond")
    command, *options = words
    assert command in COMMANDS
    described = subprocess.run(
        [str(Path(sys.executable).parent / "oncorespond"), command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"TERM": "dumb", "COLUMNS": "200", "PATH": ""},
    ).stdout
    assert all(option in described for option in options if option.startswith("--"))
    assert int(unit["TimeoutStopSec"]) >= DRAINED_S
    assert unit["KillMode"] == "mixed", "SIGTERM goes to the first process, which lets its workers drain"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "oncorespond"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    here = tmp_path / "oncorespond.service"
    here.write_text(_text("oncorespond.service").replace("/opt/oncorespond/.venv/bin/oncorespond", str(program)))
    run = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True, check=False)
    assert [line for line in run.stderr.splitlines() if "oncorespond" in line] == []


def test_the_script_of_the_database_parses() -> None:
    subprocess.run(["sh", "-n", str(DEPLOY / "service-role.sh")], check=True)


def test_the_readme_says_how_far_each_file_was_checked() -> None:
    readme = _text("README.md")
    assert all(f"`{name}`" in readme for name in FILES)
