"""One conversation with a Redfish service: log on, get, patch, post, upload, log off. Through sushy, which is imported
here, in `connection` and in `failure` only, when there is a service to talk to.

Every call has a deadline, and every answer and all reading has bounds; a request that may have been taken is never sent
twice; what the service says against a request is in the error. Credentials are logged by nobody: sushy's own log is
kept at warnings.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from bootos.drivers.redfish.address import cut_own
from bootos.drivers.redfish.answer import parse_answer
from bootos.drivers.redfish.bound import BOUNDS, Bounds, Budget
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.failure import MOST_SAID, RedfishError, translated
from bootos.drivers.redfish.reply import Reply, read_link, read_links, read_next
from bootos.waiting import CLOCK, Clock

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
ROOT = "/redfish/v1/"
_MISSING = (404, 405, 501)  # what a service answers for what it does not have
_UNKNOWN = 401  # the account or its password is wrong
_STALE = 412  # HTTP 412: the resource has changed since it was read
MOST_MEMBERS, MOST_PAGES = 2000, 50  # of a collection
MOST_UNREAD = 100
MOST_SILENT = 3  # resources in a row for which nothing comes: then nobody answers any more


class Client:
    """A session with the service; use it as a context manager, so that the session is closed."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Clock = CLOCK,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self.endpoint = endpoint
        self.clock = clock
        self._account = account
        self._timeout_s = timeout_s
        self._bounds = bounds
        self._budget = Budget(bounds)
        self._auth: Any = None
        self._connector: Any = None
        self._unread: dict[str, None] = {}
        self._lost: set[str] = set()  # pages of collections that are not read
        self._silent: list[str] = []  # what was asked for in a row and not answered

    @property
    def user(self) -> str:
        """Who is logged on."""
        return self._account.user

    @property
    def unread(self) -> list[str]:
        """What is linked or listed and could not be read, in the service's words."""
        return list(self._unread)

    def __enter__(self) -> "Client":
        """Log on by a session (Redfish 1.0 and later); where the service has no sessions, by HTTP basic
        authentication."""
        from sushy import Sushy, exceptions
        from sushy.auth import BasicAuth, SessionAuth

        from bootos.drivers.redfish.connection import build_connector

        # sushy's log messages have headers in them, and it raises the same errors.
        logging.getLogger("sushy").setLevel(logging.CRITICAL)
        where = self.endpoint
        if where.url.startswith("http://"):
            log.warning("%s: nothing is encrypted, the password neither", where.url)
        elif not where.verify and not where.fingerprint and where.link is None:
            log.warning("%s: its certificate is not checked (oob.redfish.verify)", where.url)
        password = self._account.password.password
        with self._translated(f"log on as {self._account.user}"):
            try:
                self._connector = build_connector(
                    where, timeout_s=self._timeout_s, bounds=self._bounds, clock=self.clock
                )
                self._auth = SessionAuth(self._account.user, password)
                Sushy(where.url, root_prefix=ROOT, auth=self._auth, connector=self._connector)
            except (exceptions.HTTPError, exceptions.MissingAttributeError) as cause:
                if not self._is_without_sessions(cause):
                    raise
                self._connector.close()
                self._connector = build_connector(
                    where, timeout_s=self._timeout_s, bounds=self._bounds, clock=self.clock
                )
                self._auth = BasicAuth(self._account.user, password)
                Sushy(where.url, root_prefix=ROOT, auth=self._auth, connector=self._connector)
                # the first request that needs a login tells whether the account is right
                with suppress(exceptions.ResourceNotFoundError):
                    self._connector.get(f"{ROOT}Systems")
        return self

    def _is_without_sessions(self, cause: Any) -> bool:
        """Whether the log-in failed as the service has no sessions; one that asks everybody for a password first says
        to an unknown path what it says to a wrong password. The root, which is open, tells."""
        from sushy import exceptions

        if isinstance(cause, exceptions.MissingAttributeError | exceptions.MissingXAuthToken):
            return True
        if cause.status_code != _UNKNOWN:
            return cause.status_code in _MISSING
        root = self._connector.get(ROOT).json()
        return not read_link(root, "SessionService") and not read_link(root, "Links", "Sessions")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._translated("log off"):
                self._auth.close()
        except RedfishError as cause:
            log.info("the Redfish session was not closed: %s", cause)
        self._connector.close()

    def get(self, path: str, *, what: str = "") -> Reply:
        """A resource. Raises RedfishError."""
        what = what or f"read {path}"
        try:
            return self._ask("get", path, what)
        except RedfishError as cause:
            if not cause.dropped:
                raise
            return self._ask("get", path, what)  # BMCs drop connections, and reading again changes nothing

    def find(self, path: str) -> Reply | None:
        """A resource that need not be there."""
        try:
            return self._read(path)
        except RedfishError as cause:
            if cause.foreign or cause.unreadable or cause.silent:
                self._keep_unread(str(cause))
            elif cause.status not in _MISSING:
                raise
            return None

    def _read(self, path: str) -> Reply:
        """A resource, for which there must be something left of what may be spent on reading."""
        end = self._budget.find_end()
        if end:
            raise RedfishError(f"read {path}: it is not read, as {end}", unreadable=True)
        began = self.clock.now()
        try:
            found = self.get(path)
            self._budget.spend(size=found.size)
        except RedfishError as cause:
            self._count_silence(path, cause)
            raise
        finally:
            self._budget.spend(seconds=self.clock.now() - began)
        self._silent.clear()
        return found

    def _count_silence(self, path: str, cause: RedfishError) -> None:
        """Raises RedfishError for a service that has stopped to answer, as it need not be asked for all the rest."""
        if not cause.silent:
            self._silent.clear()
            return
        self._silent.append(path)
        if len(self._silent) >= MOST_SILENT:
            asked = ", ".join(self._silent)
            raise RedfishError(
                f"the Redfish service at {self.endpoint.url} does not answer any more: nothing came for {asked}"
            ) from cause

    def look(self, path: str) -> Reply | None:
        """A resource, a collection with all of its pages, that takes away only itself where it cannot be read: what the
        service says then is kept in `unread`. Raises RedfishError where the service does not answer at all: nobody
        does at its address, or nothing comes for MOST_SILENT resources in a row."""
        if path in self._lost:
            return None
        found = self._look_once(path)
        members = found.body.get("Members") if found is not None else None
        if found is None or not isinstance(members, list):
            return found
        if len(members) <= MOST_MEMBERS and not read_next(found.body):
            return found
        return self._turn_pages(path, found)

    def _look_once(self, path: str) -> Reply | None:
        try:
            return self._read(path)
        except RedfishError as cause:
            if cause.status in _MISSING:
                said = f"{path}: the Redfish service links to it, and does not have it"
            elif cause.status in (0, _UNKNOWN) and not (cause.foreign or cause.unreadable or cause.silent):
                raise
            else:
                said = str(cause).removeprefix("read ")
            self._keep_unread(said)
            return None

    def _keep_unread(self, said: str) -> None:
        """Remember what could not be read, once, and not without end."""
        said = said[:MOST_SAID]
        if said in self._unread or len(self._unread) > MOST_UNREAD:
            return
        if len(self._unread) == MOST_UNREAD:
            said = "more could not be read, which is not listed"
        log.warning("%s", said)
        self._unread[said] = None

    def get_members(self, path: str) -> Iterator[dict[str, Any]]:
        """The members of a collection, each read whole, once. One that cannot be read takes away only itself."""
        collection = self.look(path)
        seen: set[str] = set()
        for link in read_links(collection.body.get("Members") if collection is not None else None):
            with suppress(RedfishError):
                own = cut_own(self.endpoint.url, link)
                if own in seen:
                    continue  # under another name of the service's host
                seen.add(own)
            found = self.look(link)
            if found is not None:
                yield found.body

    def _turn_pages(self, path: str, first: Reply) -> Reply:
        """A collection with the members of all its pages (DSP0266, `Members@odata.nextLink`). A page that cannot be
        read or is beyond the bounds is a member that cannot be read, so that nobody takes the collection for whole."""
        members: dict[str, None] = {}
        seen = {path}
        page, body = path, first.body
        while True:
            members |= dict.fromkeys(read_links(body.get("Members")))
            page = read_next(body)
            if not page or page in seen or len(seen) >= MOST_PAGES or len(members) >= MOST_MEMBERS:
                break
            seen.add(page)
            found = self._look_once(page)
            if found is None:
                self._lost.add(page)
                members[page] = None
                break
            body = found.body
        listed = list(members)
        if len(listed) > MOST_MEMBERS or (page and page not in seen):
            rest = page or f"{path}?$skip={MOST_MEMBERS}"
            self._keep_unread(
                f"{path}: only {MOST_MEMBERS} members on {MOST_PAGES} pages are read, and it has more"
            )
            self._lost.add(rest)
            listed = [*listed[:MOST_MEMBERS], rest]
        items = [{"@odata.id": link} for link in listed]
        return msgspec.structs.replace(first, body={**first.body, "Members": items})

    def patch(self, path: str, body: Mapping[str, Any], *, what: str) -> Reply:
        """Change a resource as it is now: If-Match with its ETag, once more when it changed just then."""
        for attempt in (1, 2):
            etag = self.get(path).etag
            try:
                headers = {"If-Match": etag} if etag else {}
                return self._ask("patch", path, what, data=dict(body), headers=headers)
            except RedfishError as cause:
                if cause.status != _STALE or attempt == 2:
                    raise
                # some services send a weak ETag, and accept only the strong form of it
                if etag.startswith("W/"):
                    return self._ask("patch", path, what, data=dict(body), headers={"If-Match": etag[2:]})
        raise AssertionError("unreachable")

    def post(self, path: str, body: Mapping[str, Any], *, what: str, timeout_s: float | None = None) -> Reply:
        """An action, or a new member of a collection (DSP0266, POST). Raises RedfishError."""
        return self._ask("post", path, what, data=dict(body), timeout=timeout_s)

    def delete(self, path: str, *, what: str) -> Reply:
        """Remove a resource (DSP0266, DELETE). Raises RedfishError."""
        return self._ask("delete", path, what)

    def upload(
        self, path: str, file: Path, parameters: Mapping[str, Any], *, what: str, timeout_s: float
    ) -> Reply:
        """Multipart push (DSP0266, 12.6.2): `UpdateParameters` as JSON, then `UpdateFile`."""
        with file.open("rb") as stream:
            files = [
                ("UpdateParameters", (None, json.dumps(dict(parameters)), "application/json")),
                ("UpdateFile", (file.name, stream, "application/octet-stream")),
            ]
            return self._ask("post", path, what, files=files, timeout=timeout_s)

    def _translated(self, what: str) -> AbstractContextManager[None]:
        return translated(what, self.endpoint.url, self._account.user)

    def _ask(self, method: str, path: str, what: str, **options: Any) -> Reply:
        if self._connector is None:
            raise AssertionError("the client is not open")
        options["timeout"] = options.get("timeout") or self._timeout_s
        try:
            path = cut_own(self.endpoint.url, path)
        except RedfishError as cause:
            raise RedfishError(f"{what}: {cause}", foreign=True) from None
        with self._translated(what):
            response = getattr(self._connector, method)(path, **options)
        return parse_answer(response, what=what, url=self.endpoint.url)
