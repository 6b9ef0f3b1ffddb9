"""The loopback is the network that the lab's services listen on: nothing outside of this host reaches them."""

import socket

LOOPBACK = "127.0.0.1"


def find_free_port(kind: socket.SocketKind) -> int:
    """A port that is free on the loopback now. Another process may take it before it is used; `Bmc.start` fails
    then with ipmi_sim's own words."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
