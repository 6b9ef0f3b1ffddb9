"""The proxy of the fault suites, between a client and a server that notes what it gets."""

import http.client
import http.server
import itertools
import threading
from collections.abc import Iterator

import msgspec
import pytest
import urllib3
from fault_proxy import Fate, FaultProxy

from bootos.wire import v2


class Listener:
    def __init__(self) -> None:
        self.got: list[bytes] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            # head and body are two writes, and with Nagle's algorithm the second waits for an ACK
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                offer = v2.TlsOffer(url="https://10.0.0.1:8084", ca_sha256="0" * 64)
                content = msgspec.json.encode(v2.Greeting(protocol=2, tls=offer))
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append(body)
                self.send_response(201)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.upper())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def proxy(listener: Listener) -> Iterator[FaultProxy]:
    proxy = FaultProxy(listener.port)
    yield proxy
    proxy.close()


def post(proxy: FaultProxy, body: str, timeout_s: float = 10) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.listening_port, timeout=timeout_s)
    try:
        connection.request("POST", "/report", body=body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_passes_calls_and_answers(proxy: FaultProxy) -> None:
    assert post(proxy, "one") == (201, b"ONE")


def test_a_machine_that_changes_over_to_tls_stays_behind_the_proxy(
    proxy: FaultProxy, listener: Listener
) -> None:
    pool = urllib3.PoolManager(retries=False, timeout=10, ca_cert_data=proxy.authority.pem.decode())
    plain = f"http://127.0.0.1:{proxy.listening_port}{v2.PREFIX}/"
    offer = msgspec.json.decode(pool.request("GET", plain).data, type=v2.Greeting).tls
    assert offer is not None
    assert (offer.url, offer.ca_sha256) == (
        f"https://127.0.0.1:{proxy.tls_port}",
        proxy.authority.fingerprint,
    )
    assert pool.request("POST", f"{offer.url}/report", body=b"one").data == b"ONE"
    fates = iter([Fate.LOSE_CALL, Fate.LOSE_ANSWER])
    proxy.rule = lambda call: next(fates)
    for body in (b"call", b"answer"):
        with pytest.raises(urllib3.exceptions.HTTPError):
            pool.request("POST", f"{offer.url}/report", body=body)
    assert listener.got == [b"one", b"answer"]


def test_a_lost_call_does_not_reach_the_server_and_a_lost_answer_not_the_client(
    proxy: FaultProxy, listener: Listener
) -> None:
    fates = iter([Fate.LOSE_CALL, Fate.LOSE_ANSWER])
    proxy.rule = lambda call: next(fates)
    for body in ("call", "answer"):
        with pytest.raises((OSError, http.client.HTTPException)):
            post(proxy, body)
    assert listener.got == [b"answer"]


def test_a_delayed_call_comes_after_the_one_that_follows_it(proxy: FaultProxy, listener: Listener) -> None:
    fates = itertools.cycle([Fate.DELAY, Fate.PASS])
    proxy.rule = lambda call: next(fates)
    with pytest.raises((OSError, http.client.HTTPException)):
        post(proxy, "first")
    assert post(proxy, "second") == (201, b"SECOND")
    assert listener.got == [b"second", b"first"]


def test_a_hanging_call_waits_until_the_client_gives_up(proxy: FaultProxy, listener: Listener) -> None:
    proxy.rule = lambda call: Fate.HANG
    with pytest.raises(TimeoutError):
        post(proxy, "one", timeout_s=2.0)
    assert (proxy.hung, listener.got) == (1, [])
    proxy.heal()
    assert post(proxy, "two") == (201, b"TWO")


def test_a_server_that_is_not_there_is_a_dropped_connection() -> None:
    gone = Listener()
    proxy = FaultProxy(gone.port)
    gone.close()
    with pytest.raises((OSError, http.client.HTTPException)):
        post(proxy, "one")
    proxy.close()
