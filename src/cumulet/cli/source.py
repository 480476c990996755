"""A folder of source code as a deployment package, and what a function made of it would be."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cumulet.cli.errors import CliError

IGNORED = frozenset(
    {".aws-sam", ".git", ".hg", ".idea", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".serverless", ".venv"}
    | {".vscode", "__pycache__", "cdk.out", "venv"}
)
"""Folders that are never a function's code."""
_IGNORED_ENDINGS = (".pyc", ".swp", "~")
_PYTHON = ("lambda_function.py", "index.py", "app.py", "main.py", "handler.py")
_NODE = ("index.mjs", "index.js", "index.cjs", "app.mjs", "app.js", "handler.mjs", "handler.js")
_PYTHON_HANDLER = re.compile(r"^def (lambda_handler|handler)\(", re.MULTILINE)
_NODE_HANDLER = re.compile(r"\bexports?\b[^\n]*?\b(handler|lambdaHandler)\b")
_MOMENT = (1980, 1, 1, 0, 0, 0)


class Package(NamedTuple):
    """A zip in memory, and how many files are in it."""

    content: bytes
    files: int


class Kind(NamedTuple):
    """What runs the code, and where in it the function begins."""

    runtime: str
    handler: str


def pack(folder: Path) -> Package:
    """Zip a folder, quickly: nothing is compressed. Equal content gives an equal package. Raises CliError when it is empty."""
    out = io.BytesIO()
    files = 0
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(_files(folder)):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _MOMENT)
            info.external_attr = (0o100755 if path.stat().st_mode & 0o111 else 0o100644) << 16
            archive.writestr(info, path.read_bytes())
            files += 1
    if not files:
        raise CliError(f"There is no file in {folder} to deploy.")
    return Package(out.getvalue(), files)


def matters(path: str | Path) -> bool:
    """Whether a changed file changes the function."""
    path = Path(path)
    return not IGNORED.intersection(path.parts) and not path.name.endswith(_IGNORED_ENDINGS)


def guess(folder: Path, runtimes: Iterable[str]) -> Kind:
    """What the folder holds, of what the node can run. Raises CliError when it cannot be told."""
    runtimes = list(runtimes)
    for names, pattern, family in ((_PYTHON, _PYTHON_HANDLER, "python"), (_NODE, _NODE_HANDLER, "nodejs")):
        runtime = _newest(family, runtimes)
        for name in names if runtime else ():
            file = folder / name
            if file.is_file() and (found := pattern.search(file.read_text(errors="replace"))):
                return Kind(runtime, f"{file.stem}.{found[1]}")
    if (folder / "bootstrap").is_file():
        return Kind("provided.al2023", "bootstrap")
    raise CliError(
        f"No handler was found in {folder}: name it, for example --runtime python3.12 --handler app.handler."
    )


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if not matters(path.name):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _newest(family: str, runtimes: Iterable[str]) -> str:
    found = [name for name in runtimes if name.startswith(family)]
    return max(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], default="")
