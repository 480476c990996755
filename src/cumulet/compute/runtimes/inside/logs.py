"""What functions write: their standard output, and the `logging` set-up that Lambda gives them."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

JOINED = "\x1e"
"""Stands for a line's end within one message, so that a traceback stays one event; the platform puts it back."""

_LEVELS = {"TRACE": 10, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
_PLAIN = logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys() | {
    "aws_request_id",
    "tenant_id",
    "message",
    "asctime",
}


class Output:
    """The function's log, as a place to write whole messages to."""

    def __init__(self) -> None:
        self._text = io.TextIOWrapper(
            os.fdopen(1, "wb", closefd=False), encoding="utf-8", errors="replace", line_buffering=True
        )
        self.request_id = ""
        self.json = False
        self.tenant_id: str | None = None
        sys.stdout = self._text
        sys.stderr = io.TextIOWrapper(
            os.fdopen(2, "wb", closefd=False), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        self._error_text = sys.stderr

    def message(self, text: str) -> None:
        """Write one message that may have several lines."""
        self._text.write(text.rstrip("\n").replace("\n", JOINED) + "\n")

    def fault(self, document: bytes, text: str) -> None:
        """Write what went wrong, of which the document is what a caller sees."""
        if self.json:
            start = json.dumps({"timestamp": _timestamp(time.time()), "level": "ERROR"})
            self.message(f"{start[:-1]}, {document.decode()[1:]}")
        else:
            self.message(text)

    def flush(self) -> None:
        if sys.stdout is not self._text:  # the function has put another in its place, which may write to this one
            _flush(sys.stdout)
        _flush(self._text)
        _flush(self._error_text)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        return  # the function closed or replaced it


class _Handler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.message(self.format(record))


class _Marks(logging.Filter):
    """Says on every record which invocation it belongs to."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self._output.request_id
        record.tenant_id = self._output.tenant_id
        return True


class _JsonFormatter(logging.Formatter):
    """Lambda's advanced logging format: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html."""

    def format(self, record: logging.LogRecord) -> str:
        level = min(50, max(0, record.levelno)) // 10 * 10
        structured = isinstance(record.msg, dict) and not record.args
        kind, error, trace = record.exc_info or (None, None, None)
        document = {
            "timestamp": _timestamp(record.created),
            "level": logging.getLevelName(level),
            "message": record.msg if structured else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if kind else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(error) if kind else None,
            "requestId": record.__dict__.get("aws_request_id"),
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if kind else None,
            "tenantId": record.__dict__.get("tenant_id"),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _PLAIN and name not in document}
        shown = {name: value for name, value in {**document, **extra}.items() if value is not None}
        return json.dumps(shown, default=str, ensure_ascii=False)


def _timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


_ahead: Output | None = None


def make_ahead() -> None:
    """In a zygote: what all environments forked from it would make, while there is nobody to wait for it."""
    global _ahead  # noqa: PLW0603 - a zygote has one, as a process has one standard output
    reading, writing = os.pipe()  # an environment's output is one, and a stream remembers whether it can seek
    usual = [os.dup(fd) for fd in (1, 2)]
    for fd in (1, 2):
        os.dup2(writing, fd)
    _ahead = Output()
    _handle(_ahead, _plain_formatter())
    for fd, kept in zip((1, 2), usual):
        os.dup2(kept, fd)
    for fd in (reading, writing, *usual):
        os.close(fd)


def of_function() -> Output:
    """The output of this process, once."""
    return _ahead or Output()


def set_up_logging(output: Output) -> None:
    """Give the root logger Lambda's handler, in the format and level the function is configured with."""
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        output.json = True
        _handle(output, _JsonFormatter())
    elif output is not _ahead:
        _handle(output, _plain_formatter())
    level = _LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper())
    if level is not None:
        logging.getLogger().setLevel(level)


def _handle(output: Output, formatter: logging.Formatter) -> None:
    handler = _Handler(output)
    handler.addFilter(_Marks(output))
    handler.setFormatter(formatter)
    logging.getLogger().handlers[:] = [handler]


def _plain_formatter() -> logging.Formatter:
    layout = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(layout, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter
