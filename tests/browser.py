"""Chromium for tests of pages: the one that is installed, driven by Playwright; without either, tests are skipped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["Watched", "chromium", "opened", "until"]


@contextmanager
def chromium(*more: str) -> Iterator:
    """A running Chromium. more: arguments of its command."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *more])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """What a page did that it should not: messages of its console, errors, and requests to other hosts."""

    def __init__(self, page, own: str) -> None:
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        page.on("request", lambda request: request.url.startswith(own) or self.wrong.append(f"asked: {request.url}"))


@contextmanager
def opened(browser, address: str, own: str, **settings) -> Iterator:
    """A page of a browser, of which nothing may go wrong. own: what all addresses that it asks for begin with."""
    context = browser.new_context(**settings)
    page = context.new_page()
    watched = Watched(page, own)
    try:
        page.goto(address)
        yield page
        assert not watched.wrong, watched.wrong
    finally:
        context.close()


def until(page, expression: str, seconds: float = 30.0):
    """What an expression gives once that is true. Playwright's own way evaluates text in the page, which the policy of
    ours forbids.
    """
    end = time.monotonic() + seconds
    while not (found := page.evaluate(expression)):
        assert time.monotonic() < end, f"not within {seconds:g} s: {expression}"
        page.wait_for_timeout(5)
    return found
