"""Programs with a file system of their own, at each level: what they can write, what is kept of it, what they cannot reach."""

import itertools
import os
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compute.conftest import NOBODY, ROOT, Machine
from tests.compute.test_isolation import ATTACKS, ROOTLESS_OWNS, TOOLS

from cumulet.services.lambda_.microvms import skeleton

_keys = itertools.count()


@pytest.fixture(scope="module")
def base(machine: Machine) -> Iterator[Path]:
    """The layer in which everything can be written to, made once, of the user whose node it is."""
    with tempfile.TemporaryDirectory(prefix="cumulet-test-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "base"
        skeleton.make(place, None)
        for path, _, _ in os.walk(place):
            _give(machine, Path(path))
        yield place


def _give(machine: Machine, place: Path) -> None:
    if machine.level == "rootless" and ROOT:
        os.chown(place, NOBODY, NOBODY)


def boot(
    machine: Machine, base: Path, code: str, *layers: Path, disk_mb: int = 64, **more: Any
) -> tuple[Any, list[str]]:
    """How a Python program ended, and what it wrote."""
    key = f"m{next(_keys)}"
    spec = {
        "key": key,
        "runtime": "",
        "handler": "",
        "code": str(base),
        "memory_mb": 256,
        "environment": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
        "machine": {
            "layers": [*map(str, layers), str(base)],
            "argv": ["python3", "-c", textwrap.dedent(code)],
            "disk_mb": disk_mb,
        },
    }
    told = machine.ask("boot", spec=spec, **more)
    return told, machine.ask("lines", key=key)


def _place(machine: Machine, name: str) -> Path:
    place = machine.folder / f"{name}-{next(_keys)}"
    place.mkdir()
    _give(machine, place)
    return place


def test_what_it_writes_can_be_another_ones_layer(machine: Machine, base: Path) -> None:
    layer = _place(machine, "layer")
    writing = """
        import os
        os.makedirs("/app/below")
        for name in ("/app/one", "/app/below/two", "/usr/local/lib/three", "/tmp/not"):
            with open(name, "w") as file:
                file.write(name)
        os.symlink("/etc/shadow", "/app/link")
        os.mkfifo("/app/pipe")
        os.chmod("/app/one", 0o4755)
    """
    told, lines = boot(machine, base, writing, capture=str(layer), limit=1 << 20)
    assert (told["how"], lines) == ("exit status 0", [])
    assert told["size"] == len("/app/one" + "/app/below/two" + "/usr/local/lib/three")
    found = {str(path.relative_to(layer)) for path in layer.rglob("*") if not path.is_dir() or path.is_symlink()}
    assert found == {"app/one", "app/below/two", "app/link", "usr/local/lib/three"}
    assert (layer / "app/one").stat().st_mode & 0o7777 == 0o777
    reading = """
        import os
        with open("/app/one", "a") as file:
            file.write("!")
        print(open("/app/one").read(), open("/usr/local/lib/three").read(), os.path.exists("/tmp/not"))
        os.unlink("/app/below/two")
        os.rmdir("/app/below")
    """
    second = _place(machine, "layer")
    told, lines = boot(machine, base, reading, layer, capture=str(second), limit=1 << 20)
    assert lines == ["/app/one! /usr/local/lib/three False"]
    assert (layer / "app/one").read_text() == "/app/one"
    _, lines = boot(machine, base, "import os; print(sorted(os.listdir('/app')))", second, layer)
    assert lines == ["['link', 'one']"]


def test_what_is_too_much_is_not_copied(machine: Machine, base: Path) -> None:
    for code, why in (
        ("open('/app/large', 'w').truncate(1 << 40)", "larger than"),
        ("import os\nfor _ in range(150): os.mkdir('d'); os.chdir('d')", "nested too deeply"),
    ):
        told, _ = boot(machine, base, code, capture=str(_place(machine, "layer")), limit=1 << 20)
        assert why in told["unavailable"]


def test_it_is_confined_as_functions_are(machine: Machine, base: Path) -> None:
    trying = f"""
        import ctypes, os, socket
        libc = ctypes.CDLL(None, use_errno=True)

        def refused(what):
            try:
                what()
            except OSError:
                return True
            return False

        print([name for name in os.listdir("/") if name in ("work", "boot", "sys_real", "lost+found")])
        print(os.path.exists({str(machine.folder)!r}), os.path.exists({str(base)!r}))
        print(refused(lambda: open("/etc/shadow")), refused(lambda: open("/usr/bin/env", "a")))
        print(refused(lambda: os.mknod("/app/device", 0o20666, os.makedev(1, 1))))
        print(libc.mount(b"none", b"/app", b"tmpfs", 0, None), libc.unshare(0x20000), libc.chroot(b"/app"))
        print([line for line in open("/proc/self/status") if line.startswith("CapEff")][0].split()[1].strip("0"))
        print(refused(lambda: os.kill(1, 9)) or os.getpid() != 1)
    """
    told, lines = boot(machine, base, trying)
    assert told["how"] == "exit status 0", lines
    assert lines == ["[]", "False False", "True True", "True", "-1 -1 -1", "", "True"]


_ITS_OWN = frozenset(
    {"write to the root", "write to the code", "new file in the code", "write to a layer", "write to /usr"}
)
_ITS_OWN |= frozenset({"home folders", "write to /etc"})
"""What a function may not, and a machine may: these are files of its own."""


def test_it_is_refused_what_functions_are(machine: Machine, base: Path) -> None:
    attacks = {name: code for name, code in ATTACKS.items() if name not in _ITS_OWN}
    if machine.level == "rootless":
        attacks = {name: code for name, code in attacks.items() if name not in ROOTLESS_OWNS}
    trying = f"""
{TOOLS}
for name, code in {attacks!r}.items():
    print(name + ": " + handler({{"code": code}}, None), flush=True)
"""
    told, lines = boot(machine, base, trying)
    assert told["how"] == "exit status 0", lines
    assert len(lines) == len(attacks)
    assert [line for line in lines if ": denied: " not in line] == []


def test_it_finds_no_other_machine(machine: Machine, base: Path) -> None:
    trying = """
        import os
        print(os.listdir("/var/task"), sorted(int(name) for name in os.listdir("/proc") if name.isdigit()))
        print(sorted(os.readlink("/proc/self/fd/" + fd).split(":")[0] for fd in ("0", "1", "2")))
    """
    _, lines = boot(machine, base, trying)
    assert lines == ["[] [1, 2]", "['/dev/null', 'pipe', 'pipe']"]


def test_its_disk_ends_somewhere(machine: Machine, base: Path) -> None:
    filling = """
        try:
            with open("/app/large", "wb") as file:
                for _ in range(200):
                    file.write(bytes(1 << 20))
            print("there was no end")
        except OSError as error:
            print(error.strerror)
    """
    told, lines = boot(machine, base, filling)
    assert lines == ["No space left on device"] or told["how"] == "out of memory"


def test_frozen_it_does_nothing(machine: Machine, base: Path) -> None:
    if machine.level == "rootless":
        pytest.skip("rootless: this test's user has no control group that freezes")
    ticking = "import time\nwhile True: print('tick', flush=True); time.sleep(0.01)"
    told, _ = boot(machine, base, ticking, frozen=1.0)
    assert (told["stopped"], told["goes on"]) == (True, True)


def test_a_program_that_is_not_there(machine: Machine, base: Path) -> None:
    spec = {
        "key": "nothing",
        "runtime": "",
        "handler": "",
        "code": str(base),
        "machine": {"layers": [str(base)], "argv": ["/no/such"], "disk_mb": 64},
    }
    assert "no such file" in machine.ask("boot", spec=spec)["how"]
