"""What begins a message without saying anything of its matter: salutations, polite wishes."""

import re

_GREETINGS = (
    # English
    r"hello|hi|hiya|hey|dear|greetings|good (?:morning|afternoon|evening|day)|morning|afternoon"
    r"|evening|to whom it may concern"
    # German
    r"|hallo|guten (?:morgen|tag|abend)|moin(?: moin)?|servus|grüezi|grüß gott|liebe[rs]?"
    r"|sehr geehrte[rs]?|werte[rs]?"
    # French
    r"|bonjour|bonsoir|salut|coucou|chers?|chères?|madame(?:, | et |/)monsieur|madame|monsieur"
    r"|mesdames(?:, | et )messieurs|à qui de droit"
    # Spanish
    r"|hola|buenos días|buenas(?: tardes| noches)?|muy buenas|buen día|estimad[oa]s?|querid[oa]s?"
    r"|qué tal|a quien corresponda"
)
_ADDRESSEES = (
    r"(?:mrs?|ms|dr|prof|mme|m|sr|sra|ing)\.|all|everyone|everybody|team|there|again|both|folks|guys|friends|colleagues?|sirs?|madam|mrs?"
    r"|ms|dr|prof|or|and|to|you|support|service|desk|help|helpdesk|hotline|it"
    r"|und|an|zusammen|allerseits|alle|liebes|liebe|kollege|kollegen|kolleginnen|leute|damen"
    r"|herren|herrn?|frau"
    r"|à|tous|toutes|tout|le|la|monde|les|et|l['’]équipe|l['’]assistance|équipe|collègues"
    r"|informatique|cher|chers|chères"
    r"|a|todos|todas|tod@s|equipo|y|señor(?:es|as?)?|compañer[oa]s|soporte|don|doña"
)
_WISHES = (
    r"(?:i |we )?(?:hope|trust) (?:you(?:['’]re| are| had| have| all)|this (?:finds|e-?mail"
    r"|message)|all is|everyone is)\b"
    r"|j['’]espère que (?:vous allez|tu vas|tout va)\b"
    r"|ich hoffe,? (?:es geht|ihnen geht|euch geht|dir geht|sie hatten|ihr hattet)\b"
    r"|espero que (?:est[ée]n?|se encuentren?|todo vaya|tengan?)\b"
)
_SEASONS = (
    r"happy new year|(?:merry|happy) (?:christmas|easter|holidays)|(?:happy|lovely|nice) (?:monday"
    r"|friday|weekend)"
    r"|bonne année|joyeu(?:x noël|ses (?:fêtes|pâques))|bonnes fêtes|bon(?: week-end|ne semaine)"
    r"|(?:frohe|schöne)[ns]? (?:neues(?: jahr)?|weihnachten|ostern|feiertage|wochenende|woche)"
    r"|feli(?:z|ces) (?:año(?: nuevo)?|navidad|fiestas|lunes|viernes)|buen (?:fin de semana|año)"
)
_EVERYBODY = (
    r"(?:to|an|à|a) (?:all|alle|tous|toutes|todos|todas|whom(?:ever)?|wen|qui|quien(?:es)?)"
)
_CONCERNED = (
    r"who(?:m|ever)?|it|this|may|might|concerns?|read(?:s|ing|ers)?|die|der|es|das|auch|immer|angeht"
    r"|betrifft|lesen|qui|que|ceux|cela|le|la|les|concerne(?:nt)?|liront|quien(?:es)?|lo|pueda"
    r"|interese|corresponda|lean"
)
_COMPANY = (
    r"team|all|everyone|everybody|folks|friends|colleagues?|zusammen|leute|freunde|kolleg(?:en|innen)"
    r"|(?:chère )?équipe|collègues|(?:les |mes )?amis|tous|toutes|equipo|compañer[oa]s|amig[oa]s"
    r"|todos|todas"
)
_MARK = r"[,.!:;–-]"
_CAPITAL = r"(?-i:[^\W\d_a-zß-öø-ÿ][\w.'’-]*)"
_OPENING = re.compile(
    rf"(?P<words>(?:{_GREETINGS})(?P<whom>(?: (?:(?:{_ADDRESSEES})(?![\w'’])|{_CAPITAL})){{0,6}}))"
    rf"(?: ?{_MARK}+(?=\s|$)|(?=\n|$))\s*",
    re.IGNORECASE,
)
# A line of its own that is no more than an address: "Dear whoever reads this,".
_LINE = re.compile(
    rf"(?:(?:{_GREETINGS})(?: [^\s,\d]+){{1,7}} ?,"
    rf"|(?:{_GREETINGS}), (?:{_COMPANY})(?: [^\s,\d]+){{0,3}} ?[,!]+"
    rf"|{_EVERYBODY}(?:,? (?:{_CONCERNED})){{0,6}} ?[,:]"
    rf"|(?:{_GREETINGS})(?:,? [^\s,\d]+){{0,7}},? (?:{_SEASONS}) ?[,.!]+)\n\s*",
    re.IGNORECASE,
)
_SPANISH = re.compile(
    rf"(?:hola|buen[oa]s(?: [a-zí]+)?), (?:(?:{_ADDRESSEES})(?!\w)|{_CAPITAL})"
    rf"(?: {_CAPITAL}){{0,2}} ?:(?=\s)\s*",
    re.IGNORECASE,
)
_WISH = re.compile(rf"(?:{_WISHES})[^.!?\n]{{0,80}}(?:[.!]+(?=\s|$)|(?=\n|$))\s*", re.IGNORECASE)
_LONGEST = 160  # characters of an opening
_MOST = 4  # "Dear Ms Roe, dear colleagues, good morning. I hope you are well."
_FEW = 3  # words after a salutation that ends without a mark: more may be a headline


def without_opening(text: str) -> str:
    """Give a tidy text without its salutation; maybe nothing."""
    opened = False
    for _ in range(_MOST):
        head = text[:_LONGEST]
        found = _SPANISH.match(head) or _LINE.match(head) or _OPENING.match(head)
        found = found or (_WISH.match(head) if opened else None)
        if found is None or _is_headline(found):
            break
        opened = True
        text = text[found.end() :].lstrip()
    return text


def _is_headline(found: re.Match[str]) -> bool:
    """Tell a line of many words that only begins like a salutation: `Hello World Page Is Down`."""
    whom = found.groupdict().get("whom")
    if whom is None:
        return False
    marked = found.group().rstrip()[-1] in ",.!:;–-"
    return not marked and len(whom.split()) > _FEW
