"""Archives of sources; the same sources give the same bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_FILES = Path(__file__).parent / "files"
_WHEN = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


def runtime(name: str) -> str:
    """A file that is the same in the clients of all APIs."""
    return (_FILES / name).read_text(encoding="utf-8")


def packed(files: dict[str, str]) -> bytes:
    """Files by path, as a ZIP archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _MODE
            archive.writestr(entry, text)
    return target.getvalue()
