"""Messages between the processes of the simulated world: a short JSON head and raw bytes, over Unix domain sockets.

A message is a magic word, the lengths of head and body (little endian, 32 bits each), the head (a JSON object) and the
body. Nothing is ever executed or unpickled from it. Whoever sends what is no message gets a `WireError` raised on the
other side, which drops that connection and nothing else.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.errors import BadInput, EyehandError, Missing

PREFIX: Final = struct.Struct("<4sII")
MAGIC: Final = b"eyw1"
MAX_HEAD: Final = 1 << 16
MAX_BODY: Final = 1 << 26
# longest path of a Unix domain socket on Linux, without the zero at its end
MAX_PATH: Final = 107
# a socket that is not served yet has this behind its name
_NEW: Final = "~"
# what a request of a client can bring about that is that client's own affair
UNUSABLE: Final = (EyehandError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

# sequence, stamp [ns], joints [rad], their speeds [rad/s], gripper opening
STATE: Final = struct.Struct("<qq6d6dd")
# stamp [ns], whether a velocity, joints, gripper opening
COMMAND: Final = struct.Struct("<qq6dd")


class WireError(Exception):
    """What came is no message, or the other side is gone."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        head: What it is about; `op` names it.
        body: Raw bytes.
    """

    head: dict[str, Any]
    body: bytes | bytearray


def pack(head: Mapping[str, Any] | bytes, body: bytes = b"") -> bytes:
    """A whole message as bytes; the head may be JSON already."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return PREFIX.pack(MAGIC, len(text), len(body)) + text + body


def send(connection: socket.socket, head: Mapping[str, Any], *parts: memoryview | bytes) -> None:
    """Send one message, whose body is the parts one after the other; waits until the system has taken it.

    Raises:
        WireError: If the other side is gone, or takes nothing within the connection's timeout.
    """
    text = json.dumps(head).encode()
    try:
        connection.sendall(PREFIX.pack(MAGIC, len(text), sum(len(part) for part in parts)) + text)
        for part in parts:
            connection.sendall(part)
    except OSError as error:
        raise WireError(f"the other side is gone ({error})") from error


def receive(connection: socket.socket) -> Message:
    """Wait for one message.

    Raises:
        WireError: If what comes is no message, the other side is gone, or the connection's timeout passes.
    """
    head_size, body_size = _sizes(_exactly(connection, PREFIX.size))
    head = _head(_exactly(connection, head_size))
    return Message(head, _exactly(connection, body_size))


class Inbox:
    """Messages from a connection that must not be waited for."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._bytes = bytearray()
        self._text = bytearray()
        self._head: dict[str, Any] = {}

    def take(self) -> Iterator[Message]:
        """What has come whole since the last call.

        Raises:
            WireError: If what came is no message, or the other side is gone: what it sent before that is taken first.
        """
        gone = False
        while True:
            try:
                chunk = self._connection.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                gone = True
                break
            self._bytes += chunk
        yield from self._whole()
        if gone:
            raise WireError("the other side is gone")

    def _whole(self) -> Iterator[Message]:
        while len(self._bytes) >= PREFIX.size:
            head_size, body_size = _sizes(self._bytes[: PREFIX.size])
            end = PREFIX.size + head_size + body_size
            if len(self._bytes) < end:
                return
            text = self._bytes[PREFIX.size : PREFIX.size + head_size]
            if text != self._text:  # states and commands come with the same head all the time
                self._text, self._head = text, _head(text)
            body = bytes(self._bytes[PREFIX.size + head_size : end])
            del self._bytes[:end]
            yield Message(self._head, body)


class Outbox:
    """Messages to a connection that must not be waited for; what a slow reader has no room for is left out."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._rest = b""

    def offer(self, message: bytes) -> bool:
        """Send a message if there is room; a message that was begun is finished first. Whether it was sent.

        Raises:
            WireError: If the other side is gone.
        """
        if self._rest:
            self._rest = self._rest[self._send(self._rest) :]
            if self._rest:
                return False
        sent = self._send(message)
        if sent == 0:
            return False
        self._rest = message[sent:]
        return True

    def _send(self, data: bytes) -> int:
        try:
            return self._connection.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise WireError(f"the other side is gone ({error})") from error


