"""Fuzzers of what operators may call: every call of the OpenAPI document by schemathesis; templates, uploads and the
forms of the pages by strategies of their own."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import schemathesis
from agentpart import Try, quote_any, void
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from sender import Sender
from value import encode, junk, mutated, texts

ROOT = Path(__file__).parents[2]
KNOWN: dict[str, list[str]] = {
    "word": ["FUZZ-0", "id:1", "id:2", "id:9223372036854775808", "1"],
    "name": ["t", "p", "s"],
    "job_id": ["1", "2", "99999999999999999999"],
    "version": ["local", "v9", ".upload", ".."],
    "line": ["1", "9" * 30],
    "pin": ["1", "9" * 30],
}
"""What there is, by the parameter that names it: a word by chance is hardly ever one of these."""

DOCUMENTS = [
    (ROOT / "docs/examples/db-node.yaml").read_text(),
    "name: t\n",
    "a: &a [1]\nb: [*a, *a]\n",
    "a: &a [*a]\n",
    "{1: 2}\n",
    "? [a]\n: b\n",
    "!!python/object/apply:os.system ['id']\n",
    "a: !!binary x\nb: !!timestamp 2026-13-01\nc: !!set {x}\n",
    "- " * 500 + "x\n",
    "[" * 500 + "\n",
    "a: " + "9" * 5000 + "\n",
    "a: 0x" + "f" * 5000 + "\nb: 1:2:3:4\n",
    "a: .inf\nb: .nan\nc: -.inf\nd: 1e999\n",
    "<<: {a: 1}\n<<: [1]\n",
    "name: x\nname: y\n",
    "\ufeffname: x\n",
    "name: \ud800\n",
    "a = 1\n[a]\nb = 2\n",
    "a.b.c.d = 1\na.b = 2\n",
    "a = " + "9" * 5000 + "\n",
    "a = 9999-99-99T99:99:99Z\n",
]
ALIAS_BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Templates that somebody's program wrote wrong: lines taken out, doubled, changed; or no template at all."""
    lines = draw(st.sampled_from([*DOCUMENTS, ALIAS_BOMB])).splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 4))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
        elif kind == 2:
            head, mark, _ = lines[at].partition(":")
            lines[at] = f"{head}{mark} {draw(texts())}\n"
        else:
            lines[at] = draw(st.sampled_from(["  ", "\t", "- ", "&x ", "*x ", "! ", "| ", "? "])) + lines[at]
    return "".join(lines)


def build_manifest() -> dict[str, Any]:
    """One that is taken as it stands."""
    file = {"name": "vmlinuz", "size_bytes": 6, "sha256": hashlib.sha256(b"kernel").hexdigest()}
    return {
        "schema": 1,
        "name": "fuzz",
        "version": "v9",
        "files": [file, {**file, "name": "initrd.img"}],
        "layers": [{"name": "igb", "size_bytes": 6, "sha256": file["sha256"], "pci_ids": ["8086:10d3"]}],
        "loaders": [file],
    }


