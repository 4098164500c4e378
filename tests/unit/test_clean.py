import random
import re
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.clean import clean, markup
from connector.clean.characters import LIMIT, bound, tidy
from connector.model import Status, Ticket, TicketId

MAIL = Path(__file__).parents[1] / "fixtures/mail"
FIXTURES = sorted(path for path in MAIL.iterdir() if not path.name.endswith(".expected.txt"))
WHEN = datetime(2025, 3, 3, tzinfo=UTC)


def ticket(description: str = "", subject: str = "", last_message: str = "") -> Ticket:
    return Ticket(
        id=TicketId("1"),
        subject=subject,
        description=description,
        last_message=last_message,
        status=Status.OPEN,
        revision="1",
        created_at=WHEN,
        updated_at=WHEN,
    )


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_a_mail_is_cut_to_what_its_sender_wrote(path: Path) -> None:
    expected = path.with_name(f"{path.stem}.expected.txt").read_text("utf-8").strip()
    cleaned = clean(ticket(path.read_text("utf-8")))
    assert cleaned == expected
    assert clean(ticket(cleaned)) == cleaned


def test_subject_first_message_and_newest_later_message_are_given() -> None:
    assert clean(ticket("It hums.", "RE: AW: [#4711] Screen", "It hums <b>more</b>.")) == (
        "Screen\nIt hums.\nIt hums more."
    )


def test_what_is_said_twice_is_given_once() -> None:
    assert clean(ticket("No sound", "No sound", "No sound")) == "No sound"


def test_an_empty_ticket_gives_empty_text() -> None:
    assert clean(ticket()) == ""


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: Fwd: TR: WG: RV: Printer", "Printer"),
        ("RE[2]: Printer", "Printer"),
        ("AW: [Ticket#2025030310000012] Drucker", "Drucker"),
        ("[EXTERNAL] Re: VPN [ITSM-4711]", "VPN"),
        ("INC0012345: screen dark", "screen dark"),
        ("Ticket #4711: screen", "screen"),
        ("Error 0x80070005 in RE: report", "Error 0x80070005 in RE: report"),
        ("Reset: password", "Reset: password"),
        ("[Urgent] VPN 2 down", "[Urgent] VPN 2 down"),
        ("Re:", "Re:"),
        ("[#4711]", "[#4711]"),
    ],
)
def test_reply_prefixes_and_ticket_markers_leave_the_subject(subject: str, expected: str) -> None:
    assert clean(ticket(subject=subject)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Three things fail:\n- printer\n- scanner\n- mail\nPlease help",
        "Thanks, that did not work. The VPN still drops.\nPlease call.",
        "Thanks\nprinter: HP 4000\nroom: 12",
        "Grüße vom Drucker: er druckt Grüße aus dem Speicher\nBitte helfen.",
        "All the best printers in the office are broken.\nSecond floor as well.",
        "To: do list\nSubject: matter\nThe mail server is down",
        "Sent from my desk, the print job never arrives.\nWhat now?",
        "On Monday my boss wrote:\nplease fix the VPN\nand I cannot.",
        "Load is\n> 20 on all hosts since noon",
        ">>> import acme\n>>> acme.run()\nfails with ImportError",
        "My name <anna> is shown as <b> on the page",
        "a < b and c > d, x <- y, <https://wiki.example/vpn>",
        "SELECT a -- comment\nFROM b\n-- \nfails: why does the second statement never end, ever?\n"
        + "It worked last week and then it stopped for everybody in the whole building.\n" * 20,
        "The document is confidential, please delete it from my laptop.",
        "+1\nBest regards\nError: 0x80070005",
    ],
)
def test_what_only_looks_like_boilerplate_stays(text: str) -> None:
    assert clean(ticket(text)) == tidy(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thanks,\nBob",
        "Sent from my iPhone",
        "-- \nBob\nLarkmoor Ltd",
        "> why\n> so",
        "On 3 Mar 2025 at 10:12, Bob <b@x.example> wrote:",
        "This e-mail is confidential and intended solely for the addressee.",
        '<div class="gmail_quote">Only quoted words</div>',
        '<blockquote type="cite">Only quoted words</blockquote>',
        '<div style="display:none">Only hidden words</div>',
        "<title>Never closed and all there is",
    ],
)
def test_a_message_is_never_eaten_whole(text: str) -> None:
    assert re.search(r"\w", clean(ticket(text)))


