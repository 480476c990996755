"""`python -m cumulet` is the `cumulet` command."""

import gc
import sys

from cumulet import __version__


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:  # scripts ask this; importing click would take four times as long as the answer
        sys.stdout.write(f"cumulet {__version__}\n")
        return
    if sys.argv[1:2] == ["up"]:
        # What a node imports stays: looking through it for garbage takes a seventh of its start. The node turns it on again.
        gc.disable()
    from cumulet.cli.main import main as command  # noqa: PLC0415

    command()


if __name__ == "__main__":
    main()
