"""A visitor who logs in at the web pages and follows every link."""

import html
import re
from pathlib import Path

import urllib3


def read_every_page(url: str, data: Path) -> dict[str, str]:
    """Every page that links lead to from the front page, by its path. `data`: the server's directory."""
    pool = urllib3.PoolManager(retries=False, timeout=30)
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