def test_a_postscript_outlives_the_signature() -> None:
    text = "Screen is dark.\nBest regards\nBob\nPS: room 12"
    assert clean(ticket(text)) == "Screen is dark.\nPS: room 12"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello Mr. Roe, dear colleagues,\n\nit hums.", "it hums."),
        ("Hi there, hope you had a good weekend. It hums.", "It hums."),
        ("Buenos días. Zumba.", "Zumba."),
        ("Hola, Javier: zumba.", "zumba."),
        ("Sehr geehrte Damen und Herren\nes brummt.", "es brummt."),
        ("Salut l'équipe ! Ça vibre.", "Ça vibre."),
        ("Hello World Page Is Down\nsince noon", "Hello World Page Is Down\nsince noon"),
        ("Hello, Outlook, Teams and Word crash.", "Outlook, Teams and Word crash."),
        ("Dear printer team lead printer hums", "Dear printer team lead printer hums"),
        ("I hope you are well, it hums.", "I hope you are well, it hums."),
        ("To whom it may concern:\nit hums.", "it hums."),
        ("An alle, die das lesen,\nes brummt.", "es brummt."),
        ("Hola, amigos de informática,\nzumba.", "zumba."),
        ("Bonjour à tous, joyeuses fêtes !\nÇa vibre.", "Ça vibre."),
        ("Good morning from sunny Leeds and a nice weekend!\nIt hums.", "It hums."),
        ("Hi, it hangs again,\nplease help.", "it hangs again,\nplease help."),
        ("To all users:\nno drive.", "To all users:\nno drive."),
        ("A todos les falla,\nayuda.", "A todos les falla,\nayuda."),
        ("Hello,", "Hello,"),
    ],
)
def test_a_salutation_says_nothing_of_a_tickets_matter(text: str, expected: str) -> None:
    assert clean(ticket(text)) == expected
    assert clean(ticket(clean(ticket(text)))) == expected


TRACE = """java.lang.IllegalStateException: no queue
  at com.example.Spooler.open(Spooler.java:12)
  at com.example.Main.main(Main.java:7)
  ... 3 more"""


def test_a_dump_goes_where_people_tell_enough_themselves() -> None:
    told = "The spooler stops as soon as a job of mine is printed from the tablet."
    assert clean(ticket(f"{told}\n\n{TRACE}", "Spooler")) == f"Spooler\n{told}"
    assert "IllegalStateException" in clean(ticket(f"See below.\n{TRACE}", "Spooler"))


def test_a_single_error_message_stays() -> None:
    told = "Since noon I get this message when I save a file:\nE_FAIL=0x80004005 at io::write()"
    assert clean(ticket(told)) == told


def test_a_name_over_a_telephone_is_a_signature_without_a_closing() -> None:
    told = "The tray is jammed again."
    assert clean(ticket(f"{told}\n\nAnn Roe\nLogistics, Ext. 4411")) == told
    kept = f"{told}\n\nHP Laserjet\nSecond floor, room 12"
    assert clean(ticket(kept)) == kept


def test_a_forward_keeps_what_was_forwarded() -> None:
    text = "See below.\n\nVon: Anna\nGesendet: 3.3.2025\nAn: Bob\nBetreff: Alarm\n\nServer brennt."
    assert clean(ticket(text, "WG: Alarm")) == "Alarm\nSee below.\n\nServer brennt."
    assert clean(ticket(text, "AW: Alarm")) == "Alarm\nSee below."


def test_characters_that_are_no_text_go() -> None:
    text = "a\u0000b\u200bc\ufeffd\ud800e \u00a0 f\r\ng\u2028h\u00adi e\u0301\n\n\n\nj\u202e"
    assert clean(ticket(text)) == "abcde f\ng\nhi é\n\nj"


def test_head_and_tail_of_a_long_text_are_kept() -> None:
    cleaned = clean(ticket("first " + "word " * 300_000 + "last", "long"))
    assert len(cleaned) <= LIMIT
    assert cleaned.startswith("long\nfirst word")
    assert cleaned.endswith("word last")


LINES = st.sampled_from(
    [
        "Hello,",
        "the VPN is down.",
        "> quoted",
        ">",
        "",
        "-- ",
        "Best regards,",
        "Bob Smith",
        "Merci",
        "On 3 Mar 2025 at 10:12, Bob <b@x.example> wrote:",
        "Am 03.03.2025 um 10:12 schrieb Bob:",
        "From: Bob",
        "Sent: Monday",
        "To: Ann",
        "Subject: x",
        "-----Original Message-----",
        "---------- Forwarded message ---------",
        "##- Please type your reply above this line -##",
        "Sent from my iPhone",
        "PS: one more",
        "This e-mail is confidential and intended for the addressee.",
        "<div>bold &lt;b&gt; </div>",
        "<br>",
        '<blockquote type="cite">',
        "</blockquote>",
        "<p",
        "&lt;p&gt;",
    ]
)
MESSAGES = st.one_of(st.text(max_size=200), st.lists(LINES, max_size=12).map("\n".join))


