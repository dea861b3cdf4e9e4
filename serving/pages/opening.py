"""Opening the pages: how a handler becomes a route, who is let in, and how a refusal looks in a browser."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from starlette.responses import FileResponse, Response  # FastAPI reads the annotations of routes

from features.errors import Refusal
from serving.errors import BodyTooLarge, WrongContentType
from serving.pages.refusals import NoSuchPage
from serving.pages.rendering import PAGE_HEADERS, STATIC, STATIC_ADDRESS, page_response, rendered
from serving.pages.state import PagesState
from serving.pages.visit import Visit
from serving.security.refusals import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from serving.security.routes import Caller
    from serving.state import ServiceState

    Handler = Callable[[Visit], Response]

log = logging.getLogger("oncorespond.pages")

ROLE: Final = "audit"
MOST_FORM_BYTES = 64 * 1024
"""Of a form; a review's note has 2,000 characters."""

FORM = "application/x-www-form-urlencoded"
MOST_PARAMETERS = 60
"""Of an address or a form."""

PAGES = (
    "serving.pages.login_page",
    "serving.pages.overview_page",
    "serving.pages.list_page",
    "serving.pages.list_export",
    "serving.pages.case_page",
    "serving.pages.sheet_page",
    "serving.pages.models_page",
    "serving.pages.explanations_page",
    "serving.pages.compare_page",
    "serving.pages.calibration_page",
    "serving.pages.integrity_page",
)
"""Modules with ``add_routes(pages)``, in the order their routes are tried."""

STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Pages:
    """Puts handlers into the application.

    Parameters
    ----------
    app, state
        The application, and what pages may ask for.
    """

    def __init__(self, app: FastAPI, state: PagesState) -> None:
        self.app = app
        self.state = state

    def get(self, path: str, handler: Handler) -> None:
        """Answer GET at a path (``/audit/predictions/{prediction_id}``) with what the handler returns."""

        async def answer(request: Request) -> Response:
            return await run_in_threadpool(self._answered, request, handler, {})

        self.app.get(path, include_in_schema=False)(answer)

    def post(self, path: str, handler: Handler) -> None:
        """Answer a form that is sent to a path; the door has checked its token."""

        async def answer(request: Request) -> Response:
            try:
                form = await _form(request)
            except Refusal as refusal:
                return refused_page(refusal, _request_id(request))
            return await run_in_threadpool(self._answered, request, handler, form)

        self.app.post(path, include_in_schema=False)(answer)

    def _answered(self, request: Request, handler: Handler, form: dict[str, str]) -> Response:
        try:
            return handler(self._visit(request, form))
        except Refusal as refusal:
            log.info("refused", extra={"refusal": refusal.log_text(), "request_id": _request_id(request)})
            return refused_page(refusal, _request_id(request))

    def _visit(self, request: Request, form: dict[str, str]) -> Visit:
        return Visit(
            state=self.state,
            path=request.url.path,
            query=request.url.query,
            caller=auditing_caller(request),
            asked=_fields(request.url.query),
            named=dict(request.path_params),
            form=form,
            request_id=_request_id(request),
        )


def add_pages(app: FastAPI, service: ServiceState) -> None:
    """Put every page into the application.

    Parameters
    ----------
    app
        Behind :class:`serving.security.middleware.SecurityMiddleware`, which says who asks and checks forms. Without
        it, nobody is known and every page is refused.
    service
        The log, the models and the door.
    """
    pages = Pages(app, PagesState.of(service))
    app.state.pages = pages.state
    service.closing.append(pages.state.close)  # what follows the log is closed before the log

    @app.get(f"{STATIC_ADDRESS}/{{name}}", include_in_schema=False)
    async def static_file(name: str) -> Response:
        path = STATIC / name
        if name not in {one.name for one in STATIC.iterdir()} or path.suffix not in STATIC_TYPES:
            return refused_page(NoSuchPage("there is no such file"), "-")
        headers = {**PAGE_HEADERS, "cache-control": "max-age=300"}
        return FileResponse(path, media_type=STATIC_TYPES[path.suffix], headers=headers)

    for name in PAGES:
        import_module(name).add_routes(pages)


def auditing_caller(request: Request) -> Caller:
    """Return who looks, once more checked here: a route that the door's table forgot stays closed.

    Raises
    ------
    Unauthenticated, Forbidden
        When nobody is known, or without the audit role.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise Unauthenticated("nobody is known by this request", cause="no_credentials")
    if ROLE not in caller.roles:
        raise Forbidden("these pages are for auditors", allowed=[f"role {ROLE}"])
    return caller


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise WrongContentType(f"content type {kind[:40]!r}", way_out=f"Send {FORM}.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            raise BodyTooLarge(f"the form is longer than {MOST_FORM_BYTES} bytes")
    return _fields(body.decode("utf-8", "replace"))


def _fields(encoded: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(encoded, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise BodyTooLarge(f"more than {MOST_PARAMETERS} parameters") from None
    return {name: value.strip() for name, value in pairs if value.strip()}


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", "-"))


def refused_page(refusal: Refusal, request_id: str) -> Response:
    """Return a refusal as a page: what is wrong, what to do, and the request's id."""
    text = rendered("refused.html", {"refusal": refusal, "request_id": request_id})
    return page_response(text, refusal.http_status)
