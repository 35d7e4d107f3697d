"""A connection that ends by halves, or before it is there: nothing of it is left."""

import asyncio
from typing import Any

from tests.cluster.nats_servers import NatsServers
from tests.objects.gate import Gate
from tests.servers.server import TIMEOUT
from workqueue.engines.cluster.connection import Connection
from workqueue.engines.cluster.options import access_to


class Counted:
    """How often a connection was lost; see `Events`."""

    n_missed = 0

    def missed(self) -> None:
        self.n_missed += 1


async def ignore(_: Any) -> None:
    """Of what is heard."""


async def lose(gate: Gate) -> tuple[set["asyncio.Task[Any]"], bool]:
    """Lose a connection that had more to send; return the tasks that it leaves, and whether another can be made."""
    connection = Connection(access_to(f"nats://127.0.0.1:{gate.port}"), Counted())
    await connection.connect()
    client = connection.client
    for number in range(3):
        await client.subscribe(f"anything.{number}", cb=ignore)
    await client.flush()
    client._pending.append(b"PING\r\n")  # and nobody is told that there is something to send
    client._pending_data_size += 6
    assert client._reading_task is not None
    await asyncio.to_thread(gate.cut)
    await asyncio.wait([client._reading_task])
    await connection.close()
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()}
    await connection.connect()
    is_there = connection.is_there
    await connection.close()
    return left, is_there


def test_a_connection_that_is_lost_with_something_to_send_leaves_nothing(nats: NatsServers) -> None:
    with Gate(nats.port()) as gate:
        left, is_there = asyncio.run(lose(gate))
    assert left == set()
    assert is_there


async def cancel_while_connecting() -> bytes:
    """Leave while a server is still to say its first word; return what that server reads until the connection ends."""
    reader_of_server: asyncio.Future[asyncio.StreamReader] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader_of_server.set_result(reader)
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(access_to(f"nats://127.0.0.1:{port}"), Counted())
        connecting = asyncio.create_task(connection.connect())
        reader = await reader_of_server
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        read = await asyncio.wait_for(reader.read(), TIMEOUT)
        for writer in writers:
            writer.close()
    return read


def test_one_that_is_cancelled_while_it_connects_leaves_no_connection() -> None:
    assert asyncio.run(cancel_while_connecting()) == b""
