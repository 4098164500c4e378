"""Personal data and secrets to typed placeholders, for whatever is stored, shown or logged."""

import ipaddress
import re
from collections.abc import Callable

from connector.clean.numbers import mask_numbers

_ROUNDS = 8  # a placeholder may free its neighbour; text made to annoy settles in four

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_URL = re.compile(r"(?<![a-zA-Z0-9])(?:[a-zA-Z][a-zA-Z0-9+.-]{1,20}://|www\.)[^\s<>\"'`|]+")
_URL_TELLS = re.compile(r"[^/]*//[^/?#]*@|\?.|#.*=")
_TOKEN = re.compile(
    r"(?<![\w-])(?:eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)?"
    r"|(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[spr]k_(?:live|test)_|sk-|AKIA|ASIA|AIza"
    r"|ya29\.|npm_|pypi-|SG\.|hf_|dop_v1_)[\w.+/=-]{12,})"
)
_BEARER = re.compile(r"(?<![\w-])(bearer|basic) +(?=[\w.~+/-]*\d)([\w.~+/-]{12,}=*)", re.IGNORECASE)
_RUN = re.compile(r"(?<![\w+-])[A-Za-z0-9+_-]{24,200}(?![\w+-])")

_LONG_WORD = (
    r"pass(?:word|wort|wörter|phrase|code)|passwd|kennwort|mot de passe|contraseña|contrasena"
    r"|api[ _-]?key|client[ _-]?secret|access[ _-]?key|secret[ _-]?key|private[ _-]?key"
    r"|access[ _-]?token|auth[ _-]?token"
)
_SHORT_WORD = r"pwd|pw|pass|mdp|clave|pin|secret|token|puk"
_KEYWORD = rf"(?:(?:{_LONG_WORD})|(?<![^\W_])(?:{_SHORT_WORD}))"
_VALUE = r"(?:\"[^\"\n]{1,200}\"|'[^'\n]{1,200}'|[^\s\"']\S{0,200})"
_ASSIGNS = r"(?: ?\([^()\n]{0,30}\))?[\"'*_]{0,2} {0,3}(?::|=>?|->)[*_]{0,2}[ \t]{0,3}"
_SAYS = (
    r" (?:is|was|lautet|ist|war|est|était|es|era)(?: now| jetzt| maintenant| ahora)?"
    r" {1,2}:? ?[\"']?"
    r"(?=[^\s]{0,100}[\d!#$%&*+=@^_~])(?=[^\s\"']{4})"
)
_GIVEN = re.compile(rf"((?=[apkcsmt]){_KEYWORD}(?:{_ASSIGNS}|{_SAYS}))({_VALUE})", re.IGNORECASE)
_STEMS = ("pass", "pw", "kennw", "contrase", "clave", "secret", "token", "key", "pin", "puk", "mdp")
_MARKED = re.compile(r"[^\w\s.,;'’\"-]|[\d_]|--")
_EMAIL = re.compile(
    r"(?<![\w.%+'-])(?:'(?=[\w]))?([\w.%+'-]++)@"
    r"(\[?\d{1,3}(?:\.\d{1,3}){3}\]?|(?:[\w-]+\.)+(?:xn--[\w-]+|[^\W\d_]{2,63}))(?![\w@])"
)
_SPELT_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]++ ?[\[({] ?(?:at|arroba|arobase|@) ?[\])}] ?[\w-]+(?:\.[\w-]+)*"
    r" ?(?:\.|[\[({] ?(?:dot|punkt|point|punto) ?[\])}] ?)[^\W\d_]{2,63}(?!\w)",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_VERSION_BEFORE = re.compile(
    r"(?:\bv|ver|version|versión|release|build|firmware|rev|revision|update)[.:]? ?$",
    re.IGNORECASE,
)
_CLOSERS = ".,;:!?)]}>*_"


def mask(text: str) -> str:
    """Give the text with personal data and secrets replaced by typed placeholders.

    `<EMAIL>`, `<URL>` (with credentials, query or token), `<PHONE>`, `<IBAN>`, `<CARD>`, `<ID>`
    (national numbers with check digits, US social security numbers), `<IP>`, `<SECRET>` (keys,
    tokens, and what follows "password:" in four languages). Ticket numbers, error codes,
    versions, dates, amounts and serial codes stay.

    Limits: names of people and postal addresses stay, because finding them needs a model larger
    than the one that triages. So do secrets that look like words or plain hexadecimal and that
    no keyword announces, telephone numbers without area code that no word announces, and MAC
    addresses. Takes time linear in the text; masking what was masked changes nothing.
    """
    if not _MARKED.search(text):
        return text  # words and plain punctuation alone: none of the patterns can match
    for _ in range(_ROUNDS):
        masked = _masked(text)
        if masked == text:
            break
        text = masked
    return text


def _masked(text: str) -> str:
    if "PRIVATE KEY" in text:
        text = _KEY_BLOCK.sub("<SECRET>", text)
    if "://" in text or "www." in text:
        text = _URL.sub(_url, text)
    text = _without_secrets(text)
    if "@" in text:
        text = _EMAIL.sub("<EMAIL>", text)
    if "[" in text or "(" in text or "{" in text:
        text = _SPELT_EMAIL.sub("<EMAIL>", text)
    if text.count(":") > 1:
        text = _IPV6.sub(_ipv6, text)
    if text.count(".") > 2:  # noqa: PLR2004  # an address has three
        text = _IPV4.sub(_ipv4, text)
    return mask_numbers(text)


def _without_secrets(text: str) -> str:
    text = _TOKEN.sub("<SECRET>", text)
    text = _BEARER.sub(r"\1 <SECRET>", text)
    lowered = text.lower()
    if any(stem in lowered for stem in _STEMS):
        text = _GIVEN.sub(_secret, text)
    return _RUN.sub(_random_run, text)


def _secret(found: re.Match[str]) -> str:
    value = found[2]
    if value.lstrip("\"'").startswith(("<SECRET>", "<EMAIL>", "<URL>")):
        return found[0]
    if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1:
        return f"{found[1]}{value[0]}<SECRET>{value[0]}"
    rest = value.rstrip(_CLOSERS + "\"'")
    return f"{found[1]}<SECRET>{value[len(rest) :]}" if rest else found[0]


def _random_run(found: re.Match[str]) -> str:
    run = found[0]
    digits = len(re.findall(r"\d+", run))
    turns = len(re.findall(r"[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|\d(?=[A-Za-z])", run))
    mixed = digits > 1 and any(map(str.isupper, run)) and any(map(str.islower, run))
    return "<SECRET>" if mixed and turns * 3 >= len(run) else run


def _url(found: re.Match[str]) -> str:
    url = found[0].rstrip(_CLOSERS)
    return f"<URL>{found[0][len(url) :]}" if _URL_TELLS.search(url) else found[0]


def _before(found: re.Match[str], length: int = 16) -> str:
    return found.string[max(0, found.start() - length) : found.start()]


def _ipv4(found: re.Match[str]) -> str:
    return _address(found, ipaddress.IPv4Address)


def _ipv6(found: re.Match[str]) -> str:
    return _address(found, ipaddress.IPv6Address)


def _address(
    found: re.Match[str],
    kind: Callable[[str], ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> str:
    """Mask an address that could name a device: no version, net mask or loopback."""
    if _VERSION_BEFORE.search(_before(found)):
        return found[0]
    try:
        address = kind(found[0])
    except ValueError:
        return found[0]
    nobody = address.is_loopback or address.is_unspecified or found[0].startswith("255.")
    return found[0] if nobody else "<IP>"
