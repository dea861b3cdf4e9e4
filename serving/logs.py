"""Structured logs: one JSON object a line, with the request's id, and never a body or a value of a patient.

Our own records are events: a fixed word and coded fields (``log.info("refused", extra={"refusal": "out_of_range at
patient.albumin_g_per_dl"})``). Of other libraries' records only the logger, the level, the place in the code and the
exception's type are written: their texts and tracebacks may hold what was sent.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "oncorespond"

TOLD_FIELDS = (
    "request_id",
    "refusal",
    "fault",
    "route",
    "method",
    "status",
    "milliseconds",
    "caller",
    "model",
    "digest",
    "before",
    "count",
)
"""Fields that a record of ours may carry; others are left out, so that a new field is a decision made here."""

LONGEST = 300
"""Characters of one field."""

MOST_FRAMES = 12

SAID_BY_US = ("uvicorn.access", "bentoml.access", "httpx", "httpx2")
"""Loggers that would say once more, and without what matters, that a request was answered."""

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Of the request that this task answers."""


class JsonFormatter(logging.Formatter):
    """Writes records as JSON lines; see the module for what of them.

    Examples
    --------
    >>> record = logging.makeLogRecord({"name": "oncorespond.serving", "levelname": "INFO", "msg": "answered",
    ...                                 "status": 200, "body": "age 63"})
    >>> found = json.loads(JsonFormatter().format(record))
    >>> found["event"], found["status"], "body" in found
    ('answered', 200, False)
    >>> record = logging.makeLogRecord({"name": "other", "levelname": "ERROR", "msg": "bad input age=63"})
    >>> "age=63" in JsonFormatter().format(record)
    False
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        ours = record.name == OURS or record.name.startswith(OURS + ".")
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": request_id.get(),
        }
        if ours:
            found["event"] = record.getMessage()[:LONGEST]
            found.update((name, _told(getattr(record, name))) for name in TOLD_FIELDS if hasattr(record, name))
        else:
            found["at"] = f"{PurePath(record.pathname).name}:{record.lineno}"
        if record.exc_info and record.exc_info[0] is not None:
            found["exception"] = record.exc_info[0].__name__
            if isinstance(record.exc_info[1], Refusal):
                found["refusal"] = record.exc_info[1].log_text()
            found["frames"] = list(_frames(record.exc_info[2]))[-MOST_FRAMES:]
        return json.dumps(found, ensure_ascii=False)


def log_as_json(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log record of the process through :class:`JsonFormatter`; for the service's workers.

    Handlers that libraries put on their own loggers are taken away, since they write what they are given.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    for name in SAID_BY_US:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _told(value: object) -> object:
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)[:LONGEST]


def _frames(traceback: Any) -> Iterator[str]:
    """Return where an exception came by, without source lines: they may hold literals, and messages hold values."""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f"{PurePath(code.co_filename).name}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next
