"""Builds the function's package: its source and the locked Pillow for its Python, as one zip file."""

import hashlib
import io
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent


def build(version: str, cache: Path) -> bytes:
    """The package for Python `version` (`3.12`). Pillow is downloaded once for each version, into `cache`."""
    requirements = HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    libraries = cache / f"python{version}-{platform.machine()}-{digest}"
    if not libraries.exists():
        _install(version, requirements, libraries)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        package.write(HERE / "app.py", "app.py")
        for file in sorted(libraries.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                package.write(file, file.relative_to(libraries))
    return archive.getvalue()


def _install(version: str, requirements: Path, libraries: Path) -> None:
    partial = libraries.with_name(libraries.name + ".partial")
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"),
        *("--target", str(partial), "--only-binary=:all:", "--require-hashes", "--python-version", version),
        *("--requirement", str(requirements)),
    ]
    subprocess.run(command, check=True)
    partial.rename(libraries)
