import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bootos.lab.kcs import KcsProxy, build_message, parse_request, split_frames
from bootos.waiting import wait_for

GREETING = bytes.fromhex("ff01a1 080fa1")  # version 1, capabilities
GET_DEVICE_ID = build_message(bytes((7, 0x06 << 2, 0x01)))
COLD_RESET = build_message(bytes((8, 0x06 << 2, 0x02)))


def test_bytes_that_mean_something_are_escaped_and_come_back() -> None:
    content = bytes((1, 0x18, 0xA0, 0xA1, 0xAA))
    frames, rest = split_frames(build_message(content) + b"\x01\x02")
    assert rest == b"\x01\x02"
    assert frames[0].content[:-1] == content
    assert sum(frames[0].content) & 0xFF == 0


def test_a_request_is_read_only_when_its_checksum_is_right() -> None:
    frames, _ = split_frames(GET_DEVICE_ID)
    parsed = parse_request(frames[0], at_s=1.0)
    assert parsed is not None
    assert (parsed[0], parsed[1].netfn, parsed[1].command) == (7, 6, 1)
    broken, _ = split_frames(b"\x07\x18\x01\x00\xa0")
    assert parse_request(broken[0], at_s=1.0) is None


class Simulator:
    """Stands for ipmi_sim: keeps what it was sent, answers every message with one of its own."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.received: list[bytes] = []
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.answer, args=[connection], daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        rest = b""
        try:
            while chunk := connection.recv(4096):
                frames, rest = split_frames(rest + chunk)
                for frame in frames:
                    self.received.append(frame.raw)
                    if frame.end == 0xA0:
                        sequence, head, command = frame.content[:3]
                        connection.sendall(build_message(bytes((sequence, head | 4, command, 0, 0x20))))
        except OSError:
            return

    def close(self) -> None:
        with suppress(OSError):  # it is closed already
            self.listener.shutdown(socket.SHUT_RDWR)  # without it accept() takes one more connection
        self.listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with closing(Simulator()) as one:
        yield one


def ask(guest: socket.socket, message: bytes) -> bytes:
    """Send a request as QEMU does; the content of the answer without its checksum."""
    guest.sendall(message)
    rest = b""
    while True:
        frames, rest = split_frames(rest + guest.recv(4096))
        if frames:
            return frames[0].content[:-1]


def connect(path: Path) -> socket.socket:
    guest = socket.socket(socket.AF_UNIX)
    guest.settimeout(10)
    guest.connect(str(path))
    guest.sendall(GREETING)
    return guest


def test_a_request_reaches_the_simulator_and_is_kept(simulator: Simulator, tmp_path: Path) -> None:
    with closing(
        KcsProxy(tmp_path / "kcs", simulator_port=simulator.port, on_cold_reset=lambda: None)
    ) as proxy:
        with connect(proxy.path) as guest:
            assert ask(guest, GET_DEVICE_ID) == bytes((7, 0x1C, 0x01, 0, 0x20))
        assert [(request.netfn, request.command) for request in proxy.requests] == [(6, 1)]


def test_a_cold_reset_is_acknowledged_and_the_bmc_is_gone_until_it_is_back(
    simulator: Simulator, tmp_path: Path
) -> None:
    resets: list[str] = []

    def reset() -> None:
        resets.append("cold")
        simulator.close()

    with (
        closing(KcsProxy(tmp_path / "kcs", simulator_port=simulator.port, on_cold_reset=reset)) as proxy,
        connect(proxy.path) as guest,
    ):
        assert ask(guest, GET_DEVICE_ID)[3] == 0
        assert ask(guest, COLD_RESET) == bytes((8, 0x1C, 0x02, 0))
        assert len(resets) == 1
        assert ask(guest, GET_DEVICE_ID) == bytes((7, 0x1C, 0x01, 0xD2))


def test_a_simulator_that_comes_back_is_introduced_again(simulator: Simulator, tmp_path: Path) -> None:
    with (
        closing(
            KcsProxy(tmp_path / "kcs", simulator_port=simulator.port, on_cold_reset=lambda: None)
        ) as proxy,
        connect(proxy.path) as guest,
    ):
        assert ask(guest, GET_DEVICE_ID)[3] == 0
        simulator.received.clear()
        assert ask(guest, COLD_RESET)[3] == 0

        def find_answer() -> bytes | None:
            answer = ask(guest, GET_DEVICE_ID)
            return answer if answer[3] != 0xD2 else None

        assert wait_for(find_answer, 10, what="an answer", pause_s=0.01)[3] == 0
        assert b"".join(simulator.received[:2]) == GREETING


def test_a_password_that_the_guest_has_set_can_be_tested(simulator: Simulator, tmp_path: Path) -> None:
    def build(operation: int, password: bytes) -> bytes:
        head = 0x03 | (0x80 if len(password) == 20 else 0)
        return build_message(bytes((9, 0x18, 0x47, head, operation)) + password)

    right, wrong = b"right".ljust(16, b"\0"), b"wrong".ljust(16, b"\0")
    with (
        closing(
            KcsProxy(tmp_path / "kcs", simulator_port=simulator.port, on_cold_reset=lambda: None)
        ) as proxy,
        connect(proxy.path) as guest,
    ):
        # no password was set here, so the answer is the simulator's
        assert ask(guest, build(3, wrong))[3] == 0
        assert ask(guest, build(2, right))[3] == 0
        assert [ask(guest, build(3, password))[3] for password in (right, wrong)] == [0, 0x80]
        assert ask(guest, build(3, b"right".ljust(20, b"\0")))[3] == 0x81


def test_a_bmc_that_was_off_still_knows_the_passwords_that_were_set(
    simulator: Simulator, tmp_path: Path
) -> None:
    head = bytes((9, 0x18, 0x47, 3))
    for number, (operation, password, code) in enumerate(
        ((2, b"right", 0), (3, b"right", 0), (3, b"wrong", 0x80))
    ):
        with (
            closing(
                KcsProxy(
                    tmp_path / f"kcs{number}",
                    simulator_port=simulator.port,
                    on_cold_reset=lambda: None,
                    password_file=tmp_path / "passwords.json",
                )
            ) as proxy,
            connect(proxy.path) as guest,
        ):
            assert (
                ask(guest, build_message(head + bytes((operation,)) + password.ljust(16, b"\0")))[3] == code
            )
