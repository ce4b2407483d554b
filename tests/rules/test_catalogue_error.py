"""A catalogue file that is wrong is refused at start, with the line; «here» marks the line that must be named."""

from pathlib import Path

import pytest

from models.permission.built_in import load_built_in
from models.permission.catalogue import catalogue, load_catalogue
from models.permission.error import CatalogueError

HEAD = """
[seats]
worker = ["CORE"]

[crm]
label = "CRM"

[crm."contacts.view"]
label = "View contacts"
description = "See contacts."
levels = ["OWNED", "TEAM", "ALL"]
"""


def entry(*lines: str, key: str = "contacts.edit", area: str = "crm") -> str:
    words = 'label = "Edit contacts"\ndescription = "Change contacts."\n'
    return f'\n[{area}."{key}"]\n{words}' + "\n".join(lines) + "\n"


def refused(text: str, folder: Path, name: str = "catalogue.toml") -> CatalogueError:
    file = folder / name
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(CatalogueError) as caught:
        load_built_in(catalogue, file) if name == "built_in.toml" else load_catalogue(file)
    return caught.value


WRONG = {
    "unknown key": (
        HEAD + entry('requires = ["contact.view"]  # here'),
        "'contacts.edit' requires 'contact.view', which is not in the catalogue",
    ),
    "unknown key in a list of several lines": (
        HEAD + entry("requires = [", '  "contacts.view",', "", '  "contact.view@OWNED",  # here', "]"),
        "'contacts.edit' requires 'contact.view', which is not in the catalogue",
    ),
    "level that the required key lacks": (
        HEAD + entry('requires = ["billing@TEAM"]  # here') + entry(key="billing"),
        "'contacts.edit' requires 'billing' at TEAM, a level that it does not have",
    ),
    "same level that the required key lacks": (
        HEAD + entry('levels = ["OWNED", "ALL"]', 'requires = ["billing"]  # here') + entry(key="billing"),
        "'contacts.edit' requires 'billing' at OWNED, a level that it does not have",
    ),
    "illegal level required": (
        HEAD + entry('requires = ["contacts.view@MOST"]  # here'),
        "'contacts.edit' requires 'contacts.view' at the illegal level 'MOST'",
    ),
    "nothing cannot be required": (
        HEAD + entry('requires = ["contacts.view@NONE"]  # here'),
        "'contacts.edit' requires 'contacts.view' at the illegal level 'NONE'",
    ),
    "illegal level": (
        HEAD + entry('levels = ["OWNED", "SOME"]  # here'),
        "'contacts.edit' has the illegal level 'SOME'",
    ),
    "illegal level in a list of several lines": (
        HEAD + entry("levels = [", '  "OWNED",', '  "SOME",  # here', "]"),
        "'contacts.edit' has the illegal level 'SOME'",
    ),
    "levels that fall": (HEAD + entry('levels = ["ALL", "OWNED"]  # here'), "levels of 'contacts.edit' must rise"),
    "level twice": (HEAD + entry('levels = ["ALL", "ALL"]  # here'), "levels of 'contacts.edit' must rise"),
    "levels as a text": (HEAD + entry('levels = "ALL"  # here'), "levels of 'contacts.edit' must be a list"),
    "no level": (HEAD + entry("levels = []  # here"), "levels of 'contacts.edit' must be a list"),
    "requirement for a level that it lacks": (
        HEAD + entry('requires = { TEAM = ["contacts.view"] }  # here'),
        "'contacts.edit' has requirements for 'TEAM', a level that it lacks",
    ),
    "requirements as a text": (
        HEAD + entry('requires = "contacts.view"  # here'),
        "requirements of 'contacts.edit' must be a list of texts",
    ),
    "requires itself": (
        HEAD + entry('requires = ["contacts.edit"]  # here'),
        "requirements go in a circle: contacts.edit@ALL → contacts.edit@ALL",
    ),
    "a lower level requires a higher one": (
        HEAD + entry('levels = ["OWNED", "ALL"]', 'requires = { OWNED = ["contacts.edit@ALL"] }  # here'),
        "requirements go in a circle: contacts.edit@OWNED → contacts.edit@ALL → contacts.edit@OWNED",
    ),
    "cycle over two keys": (
        HEAD + entry('requires = ["b"]  # here', key="a") + entry('requires = ["a"]', key="b"),
        "requirements go in a circle: a@ALL → b@ALL → a@ALL",
    ),
    "cycle over levels": (
        HEAD
        + entry('levels = ["OWNED", "ALL"]', 'requires = { OWNED = ["b@ALL"] }  # here', key="a")
        + entry('requires = ["a@ALL"]', key="b"),
        "requirements go in a circle: a@OWNED → b@ALL → a@ALL → a@OWNED",
    ),
    "duplicate key": (
        HEAD + entry() + '\n[crm."contacts.edit"]  # here\n',
        "not valid TOML: ",
    ),
    "duplicate key in another area": (
        HEAD
        + '\n[account]\nlabel = "Account"\n'
        + entry(key="contacts.view", area="account").replace("]", "]  # here"),
        "'contacts.view' is there twice",
    ),
    "unknown field": (HEAD + entry("sensible = true  # here"), "'contacts.edit' has the unknown field 'sensible'"),
    "field that is no flag": (HEAD + entry('delegable = "no"  # here'), "delegable of 'contacts.edit' must be true or"),
    "unknown tier": (HEAD + entry('tier = "SALES_DELUXE"  # here'), "'contacts.edit' needs the unknown tier"),
    "unknown seats": (
        HEAD + entry('seats = "sofa"  # here'),
        "'contacts.edit' names the unknown group of seats 'sofa'",
    ),
    "seats as a list": (HEAD + entry('seats = ["CORE"]  # here'), "'contacts.edit' names the unknown group of seats"),
    "group of seats as a text": (
        HEAD.replace('["CORE"]', '"CORE"  # here'),
        "the group of seats 'worker' must be a list",
    ),
    "no description": (
        HEAD + '\n[crm."contacts.edit"]  # here\nlabel = "Edit"\n',
        "'contacts.edit' needs a description",
    ),
    "empty label": (HEAD + '\n[crm.a]\nlabel = " "  # here\ndescription = "b"\n', "'a' needs a label in words"),
    "area without a label": (
        HEAD + '\n[sales]  # here\n[sales.a]\nlabel = "A"\ndescription = "B"\n',
        "'sales' needs a label in words",
    ),
    "permission that is no table": (HEAD + "\n[sales]\na = 1  # here\n", "permission 'a' must be a table"),
    "unknown area": ("orders = 1  # here\n" + HEAD, "'orders' must be a table: an area with its permissions"),
    "key with a space": (
        HEAD + entry(key="edit all").replace("]", "]  # here"),
        "permission key 'edit all' must be one",
    ),
    "permission on one line": (
        HEAD + '\n[sales]\nlabel = "Sales"\na = { label = "A", description = "B", levels = ["MOST"] }  # here\n',
        "'a' has the illegal level 'MOST'",
    ),
    "not TOML": (HEAD + "\nlabel = = 2  # here\n", "not valid TOML: "),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_line(name: str, newline: str, tmp_path: Path) -> None:
    text, reason = WRONG[name]
    (line,) = [number for number, content in enumerate(text.split("\n"), start=1) if "# here" in content]
    error = refused(text.replace("\n", newline), tmp_path)
    assert reason in error.reason
    assert error.line == line
    assert str(error).startswith(f"catalogue.toml, line {line}: ")


def test_a_text_that_does_not_end_is_named_at_the_end_of_the_file(tmp_path: Path) -> None:
    error = refused(HEAD + '\nlabel = """', tmp_path)
    assert error.line == HEAD.count("\n") + 2


def test_the_unspoiled_head_of_these_files_is_a_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text(HEAD + entry('requires = ["contacts.view"]'), encoding="utf-8")
    assert list(load_catalogue(file).permissions) == ["contacts.view", "contacts.edit"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('ALL = ["contacts.view", "contact.edit"]  # here', "There is no permission 'contact.edit'"),
        ('ALL = [\n"contacts.view",\n"contact.edit",  # here\n]', "There is no permission 'contact.edit'"),
        (
            'OWNED = ["deals.view"]\nALL = ["contacts.edit"]  # here',
            "has contacts.edit@OWNED without contacts.view@OWNED",
        ),
        ('Team = ["contacts.view"]  # here', "a set has the unknown field 'Team'"),
        ("everything_but_financial = 1  # here", "everything_but_financial of '0' must be true or false"),
        ('TEAM = ["billing"]  # here', "'billing' has no level 'TEAM'"),
        (
            'ALL = ["contacts.edit"]  # here\nTEAM = ["contacts.view"]',
            "has contacts.edit@ALL without contacts.view@ALL",
        ),
    ],
)
def test_a_built_in_set_that_is_wrong_is_named_with_its_line(text: str, reason: str, tmp_path: Path) -> None:
    text = f'financial = []\n\n[[set]]\nkey = "a"\nname = "A"\ndescription = "B"\n{text}\n'
    (line,) = [number for number, content in enumerate(text.split("\n"), start=1) if "# here" in content]
    error = refused(text, tmp_path, "built_in.toml")
    assert reason in error.reason
    assert str(error).startswith(f"built_in.toml, line {line}: ")
