"""Visit: one request of one page, and what the page answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response

from serving.pages.rendering import PAGE_HEADERS, page_response, rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.audit.auditor import Auditor
    from serving.pages.log_follow import LogReader
    from serving.pages.state import PagesState
    from serving.security.routes import Caller


@dataclass(frozen=True)
class Visit:
    """One request, already let in: its caller has the audit role, and a form its session's token.

    Attributes
    ----------
    state
        What the service gives the pages.
    path, query
        Of the address; ``query`` is the text behind the question mark.
    caller
        Who looks.
    asked
        Parameters of the address; of one that is repeated the last counts, empty ones are left out.
    named
        Parts of the path, such as ``prediction_id``.
    form
        Fields of a form that was sent; empty for GET.
    request_id
        Shown where something went wrong.
    """

    state: PagesState
    path: str
    query: str
    caller: Caller
    asked: Mapping[str, str]
    named: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)
    request_id: str = "-"

    @property
    def auditor(self) -> Auditor:
        """The log."""
        return self.state.get_auditor()

    @property
    def reader(self) -> LogReader:
        """The columns of the log that lists and bulk pages read."""
        return self.state.reader()

    @property
    def synthetic(self) -> bool:
        """Whether a model that is served was trained on synthetic cases."""
        predictor = self.state.get_predictor()
        return predictor is not None and any(bool(one.card.get("synthetic")) for one in predictor.by_family.values())

    @property
    def csrf_token(self) -> str:
        """What this visit's forms carry; empty for a caller without a session, who needs none."""
        return self.state.csrf_token(self.caller.session) if self.caller.session else ""

    def text(self, template: str, **context: Any) -> str:
        """Return a template rendered, with what every page shows."""
        return rendered(template, {"visit": self, **context})

    def show(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Answer with a page."""
        return page_response(self.text(template, **context), status)

    def go(self, address: str) -> Response:
        """Answer a form: look at this page next (303)."""
        return RedirectResponse(address, status_code=303, headers={"cache-control": "no-store"})

    def download(self, content: bytes, name: str, media_type: str) -> Response:
        """Answer with a file that the browser saves.

        Parameters
        ----------
        name
            Plain: letters, digits, dots and hyphens.
        """
        headers = {**PAGE_HEADERS, "content-disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=media_type, headers=headers)
