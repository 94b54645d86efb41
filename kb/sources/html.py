"""How does a page of HTML become text that reads well as an answer?

What is shown to a reader stays, as Markdown: headings, lists, tables, code, links, alternative texts. Scripts, styles
and what surrounds the article on every page go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from string import ascii_uppercase

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kb.sources.links import relative

# Parsing takes quadratic time in the depth: 84 s for 200,000 nested <div>, and no page of a person comes near this.
MAX_DEPTH = 400
_DROPPED = {
    "aside", "audio", "button", "canvas", "footer", "form", "head", "iframe", "link", "meta", "nav", "noscript",
    "object", "script", "select", "style", "svg", "template", "textarea", "video",
}  # fmt: skip
_BLOCKS = {
    "address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "ol", "p", "pre", "section",
    "summary", "table", "ul",
}  # fmt: skip
_NESTING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?=[\s/>])")
# Their end may be left out (https://html.spec.whatwg.org/multipage/syntax.html#optional-tags), or they have none.
_UNCLOSED = {
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img", "input", "li",
    "link", "meta", "option", "p", "param", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track",
    "wbr",
}  # fmt: skip
_ASCII_LOWER = {ord(letter): letter.lower() for letter in ascii_uppercase}
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_BLANKS = re.compile(r"\n{3,}")


class TooDeep(ValueError):
    """The elements of a page are nested deeper than any person nests them."""


@dataclass(frozen=True, slots=True)
class Page:
    """What an HTML page says; ``meta`` has its <meta> by lower-case name or property."""

    title: str
    text: str
    language: str | None
    url: str | None
    meta: dict[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()


def read_page(html: str) -> Page:
    """A whole page; of what surrounds <main> or the only <article> nothing is kept. Raises ``TooDeep``."""
    tree = _parse(html)
    root = _main(tree)
    heading = root.css_first("h1") if root else None
    title = _line(tree.css_first("title"))
    if heading and _line(heading) and (not title or _line(heading).casefold() in title.casefold()):
        title = _line(heading)  # the page's title has the site's name besides
    language = tree.root.attributes.get("lang") if tree.root else None
    canonical = tree.css_first('link[rel="canonical"]')
    url = (canonical.attributes.get("href") or "") if canonical else ""
    return Page(
        title=title,
        text=_Writer().written(root) if root else "",
        language=language,
        url=url if url.startswith(("http://", "https://")) else None,
        meta=_meta(tree),
        links=relative(node.attributes.get("href") or "" for node in (root.css("a[href]") if root else ())),
        anchors=_anchors(root),
    )


def readable_html(html: str) -> str:
    """A piece of HTML, such as the body of an article in an export → Markdown. Raises ``TooDeep``."""
    body = _parse(html).body
    return _Writer().written(body) if body else ""


def looks_like_html(text: str) -> bool:
    """Whether a text of unknown format is HTML."""
    return bool(re.search(r"<(?:p|div|br|ul|ol|li|table|h[1-6]|span|pre)(?:\s[^<>]*)?/?>", text[:100_000], re.I))


def _parse(html: str) -> LexborHTMLParser:
    html = html.replace("\0", "")
    for begin, end in (("<!--", "-->"), ("<script", "</script"), ("<style", "</style")):
        html = _without(html, begin, end)
    depth: Counter[str] = Counter()
    for closing, name in _NESTING.findall(html.lower()):
        if closing:
            depth[name] = max(0, depth[name] - 1)
        elif name not in _UNCLOSED:
            depth[name] += 1
            if depth.total() > MAX_DEPTH:
                raise TooDeep(f"its elements are nested more than {MAX_DEPTH} deep")
    return LexborHTMLParser(html)


def _without(html: str, begin: str, end: str) -> str:
    """The page without what stands between the marks; without an end it is the rest, as in browsers."""
    lower = html.translate(_ASCII_LOWER)  # of other letters the small one may be longer
    kept, position = [], 0
    while (start := lower.find(begin, position)) >= 0:
        kept.append(html[position:start])
        found = lower.find(end, start + len(begin))
        if found < 0:
            return "".join(kept)
        position = found + len(end)
    return "".join([*kept, html[position:]])


def _main(tree: LexborHTMLParser) -> LexborNode | None:
    for selector in ("main", '[role="main"]', "article"):
        found = tree.css(selector)
        if len(found) == 1:
            return found[0]
    return tree.body


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        name = node.attributes.get("name") or node.attributes.get("property")
        if name:
            found.setdefault(name.lower(), " ".join((node.attributes.get("content") or "").split()))
    return found


def _anchors(root: LexborNode | None) -> tuple[str, ...]:
    nodes = root.css("[id], a[name]") if root else []
    return tuple(dict.fromkeys(filter(None, (n.attributes.get("id") or n.attributes.get("name") for n in nodes))))


def _line(node: LexborNode | None) -> str:
    return " ".join(node.text().split()) if node else ""


def _is_shown(node: LexborNode) -> bool:
    name = node.tag or ""
    if name in _DROPPED or "hidden" in node.attributes or node.attributes.get("aria-hidden") == "true":
        return False
    # The header of an article holds its heading, that of a site its menu.
    return name != "header" or node.css_first("h1, h2") is not None


class _Writer:
    """Writes the elements of one page as Markdown."""

    def written(self, root: LexborNode) -> str:
        return _BLANKS.sub("\n\n", "\n\n".join(filter(None, self._blocks(root)))).strip("\n")

    def _blocks(self, node: LexborNode) -> Iterator[str]:
        """The element's blocks; words that stand between blocks are a paragraph."""
        words: list[str] = []
        for child in node.iter(include_text=True):
            if child.tag in _BLOCKS or (child.tag not in ("-text", "-comment") and _holds_blocks(child)):
                yield _paragraph(words)
                words = []
                if _is_shown(child):
                    yield from self._block(child)
            else:
                words.append(self._inline(child))
        yield _paragraph(words)

    def _block(self, node: LexborNode) -> Iterator[str]:
        name = node.tag or ""
        if re.fullmatch("h[1-6]", name):
            words = _paragraph([self._inside(node)]).replace("\n", " ")
            yield f"{'#' * int(name[1])} {words}" if words else ""
        elif name == "pre":
            yield _fenced(node.text(), _code_language(node))
        elif name in ("ul", "ol"):
            yield self._list(node)
        elif name == "table":
            yield self._table(node)
        elif name != "hr":
            yield from self._blocks(node)

    def _list(self, node: LexborNode) -> str:
        number = int(start) if (start := node.attributes.get("start") or "").isdigit() else 1
        items: list[str] = []
        for child in node.iter():
            body = "\n\n".join(filter(None, self._blocks(child))) if _is_shown(child) else ""
            if not body:
                continue
            mark = f"{number}. " if node.tag == "ol" else "- "
            number += child.tag == "li"
            # Nested lists follow their item at once, as people write them.
            body = re.sub(r"\n\n(?=(?:-|\d+\.) )", "\n", body)
            items.append(mark + body.replace("\n", "\n" + " " * len(mark)))
        return re.sub(r"^[ \t]+$", "", "\n".join(items), flags=re.MULTILINE)

    def _table(self, node: LexborNode) -> str:
        rows = [
            [cell for cell in row.iter() if cell.tag in ("td", "th")]
            for row in node.css("tr")
            if _nearest_table(row) == node
        ]
        rows = [row for row in rows if row]
        if all(len(row) == 1 for row in rows):  # a frame around something, not a table
            return "\n\n".join(block for row in rows for cell in row for block in filter(None, self._blocks(cell)))
        lines = [[" ".join(self._inside(cell).split()) for cell in row] for row in rows]
        width = max(map(len, lines))
        lines = [line + [""] * (width - len(line)) for line in lines]
        written = ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join([written[0], "|" + " --- |" * width, *written[1:]])

    def _inside(self, node: LexborNode) -> str:
        return "".join(self._inline(child) for child in node.iter(include_text=True))

    def _inline(self, node: LexborNode) -> str:
        name = node.tag or ""
        if name == "-text":
            return _SPACE.sub(" ", node.text_content or "")
        if name == "-comment" or not _is_shown(node):
            return ""
        if name in _MARKS:
            return _MARKS[name](node)
        inside = self._inside(node)
        if name in _BLOCKS:
            return f" {inside} "
        return _linked(inside, node.attributes.get("href") or "") if name == "a" else inside


