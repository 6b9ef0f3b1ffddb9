"""Debian's chromium, driven by Playwright, as an operator's browser. Each test gets a profile of its own."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright
from serving import Running

CHROMIUM = "/usr/bin/chromium"
DEADLINE_MS = 60_000  # for each thing that a page is waited for


@pytest.fixture
def chromium() -> Iterator[BrowserContext]:
    """A browser without a window and without a past. It takes the server's certificate, whose authority is made with
    the server, for what it is: whether it is the right one is another test's."""
    # root has no sandbox of chromium's
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = browser.new_context(ignore_https_errors=True)
        context.set_default_timeout(DEADLINE_MS)
        yield context
        browser.close()


def log_in(context: BrowserContext, server: Running) -> Page:
    """The first page that an operator sees, who typed the token into the form."""
    page = context.new_page()
    page.goto(f"{server.operator_url}/login")
    page.fill("input[name=token]", server.context.operator_token)
    page.press("input[name=token]", "Enter")
    page.wait_for_url(f"{server.operator_url}/")
    return page
