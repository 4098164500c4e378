"""Numbers that name a person: telephones, cards, accounts, national ids; proven by check digits."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

_GROUPS = re.compile(
    r"(?<![\w./+-])(?<!\d,)(?:\+ ?|\(\+?|\+\()?\d++(?:(?:[ \u00a0]?[(][0-9]{1,4}[)][ \u00a0]?"
    r"|[)]?[ \u00a0.\-/–][ (]?|[)])\d++)*"
)
_GROUP = re.compile(r"\d+")
_EXTENSION = re.compile(r"(?: ?(?:x|ext\.?) ?\d{1,5})(?!\w)", re.IGNORECASE)
_WORD_AFTER = re.compile(r"[^\W\d]")
_MOST_GROUPS = 8  # of one number; +41 (0)44 668 18 00 has six
_LONGEST = 19  # digits of the longest card

_DATE = re.compile(
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d\d)(?: \d{1,2})?$"
)
_PHONE_BEFORE = re.compile(
    r"(?:\b(?:tel|t[ée]l[ée]ph\w+|telefon\w*|teléfono|tfno|phone|mobile?|mobil\w*|móvil|portable"
    r"|handy\w*|cell|fax|call|ring|reach|dial|whatsapp|appel\w*|joindre|joignable|anruf\w*|anrufen"
    r"|erreich\w*|rufnummer|llam\w+|sms|gsm|desk|durchwahl|hotline|answering (?:at|on)"
    r"|numéro de t\w*)|☎|📞)[^\d\n]{0,20}\n?$",
    re.IGNORECASE,
)
_PHONE_AFTER = re.compile(
    r"[ -]{1,2}(?:office|fax|mobile|cell|tel|phone|home|direct)\b", re.IGNORECASE
)
_CODE_BEFORE = re.compile(
    r"(?:#|№|n°|\b(?:ticket|case|order|invoice|serial|s/n|sn|asset|ref\w*|po|id|item|sku|part|imei"
    r"|commande|facture|dossier|pedido|factura|rechnung\w*|bestell\w*|artikel\w*|auftrag\w*|kunden"
    r"\w*|vorgang\w*|version|build|kb|port|error|code|fehler|erreur|inc|req|lizenz\w*|licen[sc]e)"
    r"(?:[ _-]?(?:no|nr|num(?:ber|éro|ero|mer)?|id))?)[ .:#°=-]{0,4}$",
    re.IGNORECASE,
)
_CARD_BEFORE = re.compile(
    r"\b(?:cards?|cc|visa|master ?card|maestro|amex|carte|karte|kreditkarte\w*|tarjeta)\b"
    r"[^\d\n]{0,25}$",
    re.IGNORECASE,
)
_TAX_BEFORE = re.compile(
    r"\b(?:steuer-?id\w*|idnr|tin|identifikationsnummer|tax)\b[^\d\n]{0,20}$", re.IGNORECASE
)
_MONEY_AFTER = re.compile(
    r" ?(?:[€$£¥%]|(?:eur|usd|gbp|chf|euros?|dollars?|[kmgt]i?b|bytes?|ms|px)\b|[,:]\d)",
    re.IGNORECASE,
)
_MONEY_BEFORE = re.compile(r"(?:[€$£¥]|\b(?:eur|usd|gbp|chf)) ?$", re.IGNORECASE)
_CARD = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7]|35|65)\d{14}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|(?:1800|2131)\d{11}|6(?:011|4[4-9]\d)\d{12}|62\d{14,17})$"
)
_MAESTRO = re.compile(r"(?:50|5[6-9]|6)\d{10,17}$")
_AMERICAN = re.compile(r"(?:1[-. ])?\(?\d{3}\)?[-. ]{1,2}\d{3}[-. ]\d{4}$")
_FRENCH = re.compile(r"0\d(?:[ .-]?\d\d){4}$")
_SPANISH = re.compile(r"[6-9]\d{2}[ -]\d{3}[ -]\d{3}$|[6-9]\d{2}(?:[ -]\d\d){3}$")
_COMPLETE = (_AMERICAN, _FRENCH, _SPANISH)
_SHAPES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (_AMERICAN, ("US",)),
    (_FRENCH, ("FR", "BE", "DE", "GB")),
    (_SPANISH, ("ES",)),
    (re.compile(r"\(?0\d"), ("DE", "GB", "FR", "AT", "CH", "NL", "BE", "IT")),
)
"""How people write numbers without country code, and the countries whose plans may prove it."""
_MOST_PROOFS = 200  # telephone numbers looked up per text (20 µs a country); then the shape counts

_IBAN = re.compile(r"(?<![^\W_])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,40}")
_FEWEST_IBAN_DIGITS = 10  # Malta and Saint Lucia have the fewest, and more than that
_LETTERED = re.compile(
    r"(?<![\w-])(?:(?P<es>\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z])"
    r"|(?P<it>[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])"
    r"|(?P<nir>[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d))(?![\w-])"
)


def mask_numbers(text: str) -> str:
    """Give the text with every proven number replaced by `<IBAN>`, `<CARD>`, `<ID>`, `<PHONE>`."""
    text = _IBAN.sub(_iban, text)
    text = _LETTERED.sub(_lettered, text)
    return _Numbers(text).masked()


@cache
def _proof(module: str) -> Any:
    """Load a module of check digits or number plans when the first candidate needs it."""
    return import_module(module)


def _iban(found: re.Match[str]) -> str:
    """Mask the longest beginning that ends between groups and has the right check digits."""
    candidate = found[0]
    if sum(map(str.isdigit, candidate)) < _FEWEST_IBAN_DIGITS:
        return candidate
    valid = _proof("stdnum.iban").is_valid
    ends = [len(candidate), *(m.start() for m in re.finditer(r"[ -]", candidate))]
    whole = (end := found.end()) == len(found.string) or not found.string[end].isalnum()
    for at in sorted(ends, reverse=True):
        if (at < len(candidate) or whole) and valid(candidate[:at], check_country=False):
            return f"<IBAN>{candidate[at:]}"
    return candidate


def _lettered(found: re.Match[str]) -> str:
    number = found[0].replace(" ", "").replace("-", "")
    if found.lastgroup == "nir":
        valid = _proof("stdnum.fr.nir").is_valid(number)
    elif found.lastgroup == "it":
        valid = _proof("stdnum.it.codicefiscale").is_valid(number)
    else:
        valid = _proof(f"stdnum.es.{'nie' if number[0] in 'XYZ' else 'dni'}").is_valid(number)
    return "<ID>" if valid else found[0]


class _Numbers:
    """One text's runs of digit groups, and how many telephone look-ups it may still have."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._proofs_left = _MOST_PROOFS

    def masked(self) -> str:
        pieces: list[str] = []
        done = 0
        for run in _GROUPS.finditer(self._text):
            for start, end, kind in self._found_in(run):
                if start >= done:
                    pieces += (self._text[done:start], f"<{kind}>")
                    done = end
        return "".join((*pieces, self._text[done:]))

    def _found_in(self, run: re.Match[str]) -> Iterator[tuple[int, int, str]]:
        groups = [group.span() for group in _GROUP.finditer(self._text, run.start(), run.end())]
        if sum(end - start for start, end in groups) < 7:  # noqa: PLR2004  # no number is shorter
            return
        at = 0
        while at < len(groups):
            found = self._longest_from(run, groups, at)
            if found is not None:
                last, kind = found
                start = run.start() if at == 0 else groups[at][0]
                yield start, self._with_extension(groups[last][1], kind), kind
                at = last
            at += 1

    def _longest_from(
        self, run: re.Match[str], groups: list[tuple[int, int]], at: int
    ) -> tuple[int, str] | None:
        start = run.start() if at == 0 else groups[at][0]
        last = min(at + _MOST_GROUPS, len(groups)) - 1
        for until in range(last, at - 1, -1):
            written = self._text[start : groups[until][1]]
            digits = "".join([self._text[each:end] for each, end in groups[at : until + 1]])
            whole = until - at == len(groups) - 1
            if not _plausible(written, digits, whole=whole):
                continue
            alone = whole or self._stands_alone(written, groups, at, until)
            if kind := self._kind(written, digits, start, groups[until][1], alone=alone):
                return until, kind
        return None

    def _stands_alone(
        self, written: str, groups: list[tuple[int, int]], at: int, until: int
    ) -> bool:
        """Tell a telephone number from a piece of a longer row of digit groups."""
        tight = " " not in written
        begins = at == 0 or (tight and self._text[groups[at - 1][1] : groups[at][0]] == " ")
        if until == len(groups) - 1 or (tight and self._text[groups[until][1]] == " "):
            return begins
        return begins and (written[0] == "+" or any(each.match(written) for each in _COMPLETE))

    def _with_extension(self, end: int, kind: str) -> int:
        extension = _EXTENSION.match(self._text, end) if kind == "PHONE" else None
        return extension.end() if extension else end

    def _kind(self, written: str, digits: str, start: int, end: int, *, alone: bool) -> str:
        if _WORD_AFTER.match(self._text, end) and not _EXTENSION.match(self._text, end):
            return ""
        before = self._text[max(0, start - 40) : start]
        if _is_card(digits, before):
            return "CARD"
        if _is_national_id(written, digits, before):
            return "ID"
        return "PHONE" if alone and self._is_phone(written, digits, before, end) else ""

    def _is_phone(self, written: str, digits: str, before: str, end: int) -> bool:
        if len(digits) > 15 or _DATE.match(written):  # noqa: PLR2004  # E.164
            return False
        if _PHONE_BEFORE.search(before) or _PHONE_AFTER.match(self._text, end):
            return True
        if _CODE_BEFORE.search(before) or _MONEY_BEFORE.search(before):
            return False
        if _MONEY_AFTER.match(self._text, end):
            return False
        return self._is_proven_phone(written, digits)

    def _is_proven_phone(self, written: str, digits: str) -> bool:
        if "+" in written[:3] or digits.startswith("00"):
            international = f"+{digits.removeprefix('00') if '+' not in written else digits}"
            return self._in_plan(international.replace("(0)", ""), (None,))
        for shape, regions in _SHAPES:
            if shape.match(written):
                return len(digits) >= 9 and self._in_plan(digits, regions)  # noqa: PLR2004  # national
        return False

    def _in_plan(self, number: str, regions: tuple[str | None, ...]) -> bool:
        plans = _proof("phonenumbers")
        for region in regions:
            if self._proofs_left <= 0:
                return True
            self._proofs_left -= 1
            try:
                if plans.is_valid_number(plans.parse(number, region)):
                    return True
            except plans.NumberParseException:
                continue
        return False


