import random
import re
import subprocess
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.clean import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ann.o'neil+x@mail.larkmoor.example.", "write to <EMAIL>."),
        ("Ann <ann@larkmoor.example>", "Ann <<EMAIL>>"),
        ("ann (at) larkmoor (dot) example", "<EMAIL>"),
        ("user@10.1.2.3", "<EMAIL>"),
        ("see https://x.example/r?token=abc.", "see <URL>."),
        ("ftp://ann:pw@x.example/a", "<URL>"),
        ("https://x.example/#access_token=1", "<URL>"),
        ("+49 (0)30 90182-0 or +33 1 99 00 12 34", "<PHONE> or <PHONE>"),
        ("0049 30 901820", "<PHONE>"),
        ("(415) 555-2671 x12", "<PHONE>"),
        ("06 12 34 56 78", "<PHONE>"),
        ("call me at 467 3395", "call me at <PHONE>"),
        ("Telefon: 030/1234567", "Telefon: <PHONE>"),
        ("móvil 699 956 915", "móvil <PHONE>"),
        ("DE89 3704 0044 0532 0130 00 bitte", "<IBAN> bitte"),
        ("fr1420041010050500013m02606", "<IBAN>"),
        ("4111 1111 1111 1111", "<CARD>"),
        ("3782-822463-10005", "<CARD>"),
        ("my card 501864667909 is lost", "my card <CARD> is lost"),
        ("SSN 460-89-9847", "SSN <ID>"),
        ("DNI 12345678Z, NIE X1234567L", "DNI <ID>, NIE <ID>"),
        ("AHV 756.9217.0769.85", "AHV <ID>"),
        ("NIR 2 95 10 99 126 111 93", "NIR <ID>"),
        ("from 10.5.3.2:443 to 2001:db8::8a2e:370:7334", "from <IP>:443 to <IP>"),
        ("password: hunter2, then", "password: <SECRET>, then"),
        ('{"password": "a b"}', '{"password": "<SECRET>"}'),
        ("mot de passe : soleil", "mot de passe : <SECRET>"),
        ("Passwort ist Sommer2024!", "Passwort ist <SECRET>!"),
        ("Benutzerpasswort: geheim", "Benutzerpasswort: <SECRET>"),
        ("contraseña: perro1.", "contraseña: <SECRET>."),
        ("db_password=foo API_KEY=bar", "db_password=<SECRET> API_KEY=<SECRET>"),
        ("Authorization: Bearer abc123def456ghi", "Authorization: Bearer <SECRET>"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "<SECRET>"),
        ("ghp_abcdefghijklmnop1234", "<SECRET>"),
        ("aG9sYUhvbGExMjM0NTY3ODkwQUJD", "<SECRET>"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY----- ok",
            "<SECRET> ok",
        ),
    ],
)
def test_personal_data_becomes_a_placeholder_of_its_kind(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Ticket 4567890123, INC0012345, #202405031234567, [#4711]",
        "Error 0x80070005, exit code -1073741819, ORA-00942, KB5034441",
        "Outlook 16.0.17328.20162 on Windows 10.0.19045.3803, firmware 1.2.3.4, v4.8.1.2",
        "2024-05-03 10:12:33, 03.05.2024 08:15, 05/03/2024, 3.5.24",
        "01/02/2024 03.04.2025 0123-4567",
        "1.234.567,89 EUR, $1,234,567.00, 12 345 678 €, 2 500 000 bytes, 50 %",
        "Serial 5CD1234XYZ, IMEI 356938035643809, asset LT-0042-2023, 20XW004AUS",
        "Order number 0301234567, Kunden-Nr. 0612345678, facture n° 0612345678",
        "GUID 6f9619ff-8b86-d011-b42d-00c04fc964ff, commit 9fceb02d0ae598e95dc970b74767f1937",
        "00:14:22:01:23:45, 127.0.0.1, 255.255.255.0, std::string a::b 12:34:56",
        "https://wiki.larkmoor.example/VPN",
        "npm lodash@4.17.21, git@host:path, @ann",
        "My password is not working and the password is expired.",
        "getUserById2FactorAuthenticationToken in C:\\Users\\Shared\\Documents2024",
        "tracking 1Z999AA10123456784, license XXXXX-12345-AAOEM-00001",
        "rooms 10 20 30 40 50 60 70 and 1 2 3 4 5 6 7 8 9 0",
        "DE89370400440532013001 has wrong check digits, 4111 1111 1111 1112 too",
        "Telefon 7841 defekt",
    ],
)
def test_what_carries_meaning_survives(text: str) -> None:
    assert mask(text) == text


