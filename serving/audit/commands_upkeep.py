"""``oncorespond audit head``, ``erase``, ``archive`` and ``migrate``: the upkeep of the log."""

from __future__ import annotations

import getpass
import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from serving.audit.opened_log import DatabaseUrl, KeysFolder, all_keys, database_of
from serving.audit.refusals import AuditUnavailable

AsJson = Annotated[bool, typer.Option("--json", help="JSON, for a machine.")]


def head(database: DatabaseUrl = None) -> None:
    """Print the last signed head as one line; keep it where whoever can write the log cannot.

    Example: [bold]oncorespond audit head >> /mnt/elsewhere/audit.heads.jsonl[/bold]
    """
    import sqlalchemy as sa

    from serving.audit.chain import Head
    from serving.audit.tables import HEADS

    with database_of(database).reading() as connection:
        row = connection.execute(sa.select(HEADS).order_by(HEADS.c.count.desc()).limit(1)).mappings().first()
    if row is None:
        raise AuditUnavailable("the log is empty: there is no head yet")
    typer.echo(Head(**row).to_json())


def erase(
    patient: Annotated[str | None, typer.Option(help="The patient_id as it was sent.")] = None,
    case: Annotated[str | None, typer.Option(help="The case_id as it was sent, where no patient_id was.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Erase a patient: destroy the keys of all records of that id, for good. The chain still verifies.

    Example: [bold]oncorespond audit erase --patient p-1[/bold]
    """
    from serving.audit.auditor import Auditor

    if (patient is None) == (case is None):
        raise typer.BadParameter("give --patient or --case")
    if not yes:
        typer.confirm("This cannot be undone. Destroy the keys?", abort=True)
    auditor = Auditor.open(database, keys)
    try:
        count = auditor.erase(f"terminal:{_user()}", patient_id=patient, case_id=case)
    finally:
        auditor.close()
    told = f"{count} records erased" if count else "no record names this id, as it was sent; nothing was erased"
    typer.echo(json.dumps({"erased": count}) if as_json else told)


def archive(
    folder: Annotated[Path, typer.Argument(help="Where sealed segments are kept; they must not be lost.")],
    before: Annotated[str, typer.Option(help="UTC, such as 2026-05-01: older records are moved.")],
    database: DatabaseUrl = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Move old records into a sealed segment file that still verifies; their keys stay, for erasure.

    Example: [bold]oncorespond audit archive segments --before 2026-05-01[/bold]
    """
    from serving.audit.moments import moment
    from serving.audit.segments import seal_segment

    end = moment(before, "--before") or before
    segment = seal_segment(database_of(database), all_keys(keys), folder, end)
    if as_json:
        typer.echo(json.dumps(segment))
    elif segment is None:
        typer.echo("nothing to archive")
    else:
        typer.echo(f"records {segment['first_seq']} to {segment['last_seq']} are in {segment['file']}")


def migrate(
    grant_to: Annotated[str | None, typer.Option(help="PostgreSQL: the service's role.")] = None,
    database: DatabaseUrl = None,
) -> None:
    """Make or migrate the tables, as the owner of the database.

    Example: [bold]oncorespond audit migrate --grant-to oncorespond_service[/bold]
    """
    import sqlalchemy as sa

    from serving.audit.database import REVISION, Database
    from serving.audit.migrations.append_only import GRANTS

    opened = Database.open(database)
    if grant_to is not None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", grant_to):
            raise typer.BadParameter("not the name of a role", param_hint="--grant-to")
        with opened.writing() as connection:
            for statement in GRANTS:
                connection.execute(sa.text(statement.format(role=grant_to)))
    typer.echo(f"schema {REVISION}")


def _user() -> str:
    """Return who sits at the terminal: the name, or the number of a user whom the system has no name for."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as in a container that was started with a number; Python 3.13 says OSError
        return str(os.getuid())
