"""HTML mail to text: a scanner in one pass, since tree builders take quadratic time when deep.

Measured: 100,000 nested `<div>` (0.5 MB) take selectolax's Lexbor 9.5 s, 100,000 attributes 16 s,
each at least four times as long at twice the size. Mail is written by strangers, and text needs
no tree.
"""

import html
import re
from collections.abc import Iterator

_BLOCKS = frozenset(
    "address article aside blockquote body br center dd details dialog div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html legend li main nav ol p "
    "pre section summary table tbody tfoot thead tr ul".split()
)
_CELLS = frozenset({"td", "th", "option"})
_INLINE = frozenset("a abbr b big code del em font i ins kbd mark q s small span strong u".split())
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_RAW = frozenset({"iframe", "noscript", "script", "style", "title"})  # no element inside counts
_UNSEEN = _RAW | {"audio", "canvas", "math", "object", "select", "svg", "template", "video"}
_CONTAINERS = (_BLOCKS | _CELLS | _INLINE) - _VOID

_MAIL_TAGS = (
    "html|head|body|meta|style|div|p|span|table|tbody|tr|td|ul|ol|li|blockquote|center|font"
    "|h[1-6]|pre|br|hr|img|a|b|i|u|em|strong|small|o:p"
)
_BEGINS = re.compile(rf"<(?:!doctype\s+html|!--|(?:{_MAIL_TAGS})(?:\s[^<>]*)?/?>)", re.IGNORECASE)
_HOLDS = re.compile(
    r"<br\s*/?>|</(?:html|body|div|p|span|table|tr|td|ul|ol|li|blockquote|font|h[1-6]|a|b|strong)>",
    re.IGNORECASE,
)
_READS_AS_TAG = re.compile(
    rf"<(?=!doctype\s|!--|/?(?:{_MAIL_TAGS})(?:[\s/>]|$))", re.IGNORECASE | re.MULTILINE
)

_TOKEN = re.compile(
    r"<(?:(?P<comment>!--)"
    r"|(?P<close>/?)(?P<name>[a-zA-Z][^\s/>]*+)"
    r"(?P<attributes>(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>?"
    r"|[!?/][^>]*+>?)"
)
_WHITE = re.compile(r"\s+")
_HIDDEN = re.compile(
    r"(?:^|\s)(?:hidden(?=[\s=>/]|$)|style\s*=[^>]*?(?:display\s*:\s*none|visibility\s*:\s*hidden"
    r"|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em|%|[\s;\"']|$)))",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"class\s*=\s*[\"']?[^\"'>]*\b(?:x_)?(?:gmail_signature|moz-signature|protonmail_signature)"
    r"|id\s*=\s*[\"']?(?:x_)*(?:ms-outlook-mobile-signature|Signature)(?=[\"'\s>]|$)",
    re.IGNORECASE,
)
_QUOTE = re.compile(
    r"class\s*=\s*[\"']?[^\"'>]*\b(?:x_)?(?:gmail_quote|moz-cite-prefix|yahoo_quoted"
    r"|protonmail_quote|OutlookMessageHeader|tutanota_quote)",
    re.IGNORECASE,
)
_CITE = re.compile(r"type\s*=\s*[\"']?cite\b", re.IGNORECASE)
_REST_IS_QUOTE = re.compile(r"id\s*=\s*[\"']?(?:x_)*divRplyFwdMsg\b", re.IGNORECASE)
_FORWARDED = re.compile(
    r"forwarded message|weitergeleitete nachricht|message (?:transf[ée]r[ée]|r[ée]exp[ée]di[ée])"
    r"|mensaje reenviado",
    re.IGNORECASE,
)
_SEARCHED = 1_000  # characters of attributes that are searched for a class, an id or a style
_LOOK_AHEAD = 600  # characters of markup in which a forwarded message tells that it is one


def is_html(text: str) -> bool:
    """Tell HTML from plain text that merely holds `<`, a tag's name or an XML log.

    HTML begins with a tag that mail programs write, or holds a line break or a closing tag of
    such; anything else is plain.
    """
    if "<" not in text:
        return False
    return _BEGINS.match(text.lstrip()) is not None or _HOLDS.search(text) is not None