def _plausible(written: str, digits: str, *, whole: bool) -> bool:
    """Tell quickly whether a row of digit groups is worth the look at what stands around it."""
    if not 7 <= len(digits) <= _LONGEST:  # noqa: PLR2004  # a local number; the longest card
        return False
    return whole or len(digits) >= 9 or written[0] in "+("  # noqa: PLR2004  # national


def _is_card(digits: str, before: str) -> bool:
    if not (sure := _CARD.match(digits)) and not _MAESTRO.match(digits):
        return False
    if not sure and not _CARD_BEFORE.search(before):
        return False
    return bool(_proof("stdnum.luhn").is_valid(digits))


def _is_national_id(written: str, digits: str, before: str) -> bool:
    """Tell ids whose check digits and shape a code of another kind seldom has by chance."""
    if re.fullmatch(r"\d{3}-\d\d-\d{4}", written):
        return bool(_proof("stdnum.us.ssn").is_valid(written))
    if re.fullmatch(r"756\.\d{4}\.\d{4}\.\d\d", written):
        return bool(_proof("stdnum.ch.ssn").is_valid(digits))
    if re.fullmatch(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", written):
        return bool(_proof("stdnum.be.nn").is_valid(digits))
    if len(digits) == 11 and _TAX_BEFORE.search(before):  # noqa: PLR2004  # German tax id
        return bool(_proof("stdnum.de.idnr").is_valid(digits))
    return False
