"""Who talks to a Redfish service: by which address and account a session is opened."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from bootos.drivers.contract import Machine
from bootos.drivers.redfish.client import TIMEOUT_S, Client
from bootos.drivers.redfish.endpoint import Endpoint, find_accounts, prepare_link
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.kept import KeptClient
from bootos.waiting import CLOCK, Clock


class Caller:
    """The base of a driver that talks to the service again and again. `timeout_s` is of one request."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S, clock: Clock = CLOCK) -> None:
        self._timeout_s = timeout_s
        self._clock = clock

    def _open(
        self, machine: Machine, endpoints: Sequence[Endpoint], timeout_s: float | None = None
    ) -> AbstractContextManager[Client]:
        return open_client(machine, endpoints, timeout_s=timeout_s or self._timeout_s, clock=self._clock)


@contextmanager
def open_client(
    machine: Machine,
    endpoints: Sequence[Endpoint],
    *,
    timeout_s: float = TIMEOUT_S,
    clock: Clock = CLOCK,
) -> Iterator[Client]:
    """A session with the first of `endpoints` that answers, by the first account that it takes. Raises RedfishError of
    the first when none does. Where the machine's resources were kept, they are read instead."""
    first: RedfishError | None = None
    if machine.resources is not None and endpoints:
        yield KeptClient(endpoints[0], machine.resources)
        return
    for endpoint in endpoints:
        if endpoint.link is not None:
            prepare_link(machine, endpoint.link)
        for account in find_accounts(machine, endpoint):
            client = Client(endpoint, account, timeout_s=timeout_s, clock=clock)
            try:
                client.__enter__()
            except RedfishError as cause:
                first = first or cause
                if cause.status == 401:
                    continue
                if cause.status:
                    raise  # the service answers with a refusal, so nobody waits for it
                break
            try:
                yield client
            finally:
                client.__exit__(None, None, None)
            return
    raise first or RedfishError("there is no Redfish service to talk to")
