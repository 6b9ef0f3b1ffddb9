"""A visitor of the web pages: logs in, reads, sends forms, follows every link."""

import html
import re
from pathlib import Path
from urllib.parse import urlencode

import urllib3
from serving import Running

from bootos.server.command.site import read_address_file


def read_every_page(url: str, data: Path) -> dict[str, str]:
    """Every page that links lead to from the front page, by its path. `data`: the server's directory."""
    site = read_address_file(data)
    assert site is not None
    pool = urllib3.PoolManager(retries=False, timeout=30, ssl_context=site.build_tls())
    token = (data / "operator.token").read_text().strip()
    fields = {"token": token, "next": "/"}
    answer = pool.request("POST", f"{url}/login", fields=fields, encode_multipart=False, redirect=False)
    assert answer.status == 303, answer.data
    headers = {"Cookie": answer.headers["set-cookie"].partition(";")[0], "Accept": "text/html"}
    pages: dict[str, str] = {}
    left = ["/"]
    while left:
        path = left.pop()
        if path in pages:
            continue
        answer = pool.request("GET", url + path, headers=headers, redirect=False)
        assert answer.status == 200, (path, answer.status)
        pages[path] = answer.data.decode()
        left += [html.unescape(link) for link in re.findall(r'(?:href|data-part)="(/[^"#]*)"', pages[path])]
    return pages


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def log_in(server: Running) -> dict[str, str]:
    body = urlencode({"token": server.context.operator_token, "next": "/jobs"}).encode()
    answer = server.request("POST", "/login", body, FORM)
    assert answer.status == 303
    assert answer.headers["location"] == "/jobs"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert server.context.operator_token not in cookie
    return {"Cookie": cookie.partition(";")[0], "Accept": "text/html"}


def read(server: Running, path: str, headers: dict[str, str]) -> str:
    answer = server.request("GET", path, headers=headers)
    assert answer.status == 200, answer.data
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return str(answer.data.decode())


def send(server: Running, path: str, headers: dict[str, str], **fields: str) -> tuple[int, str]:
    answer = server.request("POST", path, urlencode(fields).encode(), {**headers, **FORM})
    return answer.status, answer.headers.get("location") or answer.data.decode()


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page)
    assert found
    return found[1]
