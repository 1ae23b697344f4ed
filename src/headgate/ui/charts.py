"""Charts as SVG, made here: shapes with classes, no scripts, no styles, nothing of other people's
as markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape


class Bar(NamedTuple):
    """One bar: parts one upon the other (their classes are s0, s1, ...), and what is told of it."""

    parts: tuple[float, ...]
    title: str


def bars(columns: Sequence[Bar], *, label: str, width: int = 900, height: int = 96) -> Markup:
    """Return stacked bars, oldest left.

    label: what the picture says, for those who do not see it.
    """
    highest = max((sum(bar.parts) for bar in columns), default=0.0) or 1.0
    each = width / max(1, len(columns))
    shapes = []
    for index, bar in enumerate(columns):
        base = float(height)
        drawn = []
        for number, part in enumerate(bar.parts):
            tall = part / highest * (height - 2)
            if tall <= 0:
                continue
            base -= tall
            drawn.append(
                f'<rect class="s{number}" x="{index * each:.2f}" y="{base:.2f}" '
                f'width="{max(0.6, each * 0.82):.2f}" height="{tall:.2f}"/>'
            )
        if drawn:
            shapes.append(f"<g><title>{escape(bar.title)}</title>{''.join(drawn)}</g>")
    return _svg("bars", "".join(shapes), label, width, height)


def meter(share: float, *, label: str, width: int = 120, height: int = 10) -> Markup:
    """Return a bar that is filled to a share, 0 to 1."""
    filled = max(0.0, min(1.0, share)) * width
    level = "bad" if share >= 0.9 else "warn" if share >= 0.6 else "good"
    shapes = (
        f'<rect class="track" width="{width}" height="{height}" rx="2"/>'
        f'<rect class="{level}" width="{filled:.1f}" height="{height}" rx="2"/>'
    )
    return _svg("meter", shapes, label, width, height)


class Span(NamedTuple):
    """A step on a timeline: from and to are shares of it, 0 to 1."""

    begin: float
    end: float
    kind: str = "s0"


def timeline(span: Span, *, label: str, width: int = 300, height: int = 12) -> Markup:
    """Return one step where it is in time."""
    begin = max(0.0, min(1.0, span.begin)) * width
    wide = max(3.0, (min(1.0, span.end) - max(0.0, span.begin)) * width)
    shapes = (
        f'<rect class="track" y="5" width="{width}" height="2"/>'
        f'<rect class="{escape(span.kind)}" x="{min(begin, width - 3):.1f}" '
        f'width="{wide:.1f}" height="{height}" rx="2"/>'
    )
    return _svg("timeline", shapes, label, width, height)


def _svg(kind: str, shapes: str, label: str, width: int, height: int) -> Markup:
    return Markup(  # noqa: S704 - numbers and escaped text
        f'<svg class="chart {kind}" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width} {height}" preserveAspectRatio="none">{shapes}</svg>'
    )
