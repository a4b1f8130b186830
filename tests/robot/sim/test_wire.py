from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput, Missing
from robot.sim import wire


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    far.settimeout(2.0)
    with near, far:
        yield near, far


def test_a_message_arrives_as_it_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    picture = bytes(range(256)) * 6000
    sending = threading.Thread(target=wire.send, args=(near, {"op": "frame", "n": 3}, picture[:1000], picture[1000:]))
    sending.start()
    message = wire.receive(far)
    sending.join()
    assert message.head == {"op": "frame", "n": 3}
    assert message.body == picture


@given(
    messages=st.lists(st.tuples(st.dictionaries(st.text(), st.integers()), st.binary(max_size=300)), max_size=8),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=20),
)
@settings(max_examples=40)
def test_an_inbox_finds_the_messages_however_they_are_cut(
    messages: list[tuple[dict[str, int], bytes]], cuts: list[int]
) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with near, far:
        data = b"".join(wire.pack(head, body) for head, body in messages)
        inbox, found, at, turn = wire.Inbox(far), [], 0, 0
        while at < len(data):
            cut = cuts[turn % len(cuts)]
            near.sendall(data[at : at + cut])
            at, turn = at + cut, turn + 1
            found += [(message.head, message.body) for message in inbox.take()]
    assert found == messages


@given(data=st.binary(min_size=1, max_size=200))
def test_an_inbox_survives_what_is_no_message(data: bytes) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with near, far:
        near.sendall(data)
        near.shutdown(socket.SHUT_WR)
        with pytest.raises(wire.WireError):
            list(wire.Inbox(far).take())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "begins with b'GET '"),
        (wire.PREFIX.pack(wire.MAGIC, 1 << 31, 0), "2147483648"),
        (wire.PREFIX.pack(wire.MAGIC, 0, 1 << 31), "2147483648"),
        (wire.PREFIX.pack(wire.MAGIC, 3, 0) + b"{a}", "no JSON"),
        (wire.PREFIX.pack(wire.MAGIC, 2, 0) + b"\xff\xfe", "no JSON"),
        (wire.PREFIX.pack(wire.MAGIC, 2, 0) + b"[]", "expected an object"),
        (wire.pack({"op": "state"}, b"1234")[:-1], "is gone"),
    ],
)
def test_what_is_no_message_is_named(pair: tuple[socket.socket, socket.socket], data: bytes, sentence: str) -> None:
    near, far = pair
    near.sendall(data)
    near.shutdown(socket.SHUT_WR)
    with pytest.raises(wire.WireError, match=sentence):
        wire.receive(far)


def test_an_outbox_leaves_out_what_a_slow_reader_has_no_room_for(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    outbox = wire.Outbox(near)
    sent = [number for number in range(20_000) if outbox.offer(wire.pack({"n": number}, bytes(100)))]
    assert 0 < len(sent) < 20_000
    inbox = wire.Inbox(far)
    got = [message.head["n"] for _ in range(100) for message in inbox.take()]
    assert outbox.offer(wire.pack({"n": -1})), "there is room again"
    got += [message.head["n"] for _ in range(3) for message in inbox.take()]
    assert got == [*sent, -1], "whole messages, in order"


def test_an_outbox_notices_that_its_reader_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    outbox = wire.Outbox(near)
    far.close()
    with pytest.raises(wire.WireError, match="gone"):
        outbox.offer(wire.pack({"n": 1}))


@pytest.mark.parametrize(("kind", "error"), [("BadInput", BadInput), ("Missing", Missing)])
def test_a_refusal_is_raised_where_it_was_asked(
    pair: tuple[socket.socket, socket.socket], kind: str, error: type[Exception]
) -> None:
    near, far = pair
    far.sendall(wire.pack(wire.refusal(error("seed is -1: expected >= 0"))))
    near.settimeout(2.0)
    with pytest.raises(error, match="seed is -1"):
        wire.request(near, {"op": "reset"})
    assert json.loads(far.recv(1000)[wire.PREFIX.size :]) == {"op": "reset"}


def test_a_path_is_served_once_and_only_to_this_user(tmp_path: Path) -> None:
    path = tmp_path / "world"
    with wire.listen(path):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(BadInput, match="another process serves it"):
            wire.listen(path)
    wire.listen(path).close()  # what a killed process left there is replaced
    with pytest.raises(BadInput, match="expected at most 106"):
        wire.listen(tmp_path / ("w" * 107))
    with pytest.raises(BadInput, match="choose a folder that exists"):
        wire.listen(tmp_path / "absent" / "world")
    with pytest.raises(Missing, match="no simulated world answers"):
        wire.connect(tmp_path / "nobody", {"op": "hello"}, 1.0)


def test_a_path_that_is_there_is_served(tmp_path: Path) -> None:
    """Who waits for a path connects as soon as it is there."""
    refused: list[int] = []

    def connect_when_there(path: Path) -> None:
        while not path.exists():
            pass
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            refused.append(client.connect_ex(str(path)))

    for number in range(50):
        path = tmp_path / str(number)
        waiting = threading.Thread(target=connect_when_there, args=(path,))
        waiting.start()
        with wire.listen(path):
            waiting.join(5.0)
    assert refused == [0] * 50
