"""Container images: the file systems that functions packaged as images run in."""

from collections.abc import Sequence
from pathlib import Path


def image_unpacker() -> Sequence[str]:
    """What a Python runs, with an order as `unpack.main` takes it behind, to unpack an image."""
    return (str(Path(__file__).parent.parent / "sandbox" / "launch.py"), "images.unpack")
