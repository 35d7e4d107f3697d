"""notify: what a service's manager wants to know: that it has begun, and that it stops.

The protocol of sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names. Without one, nothing is told.
"""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Tell the manager; it never raises.

    Args:
        state: such as ``READY=1`` or ``STOPPING=1``.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
