"""The log of web functions: JSON, what the platform tells of an environment beside what its server writes.

https://docs.aws.amazon.com/lambda/latest/dg/web-functions-logging.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.api import lambda_web as api
from cumulet.services.lambda_.model import iso

_SYSTEM = {"DEBUG": 0, "INFO": 1, "WARN": 2}
_APPLICATION = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4, "FATAL": 5}


class WebStyle:
    """Which lines are logged, and in which form: a log stream's style."""

    json = True

    def __init__(self, logging: api.LoggingConfig) -> None:
        self.group = logging.log_group or ""
        self.level = logging.application_log_level or "INFO"
        self._system = _SYSTEM[logging.system_log_level or "INFO"]
        self._application = _APPLICATION[self.level]

    @property
    def debug(self) -> bool:
        """Whether every request is told of."""
        return self._system == 0

    def shows(self, line: bytes) -> bool:
        """Whether a line that the server wrote is logged: one that is a JSON object with a level may be too low."""
        if self._application == 0 or not line.startswith(b"{"):
            return True
        try:
            fields = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return True
        level = fields.get("level")
        return not isinstance(level, str) or _APPLICATION.get(level.upper(), 5) >= self._application

    def platform(self, now: float, level: str, kind: str, record: Mapping[str, Any]) -> str:
        """A line of the platform; empty where it is too low."""
        if _SYSTEM[level] < self._system:
            return ""
        line = {"timestamp": iso(now), "level": level, "type": kind, "record": record}
        return msgspec.json.encode(line).decode() + "\n"
