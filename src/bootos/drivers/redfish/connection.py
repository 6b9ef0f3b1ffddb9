"""The HTTP connection to a Redfish service: every request goes to the endpoint, and every answer has bounds.

Nobody else is asked, wherever links, sessions, tasks and redirections lead: they would get the session's token. Imports
requests and sushy, and is imported when there is a service to talk to.
"""

import http.client
import io
import ssl
from functools import partial
from typing import Any
from urllib.parse import urljoin

from requests import PreparedRequest, Request, Response
from requests.adapters import HTTPAdapter
from sushy.connector import Connector
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bootos.drivers.redfish.address import cut_own, is_elsewhere
from bootos.drivers.redfish.bound import BoundedFile, Bounds, build_size_error
from bootos.drivers.redfish.endpoint import Endpoint
from bootos.drivers.redfish.failure import RedfishError
from bootos.waiting import Clock

_PIECE_BYTES = 65536


def build_connector(endpoint: Endpoint, *, timeout_s: float, bounds: Bounds, clock: Clock) -> Any:
    """What sushy talks through. `timeout_s`: how long the service may say nothing."""
    connector = Connector(
        endpoint.url,
        verify=endpoint.verify and not endpoint.fingerprint,
        server_side_retries=1,
        server_side_retries_delay=0,
        default_request_timeout=timeout_s,
    )
    session = connector._session
    session.trust_env = False  # no proxy is used between a machine and its BMC
    options: dict[str, Any] = {}
    if endpoint.fingerprint or not endpoint.verify:
        # Without the system's certificates: to read them takes longer than a request.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        options = {"ssl_context": context, "assert_fingerprint": endpoint.fingerprint or None}
    session.mount("http://", HomeAdapter(endpoint.url, bounds, clock, {}))
    session.mount("https://", HomeAdapter(endpoint.url, bounds, clock, options))
    return connector


class HomeAdapter(HTTPAdapter):
    """Sends every request to the service at `url`, also those that sushy and redirections make, and reads its answer up
    to the bounds."""

    def __init__(self, url: str, bounds: Bounds, clock: Clock, options: dict[str, Any]) -> None:
        self._home = Request("GET", url).prepare().url or ""  # as addresses are written there
        self._bounds = bounds
        self._clock = clock
        self._options = options
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Connections whose answers have bounds."""
        super().init_poolmanager(connections, maxsize, block, **options, **self._options)
        self.poolmanager.pool_classes_by_scheme = _build_pools(self._bounds, self._clock)

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """The whole answer of the service. Raises BoundError, RedfishError, and as requests does."""
        asked = request.url or ""
        path = cut_own(self._home, asked)
        if is_elsewhere(self._home, asked):
            request.url = urljoin(self._home, path)
        response = super().send(request, *args, **options)
        self._lead_home(response, path)
        body = bytearray()
        for piece in response.iter_content(_PIECE_BYTES):  # what was compressed may be larger than what came
            body += piece
            if len(body) > self._bounds.answer_bytes:
                response.close()
                raise build_size_error(self._bounds)
        response._content = bytes(body)
        return response

    def _lead_home(self, response: Response, path: str) -> None:
        """A redirection to another host leads to the path that it names there. One that names no other path leads
        nowhere. Raises RedfishError."""
        there = response.headers.get("Location", "")
        if not response.is_redirect or not is_elsewhere(self._home, urljoin(response.url, there)):
            return
        target = cut_own(self._home, there)
        if target == path:
            raise RedfishError(
                f"the Redfish service at {self._home} leads to another host, which is not asked: {there}",
                foreign=True,
            )
        response.headers["Location"] = urljoin(self._home, target)


class _Answer(http.client.HTTPResponse):
    """An answer that is read up to the bounds: status, headers and body."""

    def __init__(self, sock: Any, *args: Any, bounds: Bounds, clock: Clock, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        unbounded = self.fp
        self.fp = io.BufferedReader(BoundedFile(sock, bounds, clock))
        unbounded.close()


def _build_pools(bounds: Bounds, clock: Clock) -> dict[str, Any]:
    answer = partial(_Answer, bounds=bounds, clock=clock)

    class Plain(HTTPConnection):
        response_class = answer  # type: ignore[assignment]

    class Secure(HTTPSConnection):
        response_class = answer  # type: ignore[assignment]

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