@given(MESSAGES)
@example("<p>&lt;<b>p</b>&gt;")
@example("e[\u200b\u0301")
def test_cleaning_what_was_cleaned_changes_nothing(text: str) -> None:
    cleaned = clean(ticket(text))
    assert clean(ticket(cleaned)) == cleaned


@given(MESSAGES, st.text(max_size=60), MESSAGES)
def test_the_result_is_bounded_storable_text(text: str, subject: str, later: str) -> None:
    cleaned = clean(ticket(text, subject, later))
    assert len(cleaned) <= LIMIT
    assert unicodedata.is_normalized("NFC", cleaned)
    cleaned.encode("utf-8")
    assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in cleaned)


@given(st.text(max_size=300), st.integers(min_value=1_000, max_value=2_000))
def test_bounded_text_stays_as_it_is(text: str, limit: int) -> None:
    bounded = bound(text * 20, limit)
    assert len(bounded) <= limit
    assert bound(bounded, limit) == bounded


@given(MESSAGES)
def test_what_html_gave_never_reads_as_html_again(text: str) -> None:
    assert not markup.is_html(markup.to_text(text))


HOSTILE = {
    "log lines": lambda n: "a=1 b=2\n" * (n // 8),
    "sparse log": lambda n: "a=1 b=2\nit is\nso\n" * (n // 17),
    "salutations": lambda n: "Hello, " * (n // 7),
    "salutation lines": lambda n: "Dear All\n" * (n // 9),
    "equals": lambda n: "a = " * (n // 4),
    "nested div": lambda n: "<div>" * (n // 5),
    "attributes": lambda n: "<p " + "a=1 " * (n // 4) + ">",
    "styles": lambda n: "<p style=style=" * (n // 15),
    "quotes": lambda n: "<a \"'" * (n // 5),
    "open tags": lambda n: "<a" * (n // 2),
    "comments": lambda n: "<p>" + "<!--" * (n // 4),
    "nested quotes": lambda n: "<blockquote type=cite>" * (n // 22),
    "entities": lambda n: "<p>" + "&lt;" * (n // 4),
    "quote marks": lambda n: ">" * n,
    "quoted lines": lambda n: "> a\n" * (n // 4),
    "blank lines": lambda n: "a" + "\n" * n + "b",
    "spaces": lambda n: "a" + " " * n + "b",
    "Am schrieb": lambda n: "Am schrieb " * (n // 11),
    "Am schrieb lines": lambda n: "Am 2025 schrieb " * 15 + "\n:\n" * (n // 3),
    "Op schreef": lambda n: ("Op 2025 schreef " * 11 + ":\n") * (n // 178),
    "On": lambda n: "On " * (n // 3),
    "wrote": lambda n: "On 2025 wrote:\n> a\n" * (n // 19),
    "headers": lambda n: "From: a\n" * (n // 8),
    "header blocks": lambda n: "From: a\nSent: b\n" * (n // 16),
    "regards": lambda n: "Regards\n" * (n // 8),
    "disclaimers": lambda n: "This e-mail\n" * (n // 12),
    "delimiters": lambda n: "--\n" * (n // 3),
    "banner": lambda n: "[" * n,
    "combining marks": lambda n: "a" + "\u0315\u0300" * (n // 2),
    "prefixes": lambda n: "Re: " * (n // 4),
    "noise": lambda n: "".join(random.Random(1).choices("<>/\"'=-\n: aOn@0&;", k=n)),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_four_times_the_text_takes_about_four_times_the_work(shape: str) -> None:
    """A quadratic step would take sixteen times; 9 leaves room for a noisy machine."""
    small, large = (HOSTILE[shape](size) for size in (20_000, 80_000))
    # A busy machine can spoil one comparison; a quadratic step spoils all of them.
    assert any(_work(large) <= 9 * max(_work(small), _NOTICEABLE) for _ in range(TRIES))


def test_a_megabyte_of_noise_is_read_to_a_bounded_text() -> None:
    text = HOSTILE["noise"](1_000_000)
    assert len(clean(ticket(text, subject=text, last_message=text))) <= LIMIT


_NOTICEABLE = 0.002  # seconds of CPU; below it, a ratio measures the clock


TRIES = 5


def _work(text: str) -> float:
    spent = []
    for _ in range(3):
        begin = time.process_time()
        clean(ticket(text, subject=text))
        spent.append(time.process_time() - begin)
    return min(spent)
