"""``oncorespond keys``: add, list and revoke API keys, and make the keys of the audit log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.security.api_keys import ApiKey, ApiKeys

keys_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # a traceback with local variables would print the key
    help="API keys: who may ask the service; and the keys of the audit log. They lie in $ORP_KEYS (default ./keys).\n\n"
    "Example: [bold]oncorespond keys init[/bold], then [bold]oncorespond keys add ward-7 --role predict[/bold]",
)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for a machine.")]


@keys_app.command()
def init(as_json: AsJson = False) -> None:
    """Make the keys of the audit log that are missing: data key, pseudonym key, signing key. Existing ones are kept.

    Back the folder up apart from the database: without the data key nobody can read the log again.

    Example: [bold]oncorespond keys init[/bold]
    """
    from serving.audit.keys import generate_keys, keys_folder

    folder = keys_folder()
    written = [path.name for path in generate_keys(folder)]
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "written": written}))
    else:
        typer.echo(f"{folder}/: " + (f"wrote {', '.join(written)}" if written else "nothing is missing"))


@keys_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who or what will use the key, such as ward-7; audit records name it.")],
    role: Annotated[list[str], typer.Option(help="predict, outcome, audit or admin; may be given several times.")],
    as_json: AsJson = False,
) -> None:
    """Add a key and show it once; only its HMAC is kept.

    Example: [bold]oncorespond keys add ward-7 --role predict --role outcome[/bold]
    """
    written = _keys().add(name, role)
    if as_json:
        typer.echo(json.dumps({"name": name, "roles": sorted(set(role)), "key": written}))
        return
    typer.echo(f"{name} ({', '.join(sorted(set(role)))}), shown this once:")
    typer.echo(written)


@keys_app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys by name and role, revoked ones too; never the keys themselves.

    Example: [bold]oncorespond keys list[/bold]
    """
    rows = [_row(key) for key in _keys().every()]
    if as_json:
        typer.echo(json.dumps({"keys": rows}, indent=1))
        return
    if not rows:
        typer.echo("there is no key; add one with `oncorespond keys add NAME --role predict`")
    for row in rows:
        state = f"revoked {row['revoked']}" if row["revoked"] else f"since {row['created']}"
        typer.echo(f"{row['name']:24} {', '.join(row['roles']):32} {state}")


@keys_app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The name of an active key.")],
    as_json: AsJson = False,
) -> None:
    """Revoke a key: it opens nothing from the next request on, and its browser sessions end.

    Example: [bold]oncorespond keys revoke ward-7[/bold]
    """
    row = _row(_keys().revoke(name))
    typer.echo(json.dumps(row) if as_json else f"{name} is revoked")


def _keys() -> ApiKeys:
    from serving.security.api_keys import ApiKeys
    from serving.security.gatekeeper import SecuritySettings

    return ApiKeys(SecuritySettings.from_environment().keys_folder)


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "id": key.identity,
        "roles": list(key.roles),
        "created": key.created,
        "revoked": key.revoked or None,
    }
