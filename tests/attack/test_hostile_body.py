"""No body, number or text that a client sends makes the server fail: each is refused with a status of 4xx and words
that say what to do, or taken in without what cannot be kept."""

import json
from typing import Any

import msgspec
import pytest
from serving import INVENTORY, Agent, Answer, Running

from bootos.server.store.table import LogLine
from bootos.wire import cloudboot_v1 as v1

REGISTRATION: dict[str, Any] = {
    "sn": "SN001",
    "boot_id": "boot-1",
    "agent_version": "test",
    "inventory": INVENTORY,
}
DEEP = 1000
DIGITS = b"9" * 5000
V2 = "/api/v2/agent"
V2_CALLS = (f"{V2}/register", f"{V2}/report", f"{V2}/mac", f"{V2}/capture")
V1_CALLS = (
    "report/deviceProductInfo",
    "device/isInInstallList",
    "report/deviceInstallInfo",
    "report/deviceMacInfo",
)
OPERATOR_CALLS = ("/jobs", "/pools", "/import", "/support", "/images")
BODIES = {
    "bad UTF-8": b'{"sn": "\xff\xfe"}',
    "an overlong form": b'{"sn": "\xc0\x80"}',
    "a surrogate in UTF-8": b'{"sn": "\xed\xa0\x80"}',
    "deep lists": b'{"sn": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"x": ' * DEEP + b"1" + b"}" * DEEP,
    "lists that never end": b"[" * 100_000,
    "a long number": b'{"sn": ' + DIGITS + b"}",
    "a long number for a number": b'{"number": ' + DIGITS + b', "sn": "x"}',
    "a long negative number": b'{"number": -' + DIGITS + b"}",
    "a number past 64 bits": b'{"number": 18446744073709551616}',
    "a number out of range": b'{"sn": 1e999}',
    "half a string": b'{"sn": "',
    "nothing": b"{",
    "a list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "not a number": b'{"sn": NaN}',
}


def is_refused(answer: Answer) -> bool:
    """Whether it is the client's fault, and says which."""
    return 400 <= answer.status < 500 and bool(answer.data["error"])


def send(server: Running, path: str, body: bytes, token: str = "") -> Answer:
    return server.call("POST", path, body, token)


@pytest.mark.parametrize("path", V2_CALLS)
@pytest.mark.parametrize("kind", BODIES)
def test_a_hostile_body_of_an_agent_is_refused(server: Running, path: str, kind: str) -> None:
    agent = Agent(server)
    agent.register()
    assert is_refused(send(server, path, BODIES[kind], agent.session))


@pytest.mark.parametrize("call", V1_CALLS)
@pytest.mark.parametrize("kind", BODIES)
def test_a_hostile_body_of_a_v1_agent_is_an_error_in_the_form_of_v1(
    server: Running, call: str, kind: str
) -> None:
    answer = send(server, f"{v1.PREFIX}/{call}", BODIES[kind])
    assert answer.status == 200, answer
    assert answer.data["Status"] == "error", answer
    assert answer.data["Message"], answer


@pytest.mark.parametrize("path", OPERATOR_CALLS)
@pytest.mark.parametrize("kind", BODIES)
def test_a_hostile_body_of_an_operator_is_refused(server: Running, path: str, kind: str) -> None:
    answer = send(server, f"/api/operator{path}", BODIES[kind], server.context.operator_token)
    if (path, kind) == ("/import", "a list"):  # a file of no machines
        assert answer.status == 200
    else:
        assert is_refused(answer)


