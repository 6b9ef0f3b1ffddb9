"""Waits for the next order, between jobs. The captures that the server asks for meanwhile are taken here: while one is,
no order is fetched, and a job that comes waits at the server."""

import logging

from bootos.agent.host.host import pauses
from bootos.agent.session.capturing import Capturer
from bootos.agent.session.client import Client, Refused, Unreachable
from bootos.agent.session.reporter import Reporter
from bootos.waiting import CLOCK, Clock
from bootos.wire import v2

log = logging.getLogger(__name__)


def wait_for_order(client: Client, reporter: Reporter, capturer: Capturer, clock: Clock = CLOCK) -> v2.Order:
    """Long-poll until the operator starts a job for this machine. Returns the job's order."""
    log.info("waiting for an order from %s", client.server_addr)
    attempts = pauses()
    answered = ""
    while True:
        try:
            order = client.fetch_order(client.poll_s)
            if order is not None and order.mode == "capture":
                if order.job_id == answered:  # the server did not take the answer
                    clock.sleep(next(attempts))
                answered = order.job_id
                capturer.send(client)
                continue
            attempts = pauses()
            if order is not None:
                return order
            continue
        except Unreachable as error:
            log.warning("waiting for the server: %s", error)
        except Refused as error:
            if error.status == 401:
                reporter.renew_session()
                continue
            log.warning("the server gives no order: %s", error)
        clock.sleep(next(attempts))
