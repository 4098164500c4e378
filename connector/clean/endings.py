"""What ends a message without being one: signatures, device lines, disclaimers, banners."""

import re

_DEVICES = (
    r"iphone|ipad|samsung|galaxy|android|blackberry|huawei|xiaomi|pixel|nokia|mobile|mobiltelefon"
    r"|mobilgerät|handy|smartphone|phone|tablet|outlook|yahoo|gmail|gmx|web\.de|proton ?mail|mail"
    r"|móvil|teléfono|dispositivo|celular|téléphone|portable|appareil"
)
_DEVICE_LINE = re.compile(
    r"(?:sent (?:from|via|with)\b|get outlook for\b|envoyé (?:de|depuis|à partir de|avec)\b"
    r"|(?:télécharger|obtenir|obtenez) outlook\b"
    r"|(?:diese nachricht wurde )?von mein\w* (?=.*gesendet)"
    r"|gesendet (?:von|mit|über)\b|outlook für .*(?:abrufen|herunterladen|beziehen)"
    r"|holen sie sich outlook|enviado (?:desde|con)\b|(?:obtener|descargar|consigue) outlook\b"
    r"|inviato da|verzonden vanaf|skickat från|sendt fra|wysłane? z|odesláno z)"
    rf"[^,;!?\n]*(?:{_DEVICES})[^,;!?\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST_DEVICE_LINE = 100  # characters

_DELIMITER = re.compile(r"(?:--|__|—|– ?–)$")
_LONGEST_SIGNATURE = 15  # lines after a delimiter or a closing

_GREETINGS = (
    # English
    r"(?:with )?(?:(?:best|kind|kindest|warm|warmest|many|my best) )?regards|best(?: wishes)?"
    r"|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?|cheers|respectfully|all the best|rgds"
    r"|k\.?r|b\.?r"
    # German
    r"|(?:mit )?(?:den )?(?:freundliche[nmr]?|beste[nr]?|viele[n]?|liebe[nr]?|herzliche[nr]?"
    r"|schöne[n]?) (?:grüße[n]?|grüsse[n]?|gruesse[n]?|gruß|gruss)|(?:grüße|grüsse|gruß|gruss)"
    r"|mfg|vg|lg|hochachtungsvoll"
    # French
    r"|(?:bien |très )?cordialement(?: vôtre)?|(?:meilleures |sincères |cordiales )?salutations"
    r"(?: distinguées| cordiales)?|bien à (?:vous|toi)|bonne (?:journée|soirée|réception|fin de"
    r" journée)|cdlt|cdt|amicalement|veuillez agréer.{0,120}|je vous prie d[’']agréer.{0,120}"
    # Spanish
    r"|(?:un |muchos |reciba[n]? un )?(?:cordial )?saludos?(?: cordial(?:es)?)?|atentamente|atte"
    r"|cordialmente|un abrazo"
)
_THANKS = (
    r"(?:many |kind )?thanks(?: a lot| so much| in advance| again| and regards)?"
    r"|thank you(?: very much| so much| in advance| again)?|thx|ty"
    r"|(?:vielen |besten |herzlichen )?dank(?:e)?(?: im voraus| vorab| schon mal)?"
    r"|merci(?: d[’']avance| beaucoup| par avance| bien| à vous)?"
    r"|(?:muchas |mil )?gracias(?: de antemano| por adelantado| por su ayuda)?"
)
_CAPITAL_NAME = r"(?:[ ,]+(?-i:[^\W\d_a-zß-öø-ÿ][\w.'’-]*)){1,4}"
_CLOSING = re.compile(
    rf"(?:(?:{_THANKS})[ ,.!]*(?:and|&|und|et|y|,|/)? *)?(?:{_GREETINGS})"
    rf"(?: *(?:/|,|and|&|und|et|y|aus|from|de) *(?:{_GREETINGS}|{_CAPITAL_NAME}))?"
    rf"(?:{_CAPITAL_NAME})?[ ,.!;:)–-]*$",
    re.IGNORECASE,
)
_THANKING = re.compile(rf"(?:{_THANKS})[ ,.!;]*$", re.IGNORECASE)
_NAME = re.compile(r"(?:[^\W\d_a-zß-öø-ÿ][\w.'’-]*[ ,]*){1,4}$")
_EXTENSION = re.compile(
    r"\b(?:ext|extension|dw|durchwahl|poste|tel|tfno|tél|phone|mobile?|mobil)\b[.:]? ?\+?\d|\S@\S",
    re.IGNORECASE,
)
_POSTSCRIPT = re.compile(
    r"(?:p\. ?s\.?|ps|nachtrag|post-?scriptum|pd|p\. ?d\.?)\s*[:.–-]", re.IGNORECASE
)
_CONTACT = re.compile(
    r"(?:t|f|m|e|w|tel|telefon|teléfono|téléphone|phone|mobile?|mobil|móvil|fax|e-?mail|mail"
    r"|courriel|correo|web|website|www|internet|http|https|site|skype|office|direct|cell|gsm"
    r"|ust-?id\w*|hrb|sitz|geschäftsführ\w+|vat|siret|registergericht|amtsgericht|cif|nif"
    r"|adress?e|dirección|standort|abteilung|department|service)\b",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[\w /()-]{1,30}: ?\S")
_LOWER_WORDS = re.compile(r"(?<!\w)[a-zß-öø-ÿ]{2,}(?!\w)")

_DISCLAIMER_BEGINS = re.compile(
    r"[*_\s(\[\"]*(?:(?:legal |confidentiality |privacy )?(?:disclaimer|notice|note)\b|confidential"
    r"|this (?:e-?mail|message|communication|transmission)|the (?:information|contents?)\b.{0,60}"
    r"(?:e-?mail|message)|if you (?:are not|have received|received)|please consider"
    r"|(?:wichtiger |rechtlicher )?hinweis|vertraulich|diese (?:e-?mail|nachricht|mail)|der inhalt"
    r" dieser|wenn sie nicht der|sollten sie (?:nicht|diese)|bitte (?:denken|prüfen) sie|denken sie"
    r"|ce (?:message|courriel|mail)|cet e-?mail|les informations contenues|si vous (?:n[’']êtes"
    r"|avez reçu)|pensez à|avant d[’']imprimer|avertissement|avis de confidentialité"
    r"|este (?:mensaje|correo)|la información contenida|si (?:usted )?(?:no es|ha recibido)"
    r"|antes de imprimir|aviso (?:legal|de confidencialidad)|advertencia)",
    re.IGNORECASE,
)
_EVIDENCE = re.compile(
    r"(?P<secret>confidential|privileged|vertraulich|confidentiel|confidencial|privilegiad)"
    r"|(?P<reader>intended (?:only |solely )?(?:recipient|for|addressee)|addressee|intended solely"
    r"|(?:bestimmte[nr]?|richtige[r]?|vorgesehene[nr]?) (?:adressat|empfänger)|adressat"
    r"|destinataires?|destinatario|destinad[oa])"
    r"|(?P<error>in error|by mistake|irrtümlich|versehentlich|par erreur|por error)"
    r"|(?P<delete>delete|notify (?:the|us)|vernichten|löschen|informieren sie|détruire|supprimer"
    r"|avertir|elimin|borr|notifi)"
    r"|(?P<forbidden>prohibited|unauthori[sz]ed|strictly|nicht gestattet|unbefugt|untersagt"
    r"|interdit|non autoris|prohibid|no autorizad)"
    r"|(?P<print>(?:before|befor) printing|avant d[’']imprimer|ausdrucken|vor dem drucken"
    r"|antes de imprimir)|(?P<earth>environment|umwelt|environnement|planète|medio ?ambiente)"
    r"|(?P<virus>virus|viren)|(?P<liable>liab(?:le|ility)|haftung|responsabilité"
    r"|responsabilidad)",
    re.IGNORECASE,
)
_ENOUGH_EVIDENCE = 2  # kinds: one word alone ("confidential", "delete") is said in tickets too
_LONGEST_DISCLAIMER = 25  # lines
_LONGEST_CARD = 5  # lines
_WRAPPED_AT = 80  # characters; RFC 5322 asks for 78
_LONGEST_CLOSING = 160  # characters
_MOST_NAME_LINES = 3  # after a mere "thanks"
_MANY_WORDS = 8  # in lower case: a sentence even without its full stop
_SOME_WORDS = 4  # in lower case, with a full stop
_BANNER = re.compile(
    r"[*_\s\[(!⚠]*(?:(?:caution|warning|attention|achtung|vorsicht|warnung|external(?: e-?mail)?"
    r"|extern|externe|atención|advertencia|precaución|cuidado)\s*[:!\]]*\s*)?"
    r"(?:this (?:e-?mail|message) (?:originated|came|was sent) from outside|diese (?:e-?mail"
    r"|nachricht) (?:kommt|stammt|wurde) von (?:außerhalb|einem externen|extern)|ce (?:message"
    r"|courriel|mail) (?:provient|vient) (?:de |d[’'])(?:l[’'])?ext|cet e-?mail provient"
    r"|este (?:correo|mensaje)(?: electrónico)? (?:proviene|procede|se originó) (?:de )?fuera)"
    r"[^\n]{0,400}$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]")


def without_endings(text: str) -> str:
    """Give a tidy text without banners, disclaimers, device lines and signature; maybe nothing."""
    lines = [line for line in text.split("\n") if not _is_noise(line)]
    lines = _without_disclaimers(lines)
    return "\n".join(_without_rule(_without_signature(_without_rule(lines))))


def has_words(text: str) -> bool:
    """Tell whether a letter or a digit is left."""
    return _WORD.search(text) is not None


def _is_noise(line: str) -> bool:
    if len(line) <= _LONGEST_DEVICE_LINE and _DEVICE_LINE.match(line):
        return True
    return _BANNER.match(line) is not None


def _without_disclaimers(lines: list[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        length, disclaims = 1, False
        if _DISCLAIMER_BEGINS.match(lines[at]):
            length, disclaims = _disclaimer(lines, at)
        if not disclaims:
            kept += lines[at : at + length]
        at += length
    return kept


def _disclaimer(lines: list[str], at: int) -> tuple[int, bool]:
    """Count the lines from `at` to the blank line, or one that says it all; is it a disclaimer?"""
    if _evidence(lines[at]) >= _ENOUGH_EVIDENCE and not _goes_on(lines[at]):
        return 1, True
    seen: set[str | None] = set()
    length = 0
    for line in lines[at : at + _LONGEST_DISCLAIMER]:
        if not line:
            break
        seen.update(found.lastgroup for found in _EVIDENCE.finditer(line))
        length += 1
    return length, len(seen) >= _ENOUGH_EVIDENCE


def _evidence(line: str) -> int:
    return len({found.lastgroup for found in _EVIDENCE.finditer(line)})


def _goes_on(line: str) -> bool:
    """Tell whether a line was broken by a mail program: short, or not the end of a sentence."""
    return len(line) <= _WRAPPED_AT or not line.endswith((".", "!", "*", "_"))


def _without_rule(lines: list[str]) -> list[str]:
    """Drop what ends a text without a word: blank lines, rules, stars."""
    end = len(lines)
    while end and not _WORD.search(lines[end - 1]):
        end -= 1
    return lines[:end]


def _without_signature(lines: list[str]) -> list[str]:
    for at in range(max(0, len(lines) - _LONGEST_SIGNATURE - 1), len(lines)):
        line = lines[at]
        if _DELIMITER.match(line):
            return lines[:at]
        if _closes(line, lines[at + 1 :]):
            return lines[:at] + _postscript(lines[at + 1 :])
    return _without_card(lines)


def _without_card(lines: list[str]) -> list[str]:
    """Drop a last paragraph that is a name over a telephone or the like."""
    for length in range(2, min(_LONGEST_CARD, len(lines) - 1) + 1):
        before, name, *rest = lines[-length - 1 :]
        if not before and _NAME.match(name) and len(name.split()) > 1:
            card = any(map(_EXTENSION.search, rest)) and not any(map(_is_content, rest))
            return lines[:-length] if card else lines
    return lines


def _closes(line: str, rest: list[str]) -> bool:
    if len(line) > _LONGEST_CLOSING:
        return False
    written = [each for each in rest if each]
    if _THANKING.match(line):
        return len(written) <= _MOST_NAME_LINES and all(map(_NAME.match, written))
    if not _CLOSING.match(line):
        return False
    until = next((at for at, each in enumerate(rest) if _POSTSCRIPT.match(each)), len(rest))
    return not any(_is_content(each) for each in rest[:until])


def _postscript(rest: list[str]) -> list[str]:
    for at, line in enumerate(rest):
        if _POSTSCRIPT.match(line):
            return rest[at:]
    return []


def _is_content(line: str) -> bool:
    """Tell a sentence or a field of the ticket from a line of a name, a firm or an address."""
    if _CONTACT.match(line):
        return False
    words = len(_LOWER_WORDS.findall(line[:400]))
    sentence = words >= _MANY_WORDS or (words >= _SOME_WORDS and line.endswith((".", "!")))
    return sentence or line.endswith("?") or _FIELD.match(line) is not None
