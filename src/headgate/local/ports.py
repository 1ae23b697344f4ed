"""Free TCP ports on the loopback interface."""

import random
import socket
from pathlib import Path

from headgate.errors import HeadgateError

LOOPBACK = "127.0.0.1"
LOWEST = 15_000  # below live the well-known ports of databases and development servers
TRIES = 1_000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return `count` distinct ports that nobody listens on now.

    They lie below the range from which the kernel serves outgoing connections. A server that is
    killed and restarted would otherwise lose its port to a client that retries: on loopback such a
    client can even connect to itself and hold the port for ever.

    >>> len(set(free_ports(3)))
    3
    """
    highest = _first_ephemeral_port() - 1
    found: list[int] = []
    for _ in range(TRIES):
        if len(found) == count:
            return found
        port = random.randint(LOWEST, highest)  # noqa: S311 - a choice, not a secret
        if port not in found and is_free(port):
            found.append(port)
    message = f"no {count} free ports between {LOWEST} and {highest} on {LOOPBACK}"
    raise HeadgateError(message)


def remembered_ports(file: Path, count: int) -> list[int]:
    """Return the ports of last time if all are free still, otherwise new ones, noted in `file`.

    Addresses that stay the same from one start to the next can be put into scripts and bookmarks.
    """
    try:
        ports = [int(word) for word in file.read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        ports = []
    if len(ports) == count and all(map(is_free, ports)):
        return ports
    ports = free_ports(count)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(" ".join(map(str, ports)), encoding="ascii")
    return ports


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections in TIME_WAIT do not keep a restarted server from its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    """Tell whether somebody listens on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _first_ephemeral_port() -> int:
    try:
        first = int(_RANGE_FILE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768  # Linux's default
    return max(first, LOWEST + 1_000)
