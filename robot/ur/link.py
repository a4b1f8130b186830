"""A connection to a controller's RTDE port that never makes its user wait: states come in, registers go out."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence

from deploy.errors import Missing
from robot.ur import protocol
from robot.ur.protocol import BadPacket, Kind, PacketReader, Recipe, Value

# How long a quiet receiver sleeps before it looks at the time again [ms].
IDLE_MS = 20
# The packets of one read: 100 of them.
READ_BYTES = 1 << 16

OnValues = Callable[[Mapping[str, Value], int], None]


class Link:
    """RTDE version 2 over one socket: a set-up that is bounded in time, then a thread that receives.

    ur_rtde's own connections are not used for this. Its constructor waits without limit while it keeps the
    interpreter's lock, `servoJ` answers True on a dead connection, and when a connection is lost it reconnects by
    itself, uploads its script and starts it, which is the operator's to decide.

    Args:
        host: Address of the controller.
        outputs: Names of the outputs to receive.
        inputs: Names of the inputs to write, per recipe of ours.
        rate_hz: How often the outputs are to come [Hz].
        clock: Run clock [ns].
        on_values: Called by the receiving thread with each packet's values and its arrival [ns].
        on_idle: Called by the receiving thread with the time [ns] when nothing has come for `IDLE_MS`.
        on_lost: Called once by the receiving thread when the connection has ended, with the reason.
    """

    def __init__(
        self,
        host: str,
        *,
        outputs: Sequence[str],
        inputs: Mapping[str, Sequence[str]],
        rate_hz: float,
        clock: Callable[[], int],
        on_values: OnValues,
        on_idle: Callable[[int], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._host, self._outputs, self._inputs, self._rate_hz = host, tuple(outputs), dict(inputs), rate_hz
        self._clock, self._on_values, self._on_idle, self._on_lost = clock, on_values, on_idle, on_lost
        self._socket: socket.socket | None = None
        self._reader = PacketReader()
        self._recipe: Recipe | None = None
        self._writers: dict[str, tuple[int, Recipe]] = {}
        self._thread: threading.Thread | None = None
        self._closing = False
        self.version: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def _where(self) -> str:
        return f"{self._host}:{protocol.RTDE_PORT}"

    def open(self, timeout_s: float) -> None:
        """Connect, agree on version and recipes, and start to receive.

        Args:
            timeout_s: How long each answer may take [s].

        Raises:
            Missing: If the controller does not answer or refuses, naming its address, what it refused and the remedy.
        """
        self._socket = connect(self._host, protocol.RTDE_PORT, timeout_s)
        try:
            self._agree()
        except TimeoutError as error:
            self.close()
            raise Missing(
                f"UR controller at {self._where} takes the connection but does not answer within {timeout_s:g} s: "
                "see that it is a UR controller and has finished starting"
            ) from error
        except (OSError, BadPacket, struct.error) as error:
            self.close()
            raise Missing(f"{self._where} does not speak RTDE: {error}; see that it is a UR controller") from error
        except BaseException:
            self.close()
            raise
        self._socket.setblocking(False)
        self._thread = threading.Thread(target=self._receive, name="ur-rtde", daemon=True)
        self._thread.start()

    def write(self, recipe: str, values: Mapping[str, Value]) -> bool:
        """Write inputs, without waiting.

        Args:
            recipe: Which of our recipes.
            values: Its fields.

        Returns:
            Whether they were handed over; False once the connection is gone or its buffer is full.
        """
        number, layout = self._writers[recipe]
        packet = protocol.packet(Kind.DATA, bytes((number,)) + layout.pack(dict(values)))
        connection = self._socket
        if connection is None:
            return False
        try:
            sent = connection.send(packet)
            if sent != len(packet):
                # Half a packet cannot be taken back: the controller does not read, and would not understand the next.
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False
        return sent == len(packet)

    def close(self) -> None:
        """End the connection and the receiving thread; safe to call twice."""
        self._closing = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _agree(self) -> None:
        answer = self._ask(Kind.PROTOCOL_VERSION, struct.pack(">H", protocol.PROTOCOL_VERSION))
        if answer[:1] != b"\x01":
            raise Missing(
                f"UR controller at {self._where} refuses version {protocol.PROTOCOL_VERSION} of RTDE: "
                "update PolyScope to 5.6 or newer"
            )
        major, minor, bugfix, build = struct.unpack(">4I", self._ask(Kind.CONTROLLER_VERSION))
        self.version = (major, minor, bugfix, build)
        names = ",".join(self._outputs)
        answer = self._ask(Kind.SETUP_OUTPUTS, struct.pack(">d", self._rate_hz) + names.encode())
        self._recipe = Recipe(self._outputs, self._types(answer, self._outputs))
        for recipe, fields in self._inputs.items():
            answer = self._ask(Kind.SETUP_INPUTS, ",".join(fields).encode())
            self._writers[recipe] = (answer[0], Recipe(tuple(fields), self._types(answer, fields)))
        if self._ask(Kind.START)[:1] != b"\x01":
            raise Missing(f"UR controller at {self._where} refuses to send states; switch its control box off and on")

    def _types(self, answer: bytes, names: Sequence[str]) -> tuple[str, ...]:
        types = tuple(answer[1:].decode("ascii", "replace").split(","))
        if protocol.IN_USE in types:
            used = ", ".join(name for name, kind in zip(names, types, strict=False) if kind == protocol.IN_USE)
            raise Missing(
                f"UR controller at {self._where}: {used} is written by another client. Stop the other program "
                "(ur_rtde, ROS driver), or disable EtherNet/IP, PROFINET and MODBUS in its installation"
            )
        unknown = [name for name, kind in zip(names, types, strict=False) if kind not in protocol.TYPE_FORMATS]
        if unknown or len(types) != len(names) or not answer[0]:
            what = ", ".join(unknown) if unknown else f"the list {','.join(names)}"
            raise Missing(
                f"UR controller at {self._where} refuses {what} (PolyScope {self.version[0]}.{self.version[1]}): "
                "update PolyScope to 5.6 or newer"
            )
        return types

    def _ask(self, kind: Kind, payload: bytes = b"") -> bytes:
        """Send one packet of the set-up and return the payload of its answer."""
        assert self._socket is not None
        self._socket.sendall(protocol.packet(kind, payload))
        said = ""
        while True:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise ConnectionError(f"it closed the connection when asked for {kind.name}{said}")
            for answered, content in self._reader.feed(data):
                if answered is kind:
                    return content
                if answered is Kind.TEXT and content:
                    said = f", and says: {content[1 : 1 + content[0]].decode('ascii', 'replace')}"

    def _receive(self) -> None:
        try:
            reason = self._pump()
        except Exception as error:  # the thread must not end unnoticed
            reason = f"the driver failed: {error!r}"
        if not self._closing:
            self._on_lost(reason)

    def _pump(self) -> str:
        """Hand over packets until the connection ends; return why it did."""
        connection, recipe = self._socket, self._recipe
        assert connection is not None
        assert recipe is not None
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        while not self._closing:
            try:
                if not poll.poll(IDLE_MS):
                    self._on_idle(self._clock())
                    continue
                data = connection.recv(READ_BYTES)
                arrival_ns = self._clock()
                if not data:
                    return "the controller closed the connection"
                for kind, payload in self._reader.feed(data):
                    if kind is Kind.DATA and payload:
                        self._on_values(recipe.unpack(payload[1:]), arrival_ns)
            except BlockingIOError:
                continue
            except (OSError, BadPacket) as error:
                return str(error)
        return "closed"


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """Open a TCP connection to a controller, for small packets that must not wait.

    Raises:
        Missing: If nothing answers there, naming address and remedy.
    """
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except OSError as error:
        raise Missing(
            f"UR controller does not answer at {host}:{port} ({error}): see that the control box is on, that the cable "
            "is in, that the address is the one under Settings > System > Network of the teach pendant, and that the "
            "service is enabled under Settings > Security > Services"
        ) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
