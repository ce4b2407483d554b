"""Search ignores case and accents and takes every character literally (F22, T5), on both databases alike."""

import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, literal, select

from models.database import Database
from models.team import teams
from models.text import fold, like_pattern
from tests.factory import Factory

SPECIAL = st.sampled_from(["%", "_", "\\", "'", '"', "*", "?", "[", "]", "^", "é", "É", "ß", "ẞ", "İ", "ı", "ø", "Ǆ", "ﬁ", "ς", "Å", "\u0301", "ͅ", "ΐ", "ŉ", " ", "\t", "\u00a0", "😀"])  # fmt: skip
IOTA_BELOW = "\u0345"
# A database cannot keep the zero byte, nor half of a surrogate pair.
LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.text(st.one_of(SPECIAL, LETTERS), max_size=30)

PAIRS = [
    ("Zoë", "zoe"), ("ÉCLAIR", "eclair"), ("Straße", "strasse"), ("Ångström", "angstrom"), ("Łódź", "lodz"),
    ("Smørrebrød", "smorrebrod"), ("Æsir", "aesir"), ("œuvre", "oeuvre"), ("İstanbul", "istanbul"), ("Diyarbakır", "diyarbakir"),
    ("Đorđe", "dorde"), ("ﬁne", "fine"), ("Ｆｕｌｌ", "full"), ("  a \t b\u00a0c ", "a b c"), ("Σίσυφος", "σισυφοσ"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "plain"), PAIRS)
def test_folding_leaves_the_plain_letters(text: str, plain: str) -> None:
    assert fold(text) == plain


@settings(max_examples=500)
@given(TEXTS)
@example("\u0345")
@example("ΐ")
@example("ŉ")
@example("İ")
@example("ẚ")
@example("ͅΑ")
@example("\u03d3")
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@settings(max_examples=500)
@given(TEXTS)
@example("ß")
@example("ŉ")
@example("ΐ")
@example("\u0345")
def test_folding_ignores_composition_and_accents(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)
    assert fold(_bare(text)) == fold(text)


def _bare(text: str) -> str:
    """Returns the text without accents; the iota under a Greek letter is a letter by Unicode's own case folding."""
    letters = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in letters if letter == IOTA_BELOW or not unicodedata.combining(letter))


def test_every_character_of_unicode_folds_once_and_without_case_and_accents() -> None:
    wrong = []
    for number in (*range(1, 0xD800), *range(0xE000, sys.maxunicode + 1)):
        letter = chr(number)
        folded = fold(letter)
        if folded != letter:
            same = (folded, letter.lower(), letter.upper(), _bare(letter), unicodedata.normalize("NFD", letter))
            wrong += [hex(number) for other in same if fold(other) != folded]
    assert wrong == []


@settings(max_examples=300)
@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_folding_ignores_case(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower()) == fold(text)


def _cases() -> list[tuple[str, str]]:
    """Returns haystacks and needles: fixed ones, and many more that Hypothesis finds interesting, always the same."""
    found: list[tuple[str, str]] = [
        ("100%", "%"), ("100", "%"), ("a_b", "a_b"), ("axb", "a_b"), ("a\\b", "\\"), ("ab", "\\"), ("a\\%b", "\\%"),
        ("ZOË & SÖHNE", "zoe & so"), ("50% off_now\\", "% OFF_"), ("[abc]", "[a"), ("O'Neil", "o'n"), ("", ""), ("a", ""),
        ("a*b", "*"), ("a", "a?"), ("5123456789", "345"),
    ]  # fmt: skip

    @settings(max_examples=200, derandomize=True, database=None)
    @given(TEXTS, TEXTS, st.integers(0, 30), st.integers(0, 30))
    def collect(text: str, other: str, start: int, length: int) -> None:
        found.extend([(text, text[start : start + length]), (text, other)])

    collect()
    return found


async def test_like_finds_exactly_what_python_finds(database: Database, factory: Factory) -> None:
    account = await factory.account()
    async with database.write() as session:
        connection = await session.connection()
        for haystack, needle in _cases():
            await connection.execute(insert(teams).values(account_id=account.id, name=fold(haystack)))
            statement = select(teams.c.name.like(like_pattern(needle), escape="\\"), literal(1))
            matched = bool((await connection.execute(statement)).one()[0])
            assert matched == (fold(needle) in fold(haystack)), (haystack, needle)
            await connection.execute(delete(teams))
