"""A real headless Chromium for tests, where Debian's is; it is never downloaded."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or ""
# Nothing that it would do by itself: no network of its own, no GPU, no first-run pages.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


@contextmanager
def chromium() -> Iterator[Callable[..., Any]]:
    """Yield what opens browsers: contexts of Playwright's, each with a profile of its own.

    Playwright runs once in a thread: keep one of these for a module.
    """
    from playwright.sync_api import sync_playwright

    with ExitStack() as opened:
        driver = opened.enter_context(sync_playwright())

        def open_browser(**options: Any) -> Any:
            profile = opened.enter_context(tempfile.TemporaryDirectory())
            context = driver.chromium.launch_persistent_context(
                profile,
                executable_path=CHROMIUM,
                args=ARGUMENTS,
                viewport={"width": 1280, "height": 900},
                **options,
            )
            opened.callback(context.close)
            return context

        yield open_browser


class Watched:
    """A page, and what it complained of: errors of scripts, refused resources."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        # An instance that the history has not seen yet is not there, and comes.
        is_early = "404" in message.text and "/instances/" in str(message.location)
        if message.type == "error" and not is_early:
            self.complaints.append(message.text)

    def shoot(self, folder: Path, name: str) -> None:
        """Keep pictures in light and dark, wide and narrow; none is wider than its window."""
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size({"width": width, "height": 900})
                wide = self.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is {wide} wide in a window of {width}"
                path = folder / f"{name}-{scheme}-{width}.png"
                self.page.screenshot(path=path, full_page=True)
        self.page.set_viewport_size({"width": 1280, "height": 900})
