"""_X_AMZN_TRACE_ID, the variable that is another with every invocation."""

from __future__ import annotations

import ctypes
import os

_NAME = "_X_AMZN_TRACE_ID"
_KEY = _NAME.encode()
_text = ctypes.create_string_buffer(4096)
_putenv = ctypes.CDLL(None).putenv
_variables = os.environ
_value = b""


def set_trace(header: str) -> None:
    """Give it to Python, to libraries and to programs that the function starts.

    Setting a variable has the C library keep its text for good, and search all those it has kept: an environment would
    grow with every invocation, and each would take longer. The text of this one is a place of its own, written over.
    """
    global _value  # noqa: PLW0603 - a process has one environment
    value = header.encode()
    text = b"%b=%b" % (_KEY, value)
    if os.environ is not _variables or len(text) >= len(_text):  # another is in its place, or there is no room
        os.environ[_NAME] = header
        return
    known = _variables._data  # type: ignore[attr-defined]  # by its name, the C library would set it, too
    _text.value = text
    if known.get(_KEY) is not _value:  # the first one, or the function has changed it
        _putenv(_text)
    known[_KEY] = _value = value
