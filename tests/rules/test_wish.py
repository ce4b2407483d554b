"""The wishes are data; a file that is wrong is refused at start, with the line; «here» marks it (F48)."""

from pathlib import Path

import pytest

from models.permission.error import CatalogueError
from models.wish import WISHES, load_wishes

HEAD = '[first]\ntitle = "A"\ndescription = "B"\n'

WRONG = {
    "no title": (HEAD + '\n[second]  # here\ndescription = "B"\n', "'second' needs a title in words"),
    "blank description": (
        HEAD + '\n[second]\ntitle = "A"\ndescription = " "  # here\n',
        "'second' needs a description in words",
    ),
    "title that is a number": (HEAD + '\n[second]\ntitle = 5  # here\ndescription = "B"\n', "'second' needs a title"),
    "unknown field": (
        HEAD + '\n[second]\ntitle = "A"\ndescription = "B"\nvotes = 3  # here\n',
        "'second' has the unknown field 'votes'",
    ),
    "key with capitals": (
        HEAD + '\n["Second one"]  # here\ntitle = "A"\ndescription = "B"\n',
        "the key 'Second one' must be small letters, digits and _",
    ),
    "wish that is no table": ("second = 1  # here\n" + HEAD, "wish 'second' must be a table"),
    "the same key twice": (HEAD + "\n[first]  # here\n", "not valid TOML: "),
    "not TOML": (HEAD + "\ntitle = = 2  # here\n", "not valid TOML: "),
}


def test_f48_the_topics_that_people_asked_for_are_there_in_words() -> None:
    """Section 8: F46 to F57, each of them."""
    assert len(WISHES) == 12
    for key, wish in WISHES.items():
        assert wish.key == key
        assert wish.title
        assert wish.description.endswith(".")
    assert len({wish.title for wish in WISHES.values()}) == len({wish.description for wish in WISHES.values()}) == 12


def test_wishes_keep_the_order_of_their_file(tmp_path: Path) -> None:
    file = tmp_path / "wish.toml"
    file.write_text(HEAD.replace("first", "z") + HEAD.replace("first", "a"), encoding="utf-8")
    assert list(load_wishes(file)) == ["z", "a"]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    text, reason = WRONG[name]
    (line,) = [number for number, content in enumerate(text.split("\n"), start=1) if "# here" in content]
    file = tmp_path / "wish.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        load_wishes(file)
    assert reason in caught.value.reason
    assert str(caught.value).startswith(f"wish.toml, line {line}: ")
