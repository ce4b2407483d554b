"""Free texts: names of one line, reasons of several, and what would only confuse whoever reads them."""

import pytest

from resolvers.error import RefusalCode, RefusedError
from resolvers.free_text import one_line, optional_line, refusing_at, several_lines


@pytest.mark.parametrize(
    ("text", "kept"), [("  Key  account\n team ", "Key account team"), ("Zoë Ω 漢字", "Zoë Ω 漢字")]
)
def test_a_name_is_one_line_with_single_spaces(text: str, kept: str) -> None:
    assert one_line(text, 20) == kept


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1 to 20"),
        (" \n", "1 to 20"),
        ("\u200b\u200d", "1 to 20"),
        ("x" * 21, "1 to 20"),
        ("a\x1b[31m", r"U\+001B"),
        ("\u202eabc", r"U\+202E"),
        ("a\ud800", r"U\+D800"),
    ],
)
def test_a_name_that_shows_nothing_or_something_else_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        one_line(text, 20)


def test_a_reason_keeps_its_lines_and_may_be_empty() -> None:
    assert several_lines(" New team\r\nsee ticket 7\t ", 100) == "New team\nsee ticket 7"
    assert several_lines("  ", 100) == ""
    with pytest.raises(ValueError, match="at most 5"):
        several_lines("x" * 6, 5)
    with pytest.raises(ValueError, match=r"U\+0007"):
        several_lines("ring\a", 100)


def test_a_name_that_may_be_left_out_is_checked_like_any_other() -> None:
    assert (optional_line(" \n", 20), optional_line(" Kim  Kay ", 20)) == ("", "Kim Kay")
    for text in ("x" * 21, "a\0b", "\u200b"):
        with pytest.raises(ValueError, match=r"Write 1 to 20|control character"):
            optional_line(text, 20)


def test_the_reason_becomes_a_refusal_where_the_text_stands() -> None:
    with pytest.raises(RefusedError) as caught, refusing_at("The name", "input", "name"):
        one_line("", 20)
    (refusal,) = caught.value.refusals
    assert (refusal.code, refusal.field) == (RefusalCode.INVALID_INPUT, ("input", "name"))
    assert refusal.message == "The name cannot be used. Write 1 to 20 characters."
