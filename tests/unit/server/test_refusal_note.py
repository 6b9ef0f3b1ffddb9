"""What was refused or cut is told to operators, on a page and by a command; so is what is old enough to go."""

import json
from pathlib import Path

from browsing import log_in, read
from commanding import Desk, open_own_desk
from serving import Running

SENTENCE = "127.0.0.9 registers <b>too</b> often\x1b[2J"


def test_the_page_shows_whom_and_which_limit_and_runs_nothing(server: Running) -> None:
    login = log_in(server)
    assert "Nothing was refused" in read(server, "/health", login)
    for _ in range(3):
        server.context.health.note("new_per_address", SENTENCE)
    page = read(server, "/health", login)
    assert "registers &lt;b&gt;too&lt;/b&gt; often" in page
    assert "<b>" not in page and "\x1b" not in page
    row = page[page.index("Limits that were passed") :]
    assert "<code>new_per_address</code>" in row
    assert f"{server.context.settings.limits.new_per_address} machines" in row
    assert '<td data-label="Passed">3</td>' in row


def test_every_page_links_to_it(server: Running) -> None:
    assert 'href="/health"' in read(server, "/jobs", log_in(server))


def test_the_command_tells_the_same(server: Running, tmp_path: Path) -> None:
    desk: Desk = open_own_desk(server, tmp_path)
    assert "nothing was refused" in desk.run("health")
    for _ in range(3):
        server.context.health.note("new_per_address", SENTENCE)
    shown = desk.run("health")
    assert "new_per_address" in shown and "registers <b>too</b> often" in shown and "\x1b" not in shown
    (sentence,) = json.loads(desk.run("health", "--json"))["sentences"]
    assert (sentence["what"], sentence["count"]) == ("new_per_address", 3)


def test_the_command_of_retention_says_how_much_is_old_and_when_it_begins(
    server: Running, tmp_path: Path
) -> None:
    desk: Desk = open_own_desk(server, tmp_path)
    counted = json.loads(desk.run("retention", "--dry-run", "--json"))
    assert (counted["dry_run"], counted["log_lines"], counted["jobs"]) == (True, 0, 0)
    assert (
        "0 log lines, 0 jobs, 0 inventories, 0 boots, 0 lines of the audit log are old enough to go"
        in desk.run("retention", "--dry-run")
    )
    assert "0 lines of the audit log were removed; nothing goes before" in desk.run("retention")
