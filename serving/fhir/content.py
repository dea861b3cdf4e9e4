"""FHIR content types: what a body is announced as, what a caller accepts, and our answers' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from starlette.responses import Response

from features.errors import seen_text
from serving.fhir.refusals import NotAcceptable, NotFhirContent

if TYPE_CHECKING:
    from collections.abc import Mapping

FHIR_JSON = "application/fhir+json"
ANSWERED_AS = f"{FHIR_JSON}; charset=utf-8; fhirVersion=4.0"

_JSON = frozenset({FHIR_JSON, "application/json"})
_ACCEPTED = frozenset({*_JSON, "text/json", "application/json+fhir", "application/*", "*/*"})
_FORMATS = frozenset({*_ACCEPTED, "json"})
_R4 = frozenset({"4.0", "4.0.0", "4.0.1"})
_UTF8 = frozenset({"utf-8", "utf8"})


def check_body_kind(content_type: str) -> None:
    """Refuse a body that is not announced as JSON or FHIR JSON of R4 in UTF-8.

    Raises
    ------
    NotFhirContent
        415.

    Examples
    --------
    >>> check_body_kind("application/fhir+json; fhirVersion=4.0")
    """
    kind, parameters = _media_type(content_type)
    if kind not in _JSON:
        raise NotFhirContent(f"content type {seen_text(kind)}", allowed=sorted(_JSON))
    if parameters.get("fhirversion", "4.0") not in _R4:
        raise NotFhirContent("another FHIR version than R4", allowed=["fhirVersion=4.0"])
    if parameters.get("charset", "utf-8").lower() not in _UTF8:
        raise NotFhirContent("another character set than UTF-8", allowed=["charset=utf-8"])


def check_accepted(accept: str, wanted_format: str | None = None) -> None:
    """Refuse a caller that accepts none of what we answer with.

    Parameters
    ----------
    accept
        The header; empty accepts everything.
    wanted_format
        The ``_format`` parameter, which goes before the header.

    Raises
    ------
    NotAcceptable
        406: XML and Turtle are not answered, nor any version but R4.

    Examples
    --------
    >>> check_accepted("application/fhir+xml;q=0.5, application/fhir+json")
    >>> check_accepted("", "json")
    """
    if wanted_format is not None:
        if wanted_format.partition(";")[0].strip().lower().replace(" ", "+") not in _FORMATS:
            raise NotAcceptable(f"the format {seen_text(wanted_format)}", allowed=[FHIR_JSON], field="_format")
        return
    if accept.strip() and not any(_acceptable(part) for part in accept.split(",")):
        raise NotAcceptable("none of the accepted types is answered", allowed=[ANSWERED_AS])


def _acceptable(part: str) -> bool:
    kind, parameters = _media_type(part)
    return kind in _ACCEPTED and parameters.get("fhirversion", "4.0") in _R4 and parameters.get("q") not in _NEVER


_NEVER = frozenset({"0", "0.0", "0.00", "0.000"})


def _media_type(written: str) -> tuple[str, Mapping[str, str]]:
    kind, *rest = written.split(";")
    named = (one.partition("=") for one in rest)
    return kind.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in named}


def fhir_response(resource: Any, status: int = 200) -> Response:
    """Return a resource as a response."""
    return Response(to_json(resource), status_code=status, media_type=ANSWERED_AS)
