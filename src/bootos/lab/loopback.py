"""The loopback is the network that the lab's services listen on: nothing outside of this host reaches them."""

import http.server
import socket
import threading

LOOPBACK = "127.0.0.1"
HOST_ADDRESS = "10.0.2.2"  # how a guest on a connected network reaches the loopback of its host


class LoopbackHandler(http.server.BaseHTTPRequestHandler):
    """Answers requests; writes no log."""

    # head and body are two writes, and with Nagle's algorithm the second waits for an ACK
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


class LoopbackServer(http.server.ThreadingHTTPServer):
    """HTTP on a free port (`server_port`), from `begin` until `close`. A request that hangs does not keep it from
    ending."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[LoopbackHandler]) -> None:
        super().__init__((LOOPBACK, 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    def begin(self) -> None:
        """Answer requests from now on, in threads."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self._thread.join(10)


def find_free_port(kind: socket.SocketKind) -> int:
    """A port that is free on the loopback now. Another process may take it before it is used; `Bmc.start` fails
    then with ipmi_sim's own words."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
