"""The chat room: several clients hear each other, whoever comes and however they go; and the page in a browser."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.journeys.browser import page
from tests.journeys.examples import ACCOUNT, deploy
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

Enter = Callable[[str], ClientConnection]


class Room:
    """The deployed example."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.page, self.url = deploy(node, "chat").splitlines()

    def enter(self, name: str) -> Any:
        """A client's connection: to the room's host, whether or not this machine resolves it."""
        there = urlsplit(self.node.endpoint)
        host = urlsplit(self.url).hostname
        line = socket.create_connection((there.hostname or "", there.port or 0), timeout=60)
        url = f"ws://{host}:{there.port}/live?name={quote(name)}"
        return connect(url, sock=line, proxy=None, open_timeout=60, close_timeout=60)

    def names(self) -> list[str]:
        """Who is in the table."""
        found = self.node.client("dynamodb", ACCOUNT).scan(TableName="chat", ConsistentRead=True)["Items"]
        return sorted(item["name"]["S"] for item in found)


@pytest.fixture
def room(strict: Any) -> Room:
    return Room(strict)


@pytest.fixture
def enter(room: Room) -> Iterator[Enter]:
    """Connections that are closed in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(room.enter(name))


def heard(client: ClientConnection) -> Any:
    return json.loads(client.recv(90))


def say(client: ClientConnection, text: Any) -> None:
    client.send(json.dumps({"action": "sendmessage", "text": text}))


def test_everybody_hears_everybody(room: Room, enter: Enter) -> None:
    strangers(room, enter)
    people: dict[str, ClientConnection] = {}
    for number in range(8):
        name = f"person_{number}"
        entered = enter(name)
        for other in people.values():
            assert heard(other) == {"joined": name}
        people[name] = entered
    assert room.names() == sorted(people)
    for name, client in people.items():
        say(client, f"I am {name} \N{WAVING HAND SIGN}")
    expected = sorted((name, f"I am {name} \N{WAVING HAND SIGN}") for name in people)
    for client in people.values():
        messages = [heard(client) for _ in people]
        assert sorted((message["from"], message["text"]) for message in messages) == expected

    first, second, *others = people.values()
    for bad in ("no JSON", '{"action": "dance"}', '{"text": "hello"}'):
        first.send(bad)
        assert heard(first)["error"].startswith("Send {")
    for text in ("", "x" * 1001, 7, None):
        say(first, text)
        assert heard(first) == {"error": "A text has 1 to 1000 characters."}
    second.close()
    others[0].socket.shutdown(socket.SHUT_RDWR)  # without a word
    assert sorted(heard(first)["left"] for _ in range(2)) == ["person_1", "person_2"]
    say(first, "Still here?")
    for client in (first, *others[1:]):
        while "text" not in (message := heard(client)):
            assert "left" in message
        assert message == {"from": "person_0", "text": "Still here?"}
    assert room.names() == sorted(set(people) - {"person_1", "person_2"})


def strangers(room: Room, enter: Enter) -> None:
    """Who has no proper name is not let in."""
    for name in ("", "a b", "x" * 21, "<b>"):
        with pytest.raises(InvalidStatus) as caught:
            enter(name)
        assert caught.value.response.status_code == 400
        assert b"Connect with ?name=" in (caught.value.response.body or b"")
    assert room.names() == []


def test_those_whom_a_killed_node_forgot_leave_the_room(room: Room, enter: Enter) -> None:
    ann = enter("ann")
    enter("ben")
    assert heard(ann) == {"joined": "ben"}
    room.node.kill()
    with pytest.raises(ConnectionClosed):
        ann.recv(90)
    room.node.start()
    assert room.names() == ["ann", "ben"]
    cleo = enter("cleo")
    say(cleo, "Anybody here?")
    assert heard(cleo) == {"from": "cleo", "text": "Anybody here?"}
    assert room.names() == ["cleo"]


def test_the_page_in_a_browser(room: Room, enter: Enter, tmp_path: Path) -> None:
    ben = enter("ben")
    with page(tmp_path) as browser:
        browser.visit(f"{room.page}?name=ann")
        assert heard(ben) == {"joined": "ann"}
        browser.wait_for("document.getElementById('said')?.innerText.includes('You are in, ann.')")
        say(ben, "Hello <b>Ann</b>")
        assert "text" in heard(ben)
        browser.wait_for("document.getElementById('said').innerText.includes('ben: Hello <b>Ann</b>')")
        browser.evaluate("document.getElementById('text').value = 'Hello Ben'")
        browser.evaluate("document.querySelector('button').click()")
        assert heard(ben) == {"from": "ann", "text": "Hello Ben"}
        browser.wait_for("document.getElementById('said').innerText.includes('ann: Hello Ben')")
    assert heard(ben) == {"left": "ann"}