def build_tries(sender: Sender) -> dict[str, Try]:
    """By name: a strategy, and what sends one of its values."""
    base = sender.place.operator_url
    bearer = {"Authorization": f"Bearer {sender.place.token}", "Content-Type": "application/json"}

    def send(method: str, path: str, value: Any, headers: dict[str, str] = bearer) -> None:
        sender.send(method, base + path, encode(value), headers)

    tries: dict[str, Try] = {
        "templates": (
            st.tuples(documents(), st.sampled_from(["yaml", "toml", "json", "script", "x"])),
            lambda value: send("PUT", "/api/operator/templates/t", {"text": value[0], "format": value[1]}),
        ),
        "template check": (
            st.tuples(documents(), st.sampled_from(["yaml", "toml", "json"])),
            lambda value: send(
                "POST", "/api/operator/templates/check", {"text": value[0], "format": value[1]}
            ),
        ),
        "PXE templates": (
            st.tuples(texts() | documents(), texts()),
            lambda value: send(
                "PUT", "/api/operator/pxe-templates/p", {"content": value[0], "answer": value[1]}
            ),
        ),
        "manifests": (
            st.tuples(mutated(build_manifest()), texts() | st.just("")),
            lambda value: send(
                "POST",
                "/api/operator/images",
                {"manifest": encode(value[0]).decode(), "signature": value[1]},
            ),
        ),
        "pieces": (
            st.tuples(
                st.sampled_from(["v9", ".upload", ".."]) | texts(),
                st.sampled_from(["vmlinuz", "layers/igb.squashfs", "../x"]) | texts(),
                st.sampled_from(["0", "6", "-1", "²", "9" * 30, "9" * 5000, ""]) | texts(),
                st.binary(max_size=20),
            ),
            lambda value: void(
                sender.send(
                    "PUT",
                    f"{base}/api/operator/images/{quote_any(value[0])}/files"
                    f"?name={quote_any(value[1])}&offset={quote_any(value[2])}",
                    value[3],
                    bearer,
                )
            ),
        ),
        "imports": (
            st.lists(
                mutated({"sn": "IMP1", "mac": "52:54:00:00:00:07", "values": {"address": "10.0.0.7/24"}})
            ),
            lambda value: send("POST", "/api/operator/import", value),
        ),
        "settings": (
            mutated(
                {"hostname": "h", "address": "10.0.0.5/24", "gateway": "10.0.0.1", "vlan": "1", "own": "x"}
            ),
            lambda value: send("PATCH", "/api/operator/machines/FUZZ/settings", value),
        ),
        "pools": (
            mutated({"name": "p", "addresses": "10.0.0.10-10.0.0.20/24", "gateway": "10.0.0.1"}),
            lambda value: send("POST", "/api/operator/pools", value),
        ),
        "forms": (
            st.tuples(
                st.sampled_from(
                    ["/login", "/logout", "/machines/id:1/jobs", "/machines/id:1/capture", "/jobs/1/approve"]
                ),
                st.dictionaries(
                    st.sampled_from(["token", "next", "form_token", "template", "mode"]) | texts(),
                    texts(),
                    max_size=5,
                ),
            ),
            lambda value: void(
                sender.send(
                    "POST",
                    base + value[0],
                    urlencode(value[1], errors="surrogatepass").encode(),
                    {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"},
                )
            ),
        ),
        "pages": (
            st.tuples(
                st.sampled_from(
                    ["/?q=", "/parts/machines?q=", "/machines/", "/jobs/", "/templates/", "/login?next="]
                ),
                texts(),
                junk(),
            ),
            lambda value: void(
                sender.send(
                    "GET",
                    base + value[0] + quote_any(value[1]),
                    None,
                    {"Accept": "text/html", "Cookie": f"bootos_session={quote_any(str(value[2])[:200])}"},
                )
            ),
        ),
    }
    return tries | build_schema_tries(sender)


def build_schema_tries(sender: Sender) -> dict[str, Try]:
    """A try for every operation of the server's own OpenAPI document."""
    document = json.loads(sender.call("GET", "/schema/openapi.json"))
    schema = schemathesis.openapi.from_dict(document)
    tries: dict[str, Try] = {}
    for result in schema.get_all_operations():
        if not isinstance(result, Ok):
            raise result.err()
        operation = result.ok()
        tries[operation.label] = (
            st.tuples(operation.as_strategy(), st.integers(0, 1_000_000)),
            build_sending(sender, "/api/operator" in operation.path),
        )
    return tries


def build_sending(sender: Sender, operator: bool) -> Callable[[Any], None]:
    """What sends a case of schemathesis; every second one to something that is there."""
    url = sender.place.operator_url if operator else sender.place.machine_url

    def send(value: tuple[Any, int]) -> None:
        case, chance = value
        for name, known in KNOWN.items():
            if name in case.path_parameters and chance % 2:
                case.path_parameters[name] = known[chance // 2 % len(known)]
        told = case.as_transport_kwargs(base_url=url)
        prepared = build_request(told)
        headers = {**prepared.headers, "Authorization": f"Bearer {sender.place.token}"}
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        sender.send(prepared.method, prepared.url, body, headers)

    return send


def build_request(told: dict[str, Any]) -> Any:
    """The bytes of a request that schemathesis tells as arguments of `requests`."""
    import requests

    known = ("method", "url", "headers", "files", "data", "json", "params", "auth", "cookies", "hooks")
    return requests.Request(**{name: value for name, value in told.items() if name in known}).prepare()
