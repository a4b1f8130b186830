"""HTML in which nothing goes unescaped by accident, and figures that a program can read back."""

from __future__ import annotations

import html
import json
import math
from typing import Any

ABSENT = "–"


class Markup(str):
    """Text that is HTML already; any other text is escaped when it comes into an element."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """Text as HTML, quotes included; what is HTML already stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=True))


def joined(*parts: object) -> Markup:
    """Parts one after the other, escaped where they must be; None is nothing."""
    return Markup("".join(escaped(part) for part in parts if part is not None))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element.

    Args:
        name: Its name.
        children: Elements and text.
        attributes: A trailing underscore is left out and any other becomes a hyphen; None and False leave the attribute
            out, True leaves its value out.

    Example:
        >>> tag("td", "a < b", class_="wide", data_key="n")
        '<td class="wide" data-key="n">a &lt; b</td>'
    """
    opening = [name]
    for key, value in attributes.items():
        label = key.rstrip("_").replace("_", "-")
        if value is True:
            opening.append(label)
        elif value is not None and value is not False:
            opening.append(f'{label}="{escaped(value)}"')
    return Markup(f"<{' '.join(opening)}>{joined(*children)}</{name}>")


def figure(name: str, key: str, value: Any, text: str, **attributes: object) -> Markup:
    """An element with a figure of the report, its place in the report's JSON, and its exact value."""
    return tag(name, text, data_key=key, data_value=json.dumps(plain(value)), **attributes)


def plain(value: Any) -> Any:
    """Data for JSON: a figure that is not finite, which JSON cannot say, becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def data_block(identity: str, value: Any) -> Markup:
    """Data for the page's script, which no text in it can end."""
    text = json.dumps(plain(value), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{escaped(identity)}">{text}</script>')


def milliseconds(value: float | None) -> str:
    """A duration in few characters: 0.042, 14.20, 242.0, 2100."""
    if value is None or not math.isfinite(value):
        return ABSENT
    size = abs(value)
    if size < 0.0995:
        return "0" if size == 0 else f"{value:.3f}"
    return f"{value:.2f}" if size < 99.995 else f"{value:.1f}" if size < 999.95 else f"{value:.0f}"


def limit(value: float | None) -> str:
    """A limit as it was written down."""
    return ABSENT if value is None else f"{value:g}" if value < 1e6 else f"{value:.0f}"


def count(value: int | None) -> str:
    """A number of things, in groups of three digits that a narrow space parts."""
    return ABSENT if value is None else f"{value:,}".replace(",", "\u202f")


def share(part: float) -> str:
    """A value as a part of its limit: 62 %, 140 %, 27 times."""
    return f"{100 * part:.0f}\u202f%" if part < 9.995 else f"{part:.0f}\u202f×"


def words(name: object) -> str:
    """A name as it is spoken: command_age becomes command age."""
    return str(name).replace("_", " ")
