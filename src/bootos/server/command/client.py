"""The operator API over HTTP, for the commands in `command`. The one HTTP client of the operator's side."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from msgspec import structs

from bootos.errors import BootosError, Problem
from bootos.printable import show_line
from bootos.server.command.call_error import describe_tls_error, find_tls_error, read_reason
from bootos.server.command.site import Site

PREFIX = "/api/operator"
PAGE_ROWS = 1000  # the server sends no more at once


class AnswerError(BootosError):
    """The server refused; `status` is the HTTP status."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class UnreachableError(BootosError):
    """There was no answer."""


class Client:
    """Calls of one server. Every method raises BootosError with the server's own words."""

    def __init__(self, site: Site, token: str, actor: str = "") -> None:
        self._base = site.url + PREFIX
        self._site = site
        proof = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(
            headers={**proof, "X-Bootos-Actor": actor},
            timeout=urllib3.Timeout(connect=10, read=60),
            retries=urllib3.Retry(total=0),
            **site.build_pool_options(),
        )
        self.server = site.url

    def call(
        self,
        method: str,
        *path: str | int,
        body: Any = None,
        typed: Mapping[str, str] | None = None,
        **query: str | int,
    ) -> Any:
        """One call; returns the answer's plain values. `path` words are quoted. `typed`: the options by which the user
        gave the fields of the body, as errors name them."""
        response = self._send(method, path, body, query)
        self._check(response, typed or {})
        return msgspec.json.decode(response.data) if response.data else None

    def list_all(
        self, *path: str, key: str, limit: int = 0, after: str | int = "", **query: str | int
    ) -> list[Any]:
        """The rows of a long list, page by page, at most `limit`; 0: all. `key`: the field of a row that names the next
        page; `after`: its value in the row that they begin behind."""
        rows: list[Any] = []
        while True:
            most = min(limit - len(rows), PAGE_ROWS) if limit else PAGE_ROWS
            page = self.call("GET", *path, typed=None, limit=most, after=after, **query)
            if (
                not page or page[-1][key] == after
            ):  # a server of an earlier release sends all of them each time
                return rows
            rows += page
            after = page[-1][key]
            if len(page) < most or len(rows) == limit:
                return rows

    def send(self, *path: str | int, content: bytes, **query: str | int) -> Any:
        """Put bytes; returns the answer's plain values."""
        url = "/".join([self._base, *(quote(str(word), safe="") for word in path)])
        headers = {**self._pool.headers, "Content-Type": "application/octet-stream"}
        response = self._request("PUT", f"{url}?{urlencode(query)}", body=content, headers=headers)
        self._check(response)
        return msgspec.json.decode(response.data)

    def follow(self, job_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events of a job until its end, asking again when the connection is lost: (event, plain values)."""
        after, failures = 0, urllib3.Retry(total=40, backoff_factor=0.2, backoff_max=5)
        while True:
            try:
                response = self._send("GET", ("jobs", job_id, "events"), None, {"after": after}, stream=True)
                self._check(response)
                for event, data in parse_events(response):
                    failures = urllib3.Retry(total=40, backoff_factor=0.2, backoff_max=5)
                    if event == "line":
                        after = data["seq"]
                    yield event, data
                    if event == "end":
                        return
            except (BootosError, urllib3.exceptions.HTTPError) as cause:
                if isinstance(cause, AnswerError):
                    raise
                try:
                    failures = failures.increment("GET", self._base, error=urllib3.exceptions.ProtocolError())
                except urllib3.exceptions.HTTPError:
                    raise BootosError(f"the connection to {self.server} was lost for good") from cause
                failures.sleep()

    def _send(
        self,
        method: str,
        path: tuple[str | int, ...],
        body: Any,
        query: dict[str, str | int],
        *,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        url = "/".join([self._base, *(quote(str(word), safe="") for word in path)])
        return self._request(
            method,
            url,
            fields={name: str(value) for name, value in query.items()} if body is None else None,
            body=None if body is None else msgspec.json.encode(body),
            headers=None if body is None else {**self._pool.headers, "Content-Type": "application/json"},
            preload_content=not stream,
        )

    def _request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, url, **options)
        except urllib3.exceptions.HTTPError as cause:
            # The message has the reason; urllib3's chain would repeat it three times.
            if tls_error := find_tls_error(cause):
                message, hint = describe_tls_error(self._site, tls_error)
                raise UnreachableError(message, hint=hint) from None
            raise UnreachableError(
                f"no answer from the server {self.server}: {read_reason(cause)}",
                hint="is it running? name it with --server URL or BOOTOS_SERVER"
                if self._site.is_encrypted
                else "operators reach a server by https, at the port of --operator-listen: https://HOST:8443",
            ) from None

    def _check(
        self, response: urllib3.BaseHTTPResponse, typed: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        if response.status < 400:
            return
        try:
            said = msgspec.json.decode(response.data)
        except msgspec.DecodeError:
            said = {}
        if not isinstance(said, dict) or "error" not in said:
            raise AnswerError(
                f"{self.server} answered with HTTP status {response.status}",
                hint="is this a BootOS server?",
                status=response.status,
            )
        if said.get("problems"):
            problems = msgspec.convert(said["problems"], list[Problem])
            named = [structs.replace(item, path=typed.get(item.path, item.path)) for item in problems]
            lines = "".join(f"\n  - {show_line(str(problem))}" for problem in named)
            raise AnswerError(f"{show_line(said['error'])}:{lines}", status=response.status)
        raise AnswerError(
            show_line(said["error"]), hint=show_line(said.get("hint", "")), status=response.status
        )


def check_side(site: Site) -> None:
    """Check that the operator token may go to this address. Whoever listens on the way reads what goes by http; there
    the server is asked without the token first, and the machines' address says where operators go. Raises
    BootosError."""
    if site.is_encrypted:
        return
    try:
        Client(site, "").call("GET", "status")
    except AnswerError as answer:
        if answer.status != 401:
            raise
    if not site.is_local:
        raise BootosError(
            f"{site.url} is not encrypted: the operator token is not sent there",
            hint="operators reach a server by https, at the port of --operator-listen: https://HOST:8443; one of an "
            "earlier release by the commands of that release",
        )


def parse_events(chunks: Iterator[bytes] | urllib3.BaseHTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events (WHATWG HTML, 9.2) with JSON data, from the chunks of a response."""
    rest, event, data = b"", "message", ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\r")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield event, msgspec.json.decode(data)
                event, data = "message", ""
            elif field == "event":
                event = value
            elif field == "data":
                data += value
