"""A way to a server that a test can disturb: a TCP proxy on loopback."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal, NamedTuple, Self, TypeVar

#: To the server, or from it.
Direction = Literal["up", "down"]

T = TypeVar("T")

TIMEOUT = 20.0

_CHUNK_BYTES = 64 * 1024

#: SO_LINGER, without time to linger: close() resets the connection, instead of ending it as if all had been said.
_RESET = struct.pack("ii", 1, 0)


class _Fault(NamedTuple):
    direction: Direction
    n_bytes: int
    is_cut: bool


class _Pace(NamedTuple):
    seconds: float
    n_bytes: int


class _Cut(Exception):
    pass


class Gate:
    """Passes connections on to a port of loopback, until it is told otherwise. A context manager, closed at the end.

    All methods may be called from any thread, and what they ask for is in force when they return. The gate has one
    thread, with an event loop, in which all else happens.

    Args:
        port: the server's. It need not listen yet; while it does not, connections are reset.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._fault: _Fault | None = None
        self._pace: _Pace | None = None
        self._n_cuts_left: int | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._n_bytes: dict[Direction, int] = {"up": 0, "down": 0}
        self._n_connections = 0
        self._n_open = 0
        # Has the port as long as there is this gate, whether it listens or not.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._thread.start()
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self.admit()

    @property
    def port(self) -> int:
        """Where it accepts connections."""
        port: int = self._reserved.getsockname()[1]
        return port

    @property
    def n_connections(self) -> int:
        """Those that it has accepted so far."""
        return self._n_connections

    @property
    def n_open(self) -> int:
        """Those that there are now, all the way to the server; held ones too."""
        return self._n_open

    @property
    def n_up(self) -> int:
        """Bytes passed to the server so far, over all connections."""
        return self._n_bytes["up"]

    @property
    def n_down(self) -> int:
        """Bytes passed from the server so far, over all connections."""
        return self._n_bytes["down"]

    def wait_for(self, condition: Callable[[Self], object]) -> None:
        """Return as soon as something is so, such as ``lambda gate: gate.n_up >= 1000``.

        Raises:
            TimeoutError: it was not so for 20 seconds.
        """

        async def wait() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: condition(self))

        self._run(wait())

    def cut(self) -> None:
        """Reset all the connections that there are, at both ends. New ones pass."""
        self._run(self._cut())

    def cut_after(self, n_bytes: int, direction: Direction, times: int | None = None) -> None:
        """End each connection when it has passed so many bytes in one direction, counted from now.

        The receiver gets exactly those, and then the end; the sender may hear that the connection was reset.

        Args:
            n_bytes: 0: when there is something to pass, which is not passed.
            direction: "up", to the server, or "down".
            times: after so many connections pass all. None: until `release`.
        """
        self._run(self._set(_Fault(direction, n_bytes, is_cut=True), times))

    def hold_after(self, n_bytes: int, direction: Direction) -> None:
        """Let each connection pass so many bytes in one direction, counted from now, and then keep it waiting."""
        self._run(self._set(_Fault(direction, n_bytes, is_cut=False)))

    def hold(self) -> None:
        """Accept connections, and pass nothing that a client says."""
        self.hold_after(0, "up")

    def slow(self, seconds: float, n_bytes: int) -> None:
        """Let each connection pass so many bytes at a time in each direction, and those so many seconds later."""
        self._run(self._set(None, pace=_Pace(seconds, n_bytes)))

    def release(self) -> None:
        """Pass everything again, at once; what was held goes on."""
        self._run(self._set(None))

    def refuse(self) -> None:
        """Refuse connections, and reset those that there are."""
        self._run(self._stop_listening())
        self.cut()

    def admit(self) -> None:
        """Accept connections again."""
        self._run(self._listen())

    def close(self) -> None:
        """Reset the connections that there are, and be gone."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()
        self._reserved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, TIMEOUT), self._loop).result()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, reuse_port=True)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _set(self, fault: _Fault | None, times: int | None = None, pace: _Pace | None = None) -> None:
        async with self._changed:
            self._fault, self._n_cuts_left, self._pace = fault, times, pace
            self._changed.notify_all()

    async def _cut(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        if connections:
            await asyncio.wait(connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand between a client and the server, until they have done or the connection is cut."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._n_connections += 1
        await self._tell()
        writers = [writer]
        try:
            reader_there, writer_there = await asyncio.open_connection("127.0.0.1", self._to)
            writers.append(writer_there)
            self._n_open += 1
            await self._tell()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass("up", reader, writer_there))
                group.create_task(self._pass("down", reader_there, writer))
            for each in writers:
                each.close()
        except* (_Cut, OSError, asyncio.CancelledError):
            pass
        for each in writers:
            _reset(each)
            with contextlib.suppress(OSError):
                await each.wait_closed()
        self._n_open -= len(writers) - 1
        self._connections.discard(task)
        await self._tell()

    async def _pass(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass what there is in one direction, as far as the fault of the hour lets it."""
        writer.transport.set_write_buffer_limits(0)  # so that what is drained is the system's
        fault, n_passed, data = self._fault, 0, b""
        while True:
            if fault is not self._fault:
                fault, n_passed = self._fault, 0
            n_allowed = _CHUNK_BYTES
            if fault is not None and fault.direction == direction:
                n_allowed = min(n_allowed, fault.n_bytes - n_passed)
            if data and self._pace is not None:
                n_allowed = min(n_allowed, await self._dawdle(self._pace))
            if fault is not None and n_allowed == 0 and (n_passed or data):
                await self._suffer(fault, writer)
            elif data:
                piece, data = data[:n_allowed], data[n_allowed:]
                n_passed += len(piece)
                self._n_bytes[direction] += len(piece)  # at first: who has it finds it counted
                writer.write(piece)
                await writer.drain()
                await self._tell()
            elif not (data := await reader.read(_CHUNK_BYTES)):
                writer.write_eof()
                return

    async def _dawdle(self, pace: _Pace) -> int:
        """Return when its time is over, or all is passed at once again; how many bytes may go."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self._pace is not pace), pace.seconds)
            except TimeoutError:
                return pace.n_bytes
        return _CHUNK_BYTES

    async def _suffer(self, fault: _Fault, writer: asyncio.StreamWriter) -> None:
        """Return when the fault is over, or raise _Cut."""
        if not fault.is_cut:
            async with self._changed:
                await self._changed.wait_for(lambda: self._fault is not fault)
            return
        if self._n_cuts_left is not None:
            self._n_cuts_left -= 1
            if self._n_cuts_left == 0:
                self._fault = None
        writer.close()
        raise _Cut

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
