#!/usr/bin/python3 -IS
"""What a lab machine has instead of a vendor's program: asks the silicon on the host, and prints what comes back.

Runs in the guest with nothing but Python's standard library; its name says which program it stands for. The contents
of existing files among its arguments go along; files that the program writes are written here. `script` lays it in.
HTTP is spoken by hand: a slow machine takes seconds to import http.client, at each call of a program.
"""

import base64
import json
import os
import socket
import sys
import time

PROGRAM = ""  # a firmware package has its program here, as its file may have any name
PAYLOAD = ""

CONNECT_DEADLINE_S = 60.0  # the network may be down for a moment
MOST_BYTES = 64 * 1024 * 1024


def read_text(path: str) -> str:
    """A file's text without the space around it. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read().strip()


def find_address() -> str:
    """`http://HOST:PORT` of the silicon, from the kernel command line. Ends the program when there is none."""
    for word in read_text("/proc/cmdline").split():
        if word.startswith("LAB_SILICON="):
            return word.partition("=")[2]
    sys.exit("this machine has no silicon: LAB_SILICON is not on the kernel's command line")


def connect(address: str) -> socket.socket:
    """An open connection to the silicon. Ends the program when nobody answers before the deadline."""
    host, _, port = address.removeprefix("http://").rstrip("/").partition(":")
    until = time.monotonic() + CONNECT_DEADLINE_S
    while True:
        try:
            connection = socket.create_connection((host, int(port)), timeout=10)
        except OSError as error:
            if time.monotonic() > until:
                sys.exit(f"the silicon at {address} does not answer: {error}")
            time.sleep(1.0)
            continue
        connection.settimeout(None)  # no deadline: a program may run for minutes
        return connection


def ask(connection: socket.socket, body: bytes) -> tuple[int, bytes]:
    """POST by HTTP/1.0, of which the answer ends with the connection; the status and the content."""
    connection.sendall(b"POST /run HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    with connection.makefile("rb") as stream:
        head, _, content = stream.read().partition(b"\r\n\r\n")
    if not head:
        sys.exit("the silicon went away")
    return int(head.split()[1]), content


def collect_files(argv: list[str]) -> dict[str, str]:
    """What the program may read, in base64 by its path: files named as arguments, and standard input."""
    files = {}
    for word in argv:
        for path in (word, word.partition("=")[2]):
            if path and os.path.isfile(path) and os.path.getsize(path) <= MOST_BYTES:  # noqa: PTH113, PTH202
                with open(path, "rb") as file:  # noqa: PTH123
                    files[path] = base64.b64encode(file.read()).decode()
    if not sys.stdin.isatty() and (said := sys.stdin.buffer.read(MOST_BYTES)):
        files["/dev/stdin"] = base64.b64encode(said).decode()
    if PAYLOAD:
        files["payload"] = base64.b64encode(PAYLOAD.encode()).decode()
    return files


def main() -> int:
    """Hand the call to the silicon, write the files and the output it answers with. Returns the exit status."""
    call = {
        "serial": read_text("/sys/class/dmi/id/product_serial"),
        "program": PROGRAM or os.path.basename(sys.argv[0]),  # noqa: PTH119
        "argv": sys.argv[1:],
        "files": collect_files(sys.argv[1:]),
    }
    status, text = ask(connect(find_address()), json.dumps(call).encode())
    if status != 200:
        sys.exit(f"the silicon answers {status}: {text.decode(errors='replace')}")
    output = json.loads(text)
    for path, content in output["files"].items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(content)
    sys.stdout.write(output["stdout"])
    sys.stderr.write(output["stderr"])
    return int(output["code"])


if __name__ == "__main__":
    sys.exit(main())
