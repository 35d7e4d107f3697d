"""Ports of loopback that nobody has."""

import contextlib
import random
import socket

#: SeaweedFS listens on a port for HTTP, and so far above it for gRPC.
GAP = 10_000

#: With the gap, below those that the kernel gives to connections: none takes one while its server is being restarted.
_RANGE = range(11_000, 22_000)


def free_ports(count: int) -> list[int]:
    """Some ports that are free, as are those `GAP` above them. By the time a server wants them one may be taken."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = random.choice(_RANGE)
            with contextlib.suppress(OSError), contextlib.ExitStack() as both:
                for number in (port, port + GAP):
                    # Without SO_REUSEADDR: what somebody listened on a moment ago is not free.
                    both.enter_context(socket.socket()).bind(("127.0.0.1", number))
                held.push(both.pop_all())
                ports.append(port)
        return ports
