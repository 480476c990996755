"""Names inside sandboxes: AWS's are the platform's; others are asked of this machine's name servers, within bounds."""

import asyncio
import shutil
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compute.conftest import Machine, make_machine

from cumulet.compute import dns, names
from cumulet.compute.linux.firewall import PLATFORM

_FUNCTION = """
import socket, struct

def handler(event, context):
    if "bytes" in event:
        asked = bytes.fromhex(event["bytes"])
        if event.get("stream"):
            with socket.create_connection(("169.254.0.2", 53), 40) as asking:
                asking.sendall(struct.pack("!H", len(asked)) + asked)
                return asking.recv(1000)[2:].hex()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(40)
            asking.sendto(asked, ("169.254.0.2", 53))
            return asking.recv(1000).hex()
    if "port" in event:
        with socket.create_connection((event["name"], event["port"]), 40) as connection:
            connection.sendall(b"hello\\n")
            return connection.recv(100).decode()
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(event["name"], 80)})
    except socket.gaierror as error:
        return error.errno
"""


def _query(name: str, type_: int = 1, id_: int = 7) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", id_, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", type_, 1)


@pytest.fixture(scope="module", params=["full", "without a way out", "rootless"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    if request.param == "full" and shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip("needs nft: install nftables")
    config: dict[str, Any] = {"tool_path": ""} if request.param == "without a way out" else {}
    with make_machine("rootless" if request.param == "rootless" else "full", **config) as made:
        yield made


@pytest.fixture(scope="module")
def function(machine: Machine) -> dict[str, Any]:
    return machine.function(_FUNCTION)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("sqs.us-east-1.amazonaws.com", PLATFORM),
        ("bucket.with.dots.s3.eu-west-1.amazonaws.com", PLATFORM),
        ("Abc.Lambda-URL.us-east-1.on.aws", PLATFORM),
        ("abc.lambda-url.us-east-1.localhost", "127.0.0.1"),
        ("s3.localhost.localstack.cloud", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
    ],
)
def test_the_platforms_names_lead_to_it(machine: Machine, function: dict[str, Any], name: str, address: str) -> None:
    assert address in machine.result(function, {"name": name})


def test_the_endpoint_answers_there(machine: Machine, function: dict[str, Any]) -> None:
    assert machine.result(function, {"name": "sqs.us-east-1.amazonaws.com", "port": 80}) == "shared"
    own = machine.result(function, {"name": "a.us-east-1.localhost", "port": 4566})
    assert own in {one["id"] for one in machine.ask("environments")}


@pytest.mark.parametrize("stream", [False, True])
def test_there_is_no_other_address_of_those_names(machine: Machine, function: dict[str, Any], stream: bool) -> None:
    asked = _query("s3.amazonaws.com", 28)
    answer = bytes.fromhex(machine.result(function, {"bytes": asked.hex(), "stream": stream}))
    assert struct.unpack_from("!HHHHHH", answer) == (7, 0x8580, 1, 0, 0, 0)
    assert answer[12:] == asked[12:]


def test_without_a_way_out_other_names_are_not_found() -> None:
    with make_machine("full", tool_path="") as machine:
        function = machine.function(_FUNCTION)
        assert machine.result(function, {"name": "example.com"}) == socket.EAI_NONAME


class _Server:
    """A name server on the loopback that answers every question with 192.0.2.1, when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.heard: list[tuple[bytes, Any]] = []
        monkeypatch.setattr(names, "_PORT", self.sock.getsockname()[1])
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.sock.fileno(), self._hear)

    def _hear(self) -> None:
        self.heard.append(self.sock.recvfrom(4096))
        self._more.set()

    def answer(self, message: bytes, address: Any, found: str = "192.0.2.1") -> None:
        asked = dns.question(message)
        assert asked is not None
        self.sock.sendto(dns.response(asked, [found]), address)

    async def hears(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.heard) < count:
                self._more.clear()
                await self._more.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.sock.fileno())
        self.sock.close()


def _served(servers: list[str]) -> tuple[names.Names, names.Serving, Any]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    streams = socket.create_server(("127.0.0.1", 0))
    address = datagrams.getsockname()
    answering = names.Names(servers)
    return answering, answering.serve(datagrams, streams), address


async def _ask(address: Any, *questions: bytes) -> list[bytes]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect(address)
        for one in questions:
            asking.send(one)
        async with asyncio.timeout(60):
            return [await loop.sock_recv(asking, 4096) for _ in questions]


def test_other_names_are_asked_of_the_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        server = _Server(monkeypatch)
        answering, serving, address = _served(["127.0.0.1"])
        asking = asyncio.ensure_future(_ask(address, _query("example.com")))
        await server.hears(1)
        message, who = server.heard[0]
        other = _query("elsewhere.com", id_=int.from_bytes(message[:2], "big"))
        server.answer(other, who, "192.0.2.66")  # not what was asked
        server.answer(dns.with_id(message, message[0] ^ 1), who, "192.0.2.66")  # nor asked so
        server.answer(message, who)
        answer = (await asking)[0]
        assert answer[:2] == b"\0\7"
        assert answer.endswith(socket.inet_aton("192.0.2.1"))
        serving.close()
        answering.close()
        server.close()

    asyncio.run(scenario())


def test_what_one_sandbox_asks_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        server = _Server(monkeypatch)
        answering, serving, address = _served(["127.0.0.1"])
        questions = [_query(f"n{number}.example.com", id_=number) for number in range(40)]
        asking = asyncio.ensure_future(_ask(address, *questions))
        await server.hears(32)
        await asyncio.sleep(0.05)
        assert len(server.heard) == 32
        for message, who in server.heard:
            server.answer(message, who)
        codes = [answer[3] & 15 for answer in await asking]
        assert sorted(codes) == [0] * 32 + [dns.SERVER_FAILURE] * 8
        serving.close()
        answering.close()
        server.close()

    asyncio.run(scenario())


@given(st.binary(max_size=300))
def test_anything_can_be_read(message: bytes) -> None:
    asked = dns.question(message)
    if asked is not None:
        assert len(dns.response(asked, ["192.0.2.1"])) <= len(message) + 16


@given(st.integers(0, 40))
def test_a_cut_question_is_none(length: int) -> None:
    assert dns.question(_query("sqs.us-east-1.amazonaws.com")[:length]) is None


@pytest.mark.parametrize("name", ["notamazonaws.com", "amazonaws.com.example.org", "example.com", "xlocalhost", ""])
def test_names_of_others_are_not_taken(name: str) -> None:
    asked = dns.question(_query(name) if name else struct.pack("!HHHHHHBHH", 7, 0x0100, 1, 0, 0, 0, 0, 1, 1))
    assert asked is not None
    assert names.own_answer(asked) is None