def to_text(text: str, *, history: bool = False) -> str:
    """Give what a reader of the HTML sees, blocks and rows as lines, without quoted mail.

    Scripts, styles, hidden parts and marked signatures go; links, tables and list items stay as
    their text. A quote leaves a line `>` behind. With `history`, quoted mail stays. The result
    never reads as HTML again.
    """
    pieces: list[str] = []
    preformatted = False
    fresh = True  # at the beginning of a line: a block that begins or ends there breaks none
    for piece, name in _pieces(text, history=history):
        if not name and not preformatted:
            if piece and not (fresh and piece.isspace()):
                pieces.append(_WHITE.sub(" ", html.unescape(piece)))
                fresh = False
        elif not name:
            pieces.append(html.unescape(piece))
            fresh = piece.endswith("\n")
        elif piece and not (fresh and piece == "\n" and name != "br"):
            pieces.append(piece.lstrip("\n") if fresh and name != "br" else piece)
            fresh = piece.endswith("\n")
        preformatted = name == "pre" or (preformatted and name != "/pre")
    return _READS_AS_TAG.sub("< ", "".join(pieces))


def without_tags(text: str) -> str:
    """Give the text between all tags: what is left to show when a reader would see nothing."""
    return _READS_AS_TAG.sub("< ", html.unescape(_TOKEN.sub(" ", text)))


def _pieces(text: str, *, history: bool) -> Iterator[tuple[str, str]]:
    """Yield (text between tags, "") and (what a tag leaves behind, the tag's name)."""
    position = 0
    while (tag := _TOKEN.search(text, position)) is not None:
        if tag.start() > position:
            yield text[position : tag.start()], ""
        position = tag.end()
        if tag["comment"]:
            end = text.find("-->", position)
            position = len(text) if end < 0 else end + 3
        elif tag["name"] and tag["close"]:
            yield _break_after(tag["name"].lower())
        elif tag["name"]:
            name = tag["name"].lower()
            left, unseen = _left_by(tag, name, history=history)
            yield left, name
            if unseen:
                position = _end_of(unseen, text, position)
    yield text[position:], ""


def _break_after(name: str) -> tuple[str, str]:
    if name in _BLOCKS and name != "br":
        return "\n", f"/{name}"
    return (" " if name in _CELLS else ""), f"/{name}"


def _left_by(tag: re.Match[str], name: str, *, history: bool) -> tuple[str, str]:
    """Give what stands in the text for an opening tag, and the element to pass over, if any."""
    if name in _UNSEEN:
        return "", name
    if name in _CONTAINERS and ("=" in tag["attributes"] or "hidden" in tag["attributes"]):
        attributes = tag["attributes"][:_SEARCHED]
        if _HIDDEN.search(attributes) or _SIGNATURE.search(attributes):
            return "\n", name
        if not history and _REST_IS_QUOTE.search(attributes):
            return "\n", "html"
        if not history and _quotes(tag, name, attributes):
            return "\n>\n", name
    if name in _BLOCKS:
        return ("\n- " if name == "li" else "\n"), ""
    return (" " if name in _CELLS else ""), ""


def _quotes(tag: re.Match[str], name: str, attributes: str) -> bool:
    if not (_QUOTE.search(attributes) or (name == "blockquote" and _CITE.search(attributes))):
        return False
    return not _FORWARDED.search(tag.string, tag.end(), tag.end() + _LOOK_AHEAD)


def _end_of(name: str, text: str, position: int) -> int:
    """Find where the element that was opened before `position` ends; unclosed, at the end."""
    depth = 1
    tags = re.compile(rf"<(/?){name}(?=[\s/>])[^>]*+>?", re.IGNORECASE)
    for tag in tags.finditer(text, position):
        if tag[1]:
            depth -= 1
        elif name not in _RAW:
            depth += 1
        if depth == 0:
            return tag.end()
    return len(text)