def _image(node: LexborNode) -> str:
    words = " ".join((node.attributes.get("alt") or "").split())
    return f"(Image: {words.rstrip('.')})" if words else ""


def _code(node: LexborNode) -> str:
    words = " ".join(node.text().split())
    return f"`{words}`" if words and "`" not in words else words


_MARKS: dict[str, Callable[[LexborNode], str]] = {"br": lambda _: "\n", "img": _image, "code": _code}


def _holds_blocks(node: LexborNode) -> bool:
    return any(child.tag in _BLOCKS or _holds_blocks(child) for child in node.iter())


def _nearest_table(node: LexborNode) -> LexborNode | None:
    parent = node.parent
    while parent is not None and parent.tag != "table":
        parent = parent.parent
    return parent


def _paragraph(words: list[str]) -> str:
    lines = (_SPACE.sub(" ", line).strip() for line in "".join(words).split("\n"))
    return "\n".join(filter(None, lines))


def _linked(words: str, target: str) -> str:
    address = target.removeprefix("mailto:")
    is_absolute = target.startswith(("http://", "https://", "mailto:"))
    if not words.strip() or not is_absolute or address in words or words.strip() in address:
        return words
    return f"{words} ({address})"


def _fenced(code: str, language: str) -> str:
    code = code.strip("\n").rstrip()
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}" if code.strip() else ""


def _code_language(node: LexborNode) -> str:
    inner = node.css_first("code")
    names = " ".join((each.attributes.get("class") or "") for each in (node, inner) if each)
    found = re.search(r"\b(?:language|lang)-([\w+#-]+)", names)
    return found.group(1) if found else ""
