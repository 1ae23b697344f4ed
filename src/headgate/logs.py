"""How Headgate's processes log: lines for people, or JSON objects for machines, one a line.

Every module logs by `logging.getLogger(__name__)`; which turn a line is about, it says by `extra`.
Nobody logs payloads, state or secrets: what a line names is where to look.

`HEADGATE_LOG_FORMAT` says the format to all processes, also to those that a process starts.
Standard library only: services that import the SDK alone log like the rest.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

VARIABLE = "HEADGATE_LOG_FORMAT"

TEXT, JSON = "text", "json"

CONTEXT = ("address", "agent", "turn", "attempt", "event_id", "trace_id", "span_id")
"""Names by which lines say what they are about, in the order that they are written in."""

Told = dict[str, Any]


def about(address: str, turn: int, attempt: int, traceparent: str, **more: Any) -> Told:
    """Return the `extra` of a line about a turn.

    >>> about("order/17", 4, 1, "")["agent"]
    'order'
    """
    told: Told = {"address": address, "agent": address.partition("/")[0]}
    told |= {"turn": turn, "attempt": attempt, **more}
    parts = traceparent.split("-")
    if len(parts) >= 4:
        told |= {"trace_id": parts[1], "span_id": parts[2]}
    return told


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, `CONTEXT`, error and stack."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; never raises for what a record holds."""
        at = datetime.fromtimestamp(record.created, UTC)
        told: Told = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        told |= {
            name: value for name in CONTEXT if (value := getattr(record, name, None)) is not None
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__
            told["stack"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # Of some library: its arguments do not fit its text.
        return f"{record.msg} {record.args}"


def chosen() -> str:
    """Return the format that the environment names: `text` unless it says `json`."""
    return JSON if os.environ.get(VARIABLE, "").strip().lower() == JSON else TEXT


def configure(log_format: str) -> None:
    """Log so from now on, and let processes that are started from here do the same.

    text leaves logging as Python has it: warnings on standard error. json puts one handler at the
    root, in place of those that are there, at INFO for Headgate and WARNING for all others.
    """
    os.environ[VARIABLE] = log_format
    if log_format != JSON:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("headgate").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


def configure_by_environment() -> None:
    """Log as `HEADGATE_LOG_FORMAT` says, if it says json: for programs without an option."""
    if chosen() == JSON:
        configure(JSON)