def test_what_is_nested_too_deep_inside_of_a_saved_state_is_refused(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    deep = json.loads("[" * 500 + "]" * 500)
    answer = agent.report(saved={"saved_at": "", "states": {"x": deep}})
    assert is_refused(answer)
    assert "levels" in answer.data["error"] + answer.data["hint"]
    assert server.operate("GET", "/health")["counts"] == {"json_depth": 1}
    assert agent.report(saved={"saved_at": "", "states": {"x": [[["[" * 500]]]}}).status == 200


@pytest.mark.parametrize("text", [r"a\u0000b", r"a\ud800b", r"a\udc00b", r"a\udbff\u0041b", r"a\ud83db"])
def test_a_character_that_no_database_keeps_is_shown_as_one_that_is_none(server: Running, text: str) -> None:
    agent = Agent(server)
    agent.register()
    body = rb'{"number": 1, "boot_id": "boot-1", "log": [{"n": 1, "at": "x", "text": "%s", "level": "%s"}]}'
    answer = send(server, f"{V2}/report", body % (text.encode(), text.encode()), agent.session)
    assert answer.status == 200, answer
    with server.context.store.read() as session:
        (line,) = session.query(LogLine).all()
    assert line.text in ("a\ufffdb", "a\ufffdAb")
    assert line.level in ("a\ufffdb", "a\ufffdAb")


def test_text_that_only_looks_like_such_a_character_stays_as_it_is(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    text = "\\u0000 \\ud800 \U0001f600 \\\\u0000"
    agent.report(log=[{"n": 1, "at": "x", "text": text}])
    body = rb'{"number": 2, "boot_id": "boot-1", "log": [{"n": 2, "at": "x", "text": "\ud83d\ude00\u0000"}]}'
    assert send(server, f"{V2}/report", body, agent.session).status == 200
    with server.context.store.read() as session:
        lines = [line.text for line in session.query(LogLine).order_by(LogLine.n)]
    assert lines == [text, "\U0001f600\ufffd"]


@pytest.mark.parametrize(
    "said",
    [
        {"number": 2**63},
        {"number": -(2**63) - 1},
        {"number": 2**64 - 1},
        {"log": [{"n": 2**63, "at": "x", "text": "x"}]},
        {"log": [{"n": 2**63 - 1, "at": "x", "text": "x"}]},
        {"log": [{"n": -(2**63) - 1, "at": "x", "text": "x"}]},
    ],
)
def test_a_number_that_no_database_keeps_is_refused(server: Running, said: dict[str, Any]) -> None:
    agent = Agent(server)
    agent.register()
    assert is_refused(agent.report(**said))


@pytest.mark.parametrize("job_id", ["²", "9" * 5000, "99999999999999999999", "-1", "1.5", "٣", "1 ", "\x00"])
def test_a_report_of_a_job_that_is_none_is_told_to_stop(server: Running, job_id: str) -> None:
    agent = Agent(server)
    agent.register()
    answer = agent.report(job_id)
    assert answer.status == 200
    assert answer.data["cancel"] is True
    assert is_refused(agent.upload_mac(job_id))


HUGE = (
    "9" * 5000,
    "9" * 19,
    "99999999999999999999",
    "9223372036854775808",
    "%C2%B2",
    "-1",
    "%00",
    "0x1",
    "1e5",
)


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/{}"),
        ("GET", "/jobs/{}/log"),
        ("GET", "/jobs/{}/events"),
        ("POST", "/jobs/{}/cancel"),
        ("GET", "/jobs?limit={}"),
        ("GET", "/jobs?machine={}"),
        ("GET", "/audit?limit={}"),
        ("GET", "/machines/{}"),
        ("GET", "/machines/id:{}"),
        ("DELETE", "/machines/id:{}"),
        ("DELETE", "/support/{}"),
        ("DELETE", "/pins/{}"),
        ("GET", "/pools/{}"),
        ("DELETE", "/pools/x/held/{}"),
        ("GET", "/templates/{}"),
        ("GET", "/images/{}"),
        ("PUT", "/images/x/files?name=y&offset={}"),
    ],
)
def test_a_number_that_no_id_has_is_refused(server: Running, method: str, path: str, number: str) -> None:
    answer = server.call(method, "/api/operator" + path.format(number), None, server.context.operator_token)
    assert is_refused(answer)


