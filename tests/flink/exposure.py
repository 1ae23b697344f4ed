"""Which servers of a stack's processes others than this machine could reach."""

import ipaddress
from urllib.parse import urlsplit

import psutil

from headgate.local import state_file
from headgate.local.stack import LocalStack

BEAM_SERVERS = 6
"""What Beam opens in a TaskManager for each Python worker, on every interface: control, logging,
data, state, artifacts and provisioning. Its ServerFactory binds a port alone, without a host."""


def servers(stack: LocalStack) -> dict[str, list[tuple[str, int]]]:
    """Return the addresses (host, port) that each process of `stack` and what is below it listen
    on, by the names of `stack.json`.
    """
    stack.publish_state()
    state = state_file.read(stack.home)
    assert state is not None
    return {name: _listening(psutil.Process(pid)) for name, pid in state.pids.items()}


def assert_on_loopback(stack: LocalStack) -> None:
    """Fail if a server of `stack` listens on more than loopback, but for Beam's."""
    found = servers(stack)
    for name in ("kafka", "jobmanager", "taskmanager-0"):
        assert found.get(name), f"{name} serves nothing: {found}"
    exposed = {
        name: [(host, port) for host, port in addresses if not _is_loopback(host)]
        for name, addresses in found.items()
    }
    # First, and by their ports: among as many as Beam's they could hide.
    for name, url in stack.flink.metrics_urls.items():
        port = urlsplit(url).port
        hosts = [host for host, served in found[name] if served == port]
        assert [_is_loopback(host) for host in hosts] == [True], f"metrics of {name} at {hosts}"
    beams = [
        each for name in found if name.startswith("taskmanager-") for each in exposed.pop(name)
    ]
    assert {name: addresses for name, addresses in exposed.items() if addresses} == {}
    workers = len(stack.python_worker_pids())
    assert len(beams) == BEAM_SERVERS * workers, f"{workers} Python workers, {beams}"


def _listening(process: psutil.Process) -> list[tuple[str, int]]:
    return [
        (connection.laddr.ip, connection.laddr.port)
        for each in [process, *process.children(recursive=True)]
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    # Java's sockets are of IPv6, also where they are bound to an address of IPv4.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
