"""Which user of this machine is at the other end of a connection, as the kernel knows it."""

import socket
import struct

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST = 1
ERROR = 2
ALL_STATES = 0xFFFFFFFF
NO_COOKIE = b"\xff" * 8
HEADER = struct.Struct("=LHHLL")
# inet_diag_msg: family, state, timer, retransmits; ports and addresses; expires, queues, uid
UID_OFFSET = HEADER.size + 4 + 48 + 12


def uid(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The owner of the socket ``client`` that is connected to ``server``, both on this machine."""
    wanted = (
        struct.pack("=BBBBL", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ALL_STATES)
        + struct.pack("!HH", client[1], server[1])
        + socket.inet_aton(client[0]).ljust(16, b"\0")
        + socket.inet_aton(server[0]).ljust(16, b"\0")
        + struct.pack("=L", 0)
        + NO_COOKIE
    )
    message = HEADER.pack(HEADER.size + len(wanted), SOCK_DIAG_BY_FAMILY, REQUEST, 1, 0) + wanted
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(message)
        answer = kernel.recv(8192)
    _, kind, *_ = HEADER.unpack_from(answer)
    if kind == ERROR:
        return None  # it is closed by now
    return struct.unpack_from("=L", answer, UID_OFFSET)[0]
