"""Who listens on a port of this machine: Linux's /proc, as far as this user may look."""

from pathlib import Path

_LISTENING = "0A"


def holder(port: int) -> str | None:
    """`4711 (name)` of a process that listens on the TCP port; None when it cannot be seen."""
    sockets = {
        f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listeners(Path("/proc/net") / table, port)
    }
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(descriptor.readlink()) in sockets for descriptor in (process / "fd").iterdir()):
                return f"{process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue  # another user's process, or one that has just ended
    return None


def _listeners(table: Path, port: int) -> list[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        columns = line.split()
        if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
            found.append(columns[9])
    return found