def camera_path(path: Path | str) -> Path:
    """Where the cameras of the world behind a socket are served."""
    return Path(f"{path}.cameras")


def listen(path: Path) -> socket.socket:
    """Serve a socket at a path that only this user can reach, in place of one that nobody serves any more.

    The path is there once it is served, not before: who waits for it may connect at once.

    Raises:
        BadInput: If the path is too long, cannot be bound, or is served already.
    """
    if len(str(path).encode()) > MAX_PATH - len(_NEW):
        limit = MAX_PATH - len(_NEW)
        raise BadInput(f"socket {path}: {len(str(path).encode())} bytes, expected at most {limit}; a shorter folder")
    if path.exists():
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with probe:
            if probe.connect_ex(str(path)) == 0:
                raise BadInput(f"socket {path}: another process serves it; choose another path")
        path.unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made = path.with_name(f"{path.name}{_NEW}")
    made.unlink(missing_ok=True)
    try:
        server.bind(str(made))
    except OSError as error:
        server.close()
        raise BadInput(f"socket {path}: {error.strerror or error}; choose a folder that exists") from error
    made.chmod(0o600)
    server.listen(16)
    made.replace(path)
    return server


def connect(path: Path | str, hello: Mapping[str, Any], timeout_s: float) -> tuple[socket.socket, dict[str, Any]]:
    """Connect and introduce oneself; the connection, and what the other side answered.

    Raises:
        Missing: If nobody serves the socket, or does not answer.
        BadInput: If the other side refuses with that.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
        return connection, request(connection, hello).head
    except EyehandError:
        connection.close()
        raise
    except (OSError, WireError) as error:
        connection.close()
        raise Missing(f"no simulated world answers at {path} ({error}): is its process running?") from error


def request(connection: socket.socket, head: Mapping[str, Any]) -> Message:
    """Ask for something and wait for the answer.

    Raises:
        BadInput, Missing: If the other side answers with that.
        WireError: If the other side is gone.
    """
    send(connection, head)
    answer = receive(connection)
    if "error" in answer.head:
        raise (BadInput if answer.head.get("kind") == "BadInput" else Missing)(str(answer.head["error"]))
    return answer


def refusal(error: Exception) -> dict[str, Any]:
    """The head that tells the other side what went wrong; `request` raises it there."""
    told = error if isinstance(error, EyehandError) else BadInput(f"the request cannot be used: {error!r}")
    return {"error": str(told), "kind": "BadInput" if isinstance(told, BadInput) else "Missing"}


def _exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, at = memoryview(data), 0
    try:
        while at < size:
            count = connection.recv_into(view[at:])
            if count == 0:
                raise WireError("the other side is gone")
            at += count
    except OSError as error:
        raise WireError(f"nothing came ({error})") from error
    return data


def _sizes(prefix: bytes | bytearray) -> tuple[int, int]:
    magic, head_size, body_size = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireError(f"a message begins with {bytes(magic)!r}, expected {MAGIC!r}")
    if head_size > MAX_HEAD or body_size > MAX_BODY:
        raise WireError(f"a message of {head_size} + {body_size} bytes: expected at most {MAX_HEAD} + {MAX_BODY}")
    return head_size, body_size


def _head(text: bytes | bytearray) -> dict[str, Any]:
    try:
        head = json.loads(bytes(text))
    except (ValueError, RecursionError) as error:
        raise WireError(f"the head of a message is no JSON: {error}") from error
    if not isinstance(head, dict):
        raise WireError(f"the head of a message is {type(head).__name__}, expected an object")
    return head
