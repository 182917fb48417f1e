"""Pieces of HTML in which whatever comes from a hub is text, never markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

__all__ = ["Markup", "items", "page", "section", "table", "tag", "visible"]

VOID = ("meta", "link", "img", "br")
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
"""Signs that are not seen, or that change the direction of those beside them."""
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""What a page may load: its own files; no script or style is written into it."""


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def visible(text: str) -> str:
    """A text whose hidden signs are written out."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def tag(kind: str, /, *inside: str | None, **attributes: str | bool | None) -> Markup:
    """An element. inside: text, or Markup. attributes: `class_` for class and `aria_label` for aria-label; None or
    False leaves one out, True gives it no value.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    said = "".join(_attribute(key, value) for key, value in given.items() if value not in (None, False))
    start = f"<{kind}{said}>"
    return Markup(start if kind in VOID else f"{start}{joined(inside)}</{kind}>")


def _attribute(name: str, value: str | bool) -> str:
    return f" {name}" if value is True else f' {name}="{html.escape(visible(str(value)))}"'


def joined(parts: Iterable[str | None]) -> Markup:
    """Texts and Markup in a row."""
    known = (part for part in parts if part is not None)
    return Markup("".join(part if isinstance(part, Markup) else html.escape(visible(str(part))) for part in known))


def section(title: str, *inside: str | None, id_: str) -> Markup:
    """A part of a page with a heading that names it; nothing where there is nothing inside."""
    if not any(inside):
        return Markup("")
    return tag("section", tag("h2", title, id_=f"{id_}-title"), *inside, id_=id_, aria_labelledby=f"{id_}-title")


def items(texts: Iterable[str]) -> Markup | None:
    """A list; None of nothing."""
    found = [tag("li", tag("bdi", text)) for text in texts]
    return tag("ul", *found) if found else None


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup | None:
    """A table whose rows begin with what they are of, in a box that scrolls; None without rows."""
    found = [tag("tr", tag("th", tag("bdi", one), scope="row"), *(_cell(text) for text in more)) for one, *more in rows]
    if not found:
        return None
    top = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in head)))
    inside = tag("table", tag("caption", caption), top, tag("tbody", *found))
    return tag("div", inside, class_="scrolls", tabindex="0", role="region", aria_label=caption)


def _cell(text: str) -> Markup:
    return text if isinstance(text, Markup) and text.startswith("<td") else tag("td", tag("bdi", text))


def page(title: str, body: Markup, root: str, styles: Sequence[str] = (), scripts: Sequence[str] = ()) -> str:
    """A whole page. root: the way to the folder of the site, such as ../../; styles, scripts: as named there."""
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href=f"{root}static/icon.svg"),
        tag("title", title),
        *(tag("link", rel="stylesheet", href=f"{root}{file}") for file in styles),
        *(tag("script", src=f"{root}{file}", defer=True) for file in scripts),
    ]
    return f'<!doctype html>\n<html lang="en">\n{tag("head", *head)}\n{tag("body", body)}\n</html>\n'
