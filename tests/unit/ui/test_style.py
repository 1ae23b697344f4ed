"""Text is readable in light and in dark: each pair of colours that meet has a contrast of 4.5
(AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import headgate.ui

FOLDER = Path(headgate.ui.__file__).parent
STYLE = (FOLDER / "static" / "console.css").read_text(encoding="utf-8")
TEXT_ON = [
    *[(name, ground) for name in ("text", "faint", "link") for ground in ("ground", "panel")],
    ("text", "chosen"), ("link", "chosen"), ("text", "idle-ground"), ("ground", "link"),
    *[(level, f"{level}-ground") for level in ("good", "warn", "bad")],
    *[("text", f"{level}-ground") for level in ("warn", "bad")],
    ("bad", "panel"), ("good", "panel"),
]  # fmt: skip


def colours(scheme: str) -> dict[str, str]:
    """The stylesheet's named colours; the second block of them is the dark one."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0]))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[1]))
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    named = colours(scheme)
    assert contrast(named[text], named[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_and_bars_are_seen(scheme: str) -> None:
    named = colours(scheme)
    for shape in ("focus", "s0", "s1"):
        for ground in ("ground", "panel"):
            assert contrast(named[shape], named[ground]) >= 3.0, (shape, ground)


def test_pages_bring_nothing_of_their_own_that_the_policy_forbids() -> None:
    for page in (FOLDER / "templates").iterdir():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"\son\w+=|\sstyle=|<script(?! src=\"/static/)|\|safe", text), page
    assert "//" not in re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL)


def test_what_is_vendored_says_its_version_and_licence() -> None:
    licences = (FOLDER / "static" / "LICENSES.txt").read_text(encoding="utf-8")
    for script in (FOLDER / "static").glob("*.min.js"):
        assert script.name in licences
    assert 'version:"2.0.11"' in (FOLDER / "static" / "htmx.min.js").read_text(encoding="utf-8")
