"""Sockets without threads: everything that arrived is handled in one `poll`, nothing ever waits.

A peer that does not read fills its own bounded buffer and is dropped; nobody else notices.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from deploy.errors import BadInput

_READ: Final = 1 << 14
# What the kernel keeps for a peer, and what is kept here when that is full. ur_rtde reads 0.6 MB in a second.
_KERNEL: Final = 1 << 17
_UNSENT_LIMIT: Final = 1 << 20
# One second, at one poll per cycle.
_LINGER_POLLS: Final = 500


class Session(Protocol):
    """One conversation with one peer."""

    def received(self, data: bytes) -> None:
        """Take bytes that arrived."""
        ...

    def closed(self) -> None:
        """The peer is gone."""
        ...


class Connection:
    """A peer's socket.

    Args:
        sock: Connected; owned from now on.
        network: Told when there is something left to send.
    """

    def __init__(self, sock: socket.socket, network: Network) -> None:
        self._socket = sock
        self._network = network
        self._unsent = bytearray()
        self._last_words = False
        self.session: Session | None = None
        self.peer = "{}:{}".format(*sock.getpeername()[:2])
        self.open = True

    def send(self, data: bytes) -> None:
        """Send now what the socket takes and keep the rest; a peer with too much to read is dropped."""
        if not self.open or self._last_words:
            return
        if not self._unsent:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self.close(f"sending failed: {error}")
                return
        if data:
            self._unsent += data
            if len(self._unsent) > _UNSENT_LIMIT:
                self.close(f"it does not read: {len(self._unsent)} bytes wait for it")
                return
            self._network.watch(self._socket, self, writing=True)

    def flush(self) -> None:
        """Send more of what was kept."""
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(f"sending failed: {error}")
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._network.watch(self._socket, self, writing=False)
            if self._last_words:
                self._end_sending()

    def read(self) -> None:
        """Hand what arrived to the session."""
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        except OSError as error:
            self.close(f"receiving failed: {error}")
            return
        if not data:
            self.close("")
        elif self.session is not None:
            self.session.received(data)

    def close_after(self, words: bytes, why: str) -> None:
        """Close once these last bytes are out and the peer has closed too; nothing that it sends is looked at any more.

        A socket that is closed with bytes unread resets the connection, and the peer never sees the last words.
        """
        self._network.say(f"{self.peer}: closed: {why}")
        self.send(words)
        self._last_words = True
        self._end_session()
        if self.open and not self._unsent:
            self._end_sending()

    def _end_sending(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close("")
        else:
            self._network.linger(self)

    def close(self, why: str) -> None:
        """Close now. A reason goes to the log."""
        if not self.open:
            return
        self.open = False
        self._network.forget(self._socket)
        self._socket.close()
        if why:
            self._network.say(f"{self.peer}: dropped: {why}")
        self._end_session()

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.closed()


class Network:
    """The listening ports of one address and the connections to them.

    Args:
        address: IPv4 address to listen on.
        say: Takes what an operator should know.
    """

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self.say = say
        self._address = address
        self._selector = selectors.DefaultSelector()
        self._ports: dict[int, Callable[[Connection], Session]] = {}
        self._listening: dict[int, socket.socket] = {}
        self._connections: set[Connection] = set()
        self._lingering: deque[tuple[int, Connection]] = deque()
        self._polls = 0

    def listen(self, port: int, session: Callable[[Connection], Session]) -> None:
        """Listen on a port; every peer gets a session of its own.

        Raises:
            BadInput: If the port cannot be had, naming it.
        """
        self._ports[port] = session
        self._open(port)

    def _open(self, port: int) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((self._address, port))
            listener.listen()
        except OSError as error:
            listener.close()
            why = "another controller listens there" if error.errno == errno.EADDRINUSE else str(error)
            raise BadInput(f"port {port} of {self._address} cannot be had: {why}; choose another address") from error
        self._listening[port] = listener
        self._selector.register(listener, selectors.EVENT_READ, port)

    def refuse(self, refused: bool, keep: int) -> None:
        """Stop listening on all ports but `keep`, or begin again."""
        if refused:
            for port in [port for port in self._listening if port != keep]:
                listener = self._listening.pop(port)
                self._selector.unregister(listener)
                listener.close()
        else:
            for port in self._ports.keys() - self._listening.keys():
                self._open(port)

    def drop(self, keep: Callable[[Connection], bool]) -> None:
        """Close all connections but those that `keep` says."""
        for connection in [c for c in self._connections if not keep(c)]:
            connection.close("the controller dropped it")

    def linger(self, connection: Connection) -> None:
        """Give a peer that was sent its last words some time to close."""
        self._lingering.append((self._polls + _LINGER_POLLS, connection))

    def poll(self) -> None:
        """Handle everything that arrived and everything that can go out; never waits."""
        self._polls += 1
        while self._lingering and self._lingering[0][0] <= self._polls:
            self._lingering.popleft()[1].close("")
        for key, events in self._selector.select(0):
            if isinstance(key.data, int):
                self._accept(key.data)
                continue
            connection: Connection = key.data
            if events & selectors.EVENT_READ and connection.open:
                connection.read()
            if events & selectors.EVENT_WRITE and connection.open:
                connection.flush()

    def _accept(self, port: int) -> None:
        try:
            sock, _ = self._listening[port].accept()
        except OSError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL)
        try:
            connection = Connection(sock, self)
        except OSError:
            sock.close()
            return
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        connection.session = self._ports[port](connection)

    def watch(self, sock: socket.socket, connection: Connection, *, writing: bool) -> None:
        """Say whether there is something left to send."""
        events = selectors.EVENT_READ | selectors.EVENT_WRITE if writing else selectors.EVENT_READ
        with contextlib.suppress(KeyError, ValueError):
            self._selector.modify(sock, events, connection)

    def forget(self, sock: socket.socket) -> None:
        """Drop a socket that is about to be closed."""
        with contextlib.suppress(KeyError, ValueError):
            connection = self._selector.unregister(sock).data
            self._connections.discard(connection)

    def close(self) -> None:
        """Close all ports and connections."""
        for connection in list(self._connections):
            connection.close("")
        for listener in self._listening.values():
            listener.close()
        self._listening.clear()
        self._selector.close()
