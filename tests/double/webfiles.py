"""A web server over a directory, on the loopback, for as long as a test needs one."""

import functools
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the files, and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve_files(
    directory: Path, handler: type[FileHandler] = FileHandler, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Yields its URL, without a slash at the end; `tls`: what makes it one of https."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(directory))
    )
    if tls is not None:
        # The handshake is the connection's own thread's: a browser opens some that it never uses.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
