"""A web server over a directory, on the loopback, for as long as a test needs one."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the files, and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve_files(directory: Path, handler: type[FileHandler] = FileHandler) -> Iterator[str]:
    """Yields its URL, without a slash at the end."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(directory))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
