"""What a person reads when the server does not answer: the reason, not the library's names."""

import pytest
import urllib3
from peer import Peer

from bootos.agent.session.capturing import Capturer
from bootos.agent.session.client import Client, Unreachable, describe_cause
from bootos.agent.session.order import wait_for_order
from bootos.agent.session.reporter import Reporter
from bootos.drivers.contract import Machine
from bootos.masking import Masker
from bootos.wire import v2
from bootos.wire.inventory import Inventory

REFUSED = "Failed to establish a new connection: [Errno 111] Connection refused"


@pytest.mark.parametrize(
    "name",
    [
        "<urllib3.connection.HTTPConnection object at 0x7f31dd71cad0>",  # urllib3 2.3, in the image
        "HTTPConnection(host='10.0.2.2', port=8083)",  # urllib3 2.5
        "HTTPSConnectionPool(host='10.0.2.2', port=8083)",
    ],
)
def test_the_reason_stands_without_the_connection_s_name(name: str) -> None:
    assert describe_cause(urllib3.exceptions.HTTPError(f"{name}: {REFUSED}")) == REFUSED


def test_a_server_that_is_not_there_is_said_in_one_row() -> None:
    with pytest.raises(Unreachable) as raised:
        Client("http://127.0.0.1:1").greet()
    assert str(raised.value) == f"http://127.0.0.1:1 does not answer: {REFUSED}"


@pytest.mark.parametrize(("said", "asked"), [(7, 7), (25, 25), (0, 1), (-3, 1), (86_400, 120)])
def test_the_agent_waits_for_an_order_as_long_as_the_server_says(peer: Peer, said: int, asked: int) -> None:
    peer.poll_s = said
    peer.orders = [v2.Order(job_id="1")]
    client = Client(peer.url)
    client.register(
        v2.Registration(sn="A", boot_id="b", agent_version="0", inventory=Inventory(collected_at=""))
    )
    order = wait_for_order(client, Reporter(client, "b", lambda: None), Capturer(Machine(), Masker()))
    assert order.job_id == "1"
    assert [query for query in peer.queries if query.startswith("/order")] == [f"/order?wait_s={asked}"]
