"""The gate through which tests disturb a client and its server. Here a test is both."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.objects.gate import TIMEOUT, Gate

#: More than a gate reads at once.
MUCH = bytes(range(256)) * 1024


class Ends:
    """A server that listens, a gate before it, and both ends of the connections through it."""

    def __init__(self, gate: Gate, listening: socket.socket) -> None:
        self.gate = gate
        self._listening = listening
        self._sockets: list[socket.socket] = []

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """A client, and what the server has of it; those of before are gone."""
        self.close()
        self.gate.wait_for(lambda gate: gate.n_open == 0)
        client = socket.create_connection(("127.0.0.1", self.gate.port), TIMEOUT)
        self._sockets.append(client)
        server, _ = self._listening.accept()
        server.settimeout(TIMEOUT)
        self._sockets.append(server)
        self.gate.wait_for(lambda gate: gate.n_open == 1)
        return client, server

    def close(self) -> None:
        while self._sockets:
            self._sockets.pop().close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listening, Gate(listening.getsockname()[1]) as gate:
        listening.settimeout(TIMEOUT)
        with closing(Ends(gate, listening)) as ends:
            yield ends


def receive(sock: socket.socket, n_bytes: int) -> bytes:
    """As many bytes as that, or those until the end."""
    data = b""
    while len(data) < n_bytes and (more := sock.recv(n_bytes - len(data))):
        data += more
    return data


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(b"question")
        return receive(client, 1)


def says_nothing(sock: socket.socket) -> bool:
    sock.settimeout(0)
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(TIMEOUT)
    return False


def test_all_passes_both_ways_and_is_counted(ends: Ends) -> None:
    client, server = ends.connect()
    client.sendall(b"question")
    assert receive(server, 8) == b"question"
    server.sendall(MUCH)
    assert receive(client, len(MUCH)) == MUCH
    assert (ends.gate.n_up, ends.gate.n_down) == (8, len(MUCH))
    assert (ends.gate.n_connections, ends.gate.n_open) == (1, 1)


def test_an_end_is_passed_on_and_the_other_may_still_answer(ends: Ends) -> None:
    client, server = ends.connect()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(b"answer")
    server.close()
    assert receive(client, 100) == b"answer"
    client.close()
    ends.gate.wait_for(lambda gate: gate.n_open == 0)


def test_cut_resets_both_ends_and_welcomes_others(ends: Ends) -> None:
    client, server = ends.connect()
    ends.gate.cut()
    for sock in (client, server):
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    client, server = ends.connect()
    client.sendall(b"again")
    assert receive(server, 5) == b"again"


def test_a_peer_that_is_reset_resets_the_other(ends: Ends) -> None:
    client, server = ends.connect()
    server.sendall(b"never read")
    ends.gate.wait_for(lambda gate: gate.n_down == 10)
    client.close()  # with something unread, that is a reset
    with pytest.raises(ConnectionResetError):
        receive(server, 1)


@pytest.mark.parametrize("n_bytes", [1, 100_000])
def test_cut_after_so_many_bytes_down(ends: Ends, n_bytes: int) -> None:
    client, server = ends.connect()
    ends.gate.cut_after(n_bytes, "down")
    server.sendall(MUCH)
    assert receive(client, len(MUCH)) == MUCH[:n_bytes]
    with pytest.raises(ConnectionError):
        server.sendall(MUCH * 1000)


def test_cut_after_so_many_bytes_up_counts_from_now(ends: Ends) -> None:
    client, server = ends.connect()
    client.sendall(b"before")
    assert receive(server, 6) == b"before"
    ends.gate.cut_after(3, "up")
    client.sendall(b"abcdef")
    assert receive(server, 6) == b"abc"


def test_cut_before_any_byte(ends: Ends) -> None:
    ends.gate.cut_after(0, "up")
    client, server = ends.connect()
    client.sendall(b"question")
    assert receive(server, 1) == b""
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_cut_so_many_times(ends: Ends) -> None:
    ends.gate.cut_after(3, "up", times=2)
    for _ in range(2):
        client, server = ends.connect()
        client.sendall(b"abcdef")
        assert receive(server, 6) == b"abc"
    client, server = ends.connect()
    client.sendall(b"abcdef")
    assert receive(server, 6) == b"abcdef"


def test_hold_after_so_many_bytes_until_released(ends: Ends) -> None:
    client, server = ends.connect()
    ends.gate.hold_after(3, "down")
    server.sendall(b"abcdef")
    assert receive(client, 3) == b"abc"
    client.sendall(b"the other way is open")
    assert receive(server, 21) == b"the other way is open"
    assert says_nothing(client)
    assert ends.gate.n_down == 3
    ends.gate.release()
    assert receive(client, 3) == b"def"


def test_a_slow_way_passes_all_in_pieces_each_of_them_late(ends: Ends) -> None:
    client, server = ends.connect()
    ends.gate.slow(0.01, 1000)
    before = time.monotonic()
    client.sendall(MUCH[:5000])
    assert receive(server, 5000) == MUCH[:5000]
    server.sendall(MUCH[:5000])
    assert receive(client, 5000) == MUCH[:5000]
    assert time.monotonic() - before >= 10 * 0.01
    assert ends.gate.n_up == ends.gate.n_down == 5000


def test_a_slow_way_is_quick_once_it_is_released(ends: Ends) -> None:
    client, server = ends.connect()
    ends.gate.slow(1000.0, 1)
    client.sendall(MUCH)
    assert says_nothing(server)
    ends.gate.release()
    assert receive(server, len(MUCH)) == MUCH


def test_a_held_connection_can_be_cut(ends: Ends) -> None:
    ends.gate.hold()
    client, server = ends.connect()
    client.sendall(b"question")
    ends.gate.cut()
    for sock in (client, server):
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert ends.gate.n_up == 0


def test_refuse_and_admit_on_the_same_port(ends: Ends) -> None:
    client, server = ends.connect()
    ends.gate.refuse()
    for sock in (client, server):
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ends.gate.port), TIMEOUT)
    ends.gate.admit()
    client, server = ends.connect()
    client.sendall(b"again")
    assert receive(server, 5) == b"again"


def test_before_no_server_connections_are_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with Gate(port) as gate, pytest.raises(ConnectionResetError):
        ask(gate.port)


def test_what_never_comes_is_not_waited_for_for_ever(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.objects.gate.TIMEOUT", 0.01)
    with pytest.raises(TimeoutError):
        ends.gate.wait_for(lambda gate: gate.n_up)