PIECES = st.sampled_from(
    [
        "ann@larkmoor.example",
        "030 1234567",
        "+49 30 901820",
        "4111111111111111",
        "DE89 3704 0044 0532 0130 00",
        "10.5.3.2",
        "2001:db8::1",
        "https://x.example/?a=b",
        "password: ",
        "Passwort=",
        '"',
        "'",
        "<EMAIL>",
        "<",
        ">",
        "@",
        ".",
        "-",
        "+",
        "0",
        "12",
        "/",
        ":",
        " ",
        "\n",
        "tel ",
        "a",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
    ]
)
TEXTS = st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=14).map("".join))


@given(TEXTS)
@example("password: <SECRET>,")
@example("a@b.co@c.de")
def test_masking_what_was_masked_changes_nothing(text: str) -> None:
    masked = mask(text)
    assert mask(masked) == masked


@given(st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True), st.text(max_size=20))
def test_no_mail_address_that_stands_apart_is_left(address: str, around: str) -> None:
    assert not re.search(rf"\b{re.escape(address)}\b", mask(f"{around} {address} {around}"))


def test_text_without_anything_personal_is_given_back_itself() -> None:
    text = "The printer on the third floor is on fire."
    assert mask(text) is text


def test_number_plans_are_not_loaded_before_a_number_asks_for_them() -> None:
    program = (
        "import sys; from connector.clean import mask; mask('no 12 numbers: here');"
        "print([m for m in ('phonenumbers', 'stdnum', 'mailparser_reply') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.strip() == b"[]"


HOSTILE = {
    "digits": lambda n: "1" * n,
    "groups": lambda n: "12 " * (n // 3),
    "zeros": lambda n: "0 " * (n // 2),
    "phones": lambda n: "0301234567 " * (n // 11),
    "plus": lambda n: "+4930123 " * (n // 9),
    "brackets": lambda n: "(" * n + "1",
    "letters": lambda n: "a" * n,
    "dots": lambda n: "a." * (n // 2),
    "ats": lambda n: "a@" * (n // 2),
    "domains": lambda n: "a@" + "a." * (n // 2),
    "addresses": lambda n: "a@b.co" * (n // 6),
    "spelt": lambda n: "a (at) " * (n // 7),
    "jwt": lambda n: "eyJ-" * (n // 4),
    "tokens": lambda n: "sk-" * (n // 3),
    "keys": lambda n: "-----BEGIN PRIVATE KEY-----" * (n // 27),
    "password": lambda n: "password" * (n // 8),
    "password is": lambda n: "password is " * (n // 12),
    "assigned": lambda n: "pw:" * (n // 3),
    "colons": lambda n: "1:" * (n // 2),
    "ip": lambda n: "1." * (n // 2),
    "iban": lambda n: "DE89 3704 " * (n // 10),
    "url": lambda n: "a://" * (n // 4),
    "schemes": lambda n: "a+" * (n // 2) + "://",
    "noise": lambda n: "".join(random.Random(1).choices("0123456789 @.:-+/()pw=aA", k=n)),
}
_NOTICEABLE = 0.002  # seconds of CPU; below it, a ratio measures the clock


@pytest.mark.parametrize("shape", HOSTILE)
def test_four_times_the_text_takes_about_four_times_the_work(shape: str) -> None:
    """A quadratic step would take sixteen times; 9 leaves room for a noisy machine."""
    mask(HOSTILE[shape](500))
    small, large = (HOSTILE[shape](size) for size in (10_000, 40_000))
    # A busy machine can spoil one comparison; a quadratic step spoils all of them.
    assert any(_work(large) <= 9 * max(_work(small), _NOTICEABLE) for _ in range(TRIES))


TRIES = 5


def _work(text: str) -> float:
    spent = []
    for _ in range(2):
        begin = time.process_time()
        mask(text)
        spent.append(time.process_time() - begin)
    return min(spent)
