"""Many waiting machines: some vanish in mid-poll, and the server ends quickly with all polls open."""

import socket
import threading

from serving import Agent, Running, run_in_thread

from bootos.server.settings import Settings
from bootos.waiting import wait_for

MACHINES = 120
VANISHING = 40


def open_poll(server: Running, agent: Agent) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    head = f"GET /api/v2/agent/order?wait_s=25 HTTP/1.1\r\nHost: {host}\r\n"
    connection.sendall(f"{head}Authorization: Bearer {agent.session}\r\n\r\n".encode())
    return connection


def test_a_server_with_many_open_polls_answers_all_and_ends_within_seconds(settings: Settings) -> None:
    threads = threading.active_count()
    server, stop = run_in_thread(settings)
    agents = [Agent(server, sn=f"SN{number:03d}") for number in range(MACHINES)]
    for agent in agents:
        assert agent.register().status == 200
    polls = [open_poll(server, agent) for agent in agents]
    presence = server.context.presence
    wait_for(lambda: presence.count_polls() == MACHINES, 30, what="the last poll", pause_s=0.01)
    for connection in polls[:VANISHING]:
        connection.close()
    server.put_template()
    server.create_job(machine="SN000")  # its agent has vanished: the order is kept for the same session
    server.create_job(machine=f"SN{MACHINES - 1:03d}")  # its agent waits
    assert polls[-1].recv(12).decode().endswith(" 200")
    order = agents[0].order()
    assert (order["job_id"], order["attempt"]) == ("1", 1)
    stop(10)
    for connection in polls[VANISHING:-1]:
        assert connection.recv(12).decode().endswith(" 204")
        connection.close()
    polls[-1].close()
    server.close()
    assert threading.active_count() <= threads
