"""Why a page is not shown, beside what the log and the door refuse."""

from __future__ import annotations

from typing import ClassVar

from features.errors import Refusal


class PageRequestRefused(Refusal):
    """An address or a form of the pages holds something that is not one of its values."""

    code: ClassVar[str] = "invalid_page_request"
    http_status = 422


class NoSuchPage(Refusal):
    """There is no page or file of this name."""

    code: ClassVar[str] = "no_such_page"
    http_status = 404
