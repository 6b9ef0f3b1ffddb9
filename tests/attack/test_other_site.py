"""A page of somebody else, in the browser of an operator who is logged in, reads nothing and changes nothing.

It is served at the server's own host and over TLS, where a browser sends the cookie along however strict it is (ports
make no other site, another scheme does): what holds then is the server's.
"""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificate import Authority
from chromium import chromium, log_in
from playwright.sync_api import BrowserContext
from serving import Agent, Running
from webfiles import serve_files

__all__ = ["chromium"]

READ = """<iframe src="BASE/"></iframe><script>
(async () => {
  const got = [];
  for (const path of ['/', '/machines/id:1', '/api/operator/machines', '/schema/openapi.json', '/static/live.js']) {
    try {
      got.push(await (await fetch('BASE' + path, {credentials: 'include'})).text());
    } catch {
      got.push('refused');
    }
  }
  document.title = JSON.stringify(got);
})();
</script>"""
SEND = """<script>
(async () => {
  const send = (path, body) => fetch('BASE' + path, {method: 'POST', mode: 'no-cors', credentials: 'include', body});
  await send('/machines/id:1/jobs', new URLSearchParams({template: 't', mode: 'apply', form_token: ''}));
  await send('/api/operator/jobs', JSON.stringify({machine: 'SN001', template: 't'}));
  await send('/logout', new URLSearchParams({}));
  document.title = 'sent';
})();
</script>"""
FORM = """<form method="post" action="BASE/machines/id:1/jobs">
<input name="template" value="t"><input name="mode" value="apply"><input name="form_token" value="0"></form>
<script>document.forms[0].submit()</script>"""


@pytest.fixture
def elsewhere(server: Running, tmp_path: Path) -> Iterator[str]:
    """The address of the other site, with a page for each thing that it does."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for name, text in (("read", READ), ("send", SEND), ("form", FORM)):
        (pages / f"{name}.html").write_text(text.replace("BASE", server.operator_url))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*Authority().write(tmp_path / "tls"))
    with serve_files(pages, tls=tls) as url:
        yield url


@pytest.fixture(autouse=True)
def machine(server: Running) -> Agent:
    agent = Agent(server)
    assert agent.register().status == 200
    server.put_template()
    return agent


def test_it_reads_nothing_and_shows_no_page_of_the_server_in_a_frame(
    server: Running, chromium: BrowserContext, elsewhere: str
) -> None:
    log_in(chromium, server)
    page = chromium.new_page()
    page.goto(f"{elsewhere}/read.html")
    page.wait_for_function("document.title !== ''")
    assert json.loads(page.title()) == ["refused"] * 5
    framed = [frame for frame in page.frames if frame is not page.main_frame]
    assert [frame.url for frame in framed] == ["chrome-error://chromewebdata/"]


def test_what_it_sends_with_the_operators_cookie_changes_nothing(
    server: Running, chromium: BrowserContext, elsewhere: str
) -> None:
    own = log_in(chromium, server)
    page = chromium.new_page()
    page.goto(f"{elsewhere}/send.html")
    page.wait_for_function("document.title === 'sent'")
    page.goto(f"{elsewhere}/form.html")
    page.wait_for_url(f"{server.operator_url}/machines/id:1/jobs")
    assert "this form is too old" in page.locator("body").inner_text()
    assert server.operate("GET", "/jobs") == []
    own.reload()
    assert own.locator("text=Log out").count() == 1