@pytest.mark.parametrize("number", HUGE)
def test_a_log_from_a_place_that_there_is_not_is_empty_or_refused(server: Running, number: str) -> None:
    server.put_template()
    job = server.create_job()
    answer = server.call(
        "GET", f"/api/operator/jobs/{job['id']}/log?after={number}", None, server.context.operator_token
    )
    assert answer.status == 400 or (answer.status == 200 and number in ("-1", "1e5")), answer


@pytest.mark.parametrize("wait", ["9" * 5000, "1e999", "nan", "-1", "²", "inf"])
def test_a_poll_that_waits_for_a_time_that_is_none_is_refused_or_waits_no_longer(
    server: Running, wait: str
) -> None:
    answer = server.call("GET", f"{V2}/order?wait_s={wait}", None, "no session")
    assert answer.status in (400, 401), answer


@pytest.mark.parametrize(
    ("span", "status"),
    [
        ("bytes=0-" + "9" * 5000, 206),
        ("bytes=" + "9" * 5000 + "-", 416),
        ("bytes=-" + "9" * 5000, 206),
        ("bytes=²-", 200),
        ("bytes=-0", 416),
        ("bytes=0-0,2-3", 200),
        ("bytes=" + "0" * 5000 + "-1", 206),
    ],
)
def test_a_range_of_any_length_is_answered(server: Running, span: str, status: int) -> None:
    server.data.joinpath("files/x").write_bytes(b"0123456789")
    answer = server.request(
        "GET", "/bootos/files/x", headers={"Range": span.encode("latin-1").decode("latin-1")}
    )
    assert answer.status == status


def test_a_registration_of_an_ordinary_machine_is_far_below_the_limits(server: Running) -> None:
    body = msgspec.json.encode(REGISTRATION)
    assert len(body) * 100 < server.context.settings.limits.registration_bytes
    assert send(server, f"{V2}/register", body).status == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (f"{V2}/register", "registration_bytes"),
        (f"{V2}/report", "report_bytes"),
        (f"{V2}/mac", "body_bytes"),
        (f"{V2}/capture", "report_bytes"),
        (f"{v1.PREFIX}/report/deviceProductInfo", "body_bytes"),
        (f"{v1.PREFIX}/report/deviceInstallInfo", "v1_log_bytes"),
    ],
)
def test_a_body_that_is_too_large_is_refused_with_the_size_that_is_taken(
    server: Running, path: str, limit: str
) -> None:
    size = getattr(server.context.settings.limits, limit)
    agent = Agent(server)
    agent.register()
    answer = send(server, path, b" " * (size + 1), agent.session)
    assert answer.status == 413, answer
    assert f"{size:,} bytes" in answer.data["error"] + answer.data["hint"]
    health = server.operate("GET", "/health")
    assert health["counts"] == {limit: 1}
    assert path in health["sentences"][0]["detail"]
    assert send(server, path, b" " * size, agent.session).status != 413


@pytest.mark.parametrize("call", ["report", "capture"])
def test_a_large_body_is_read_for_a_session_only(server: Running, call: str) -> None:
    size = server.context.settings.limits.body_bytes
    answer = send(server, f"{V2}/{call}", b" " * (size + 1), "no session of anybody")
    assert answer.status == 401, answer


def test_a_piece_of_an_image_that_is_too_large_is_refused_with_the_size_that_is_taken(
    server: Running,
) -> None:
    limit = "operator_body_bytes"
    size = getattr(server.context.settings.limits, limit)
    path, token = "/api/operator/images/x/files?name=vmlinuz&offset=0", server.context.operator_token
    answer = server.call("PUT", path, b" " * (size + 1), token)
    assert (answer.status, answer.data["hint"]) == (413, f"at most {size:,} bytes")
    health = server.operate("GET", "/health")
    assert health["counts"] == {limit: 1}
    assert "/images/x/files" in health["sentences"][0]["detail"]
