"""The permission sets of an ecosystem: the built-in ones, and those that agencies have made for themselves."""

from dataclasses import dataclass
from functools import cache

from models.permission.built_in import BUILT_IN_SETS
from models.permission.catalogue import catalogue
from models.permission.state import State


@dataclass(frozen=True, slots=True)
class HouseSet:
    """A set as agencies make it; some get a second version later."""

    name: str
    description: str
    levels: dict[str, str]
    added: dict[str, str]
    """What the second version has more; nothing for a set that was never edited."""


HOUSE = (
    HouseSet(
        "Account manager",
        "Looks after a client day by day.",
        {"contacts.edit": "ALL", "companies.edit": "ALL", "deals.edit": "TEAM", "tasks.edit": "ALL"},
        {"notes.edit": "ALL", "dashboards.view": "ALL"},
    ),
    HouseSet(
        "Campaign crew",
        "Builds and sends what marketing has planned.",
        {"campaigns.edit": "ALL", "marketing_emails.edit": "ALL", "forms.edit": "ALL", "reports.view": "ALL"},
        {"landing_pages.edit": "ALL", "social.publish": "ALL"},
    ),
    HouseSet(
        "Numbers", "Reads reports, and contacts beside them.", {"reports.view": "ALL", "contacts.view": "ALL"}, {}
    ),
    HouseSet(
        "Front desk",
        "Answers whoever writes.",
        {"tickets.edit": "TEAM", "inbox.use": "ALL", "contacts.view": "ALL"},
        {"tickets.communicate": "TEAM"},
    ),
    HouseSet("Page builder", "Builds pages and posts.", {"website_pages.edit": "ALL", "blog.edit": "ALL"}, {}),
    HouseSet(
        "Deal desk",
        "Keeps offers and forecasts.",
        {"deals.edit": "ALL", "quotes.edit": "ALL", "forecasts.view": "ALL"},
        {"reports.view": "ALL"},
    ),
)


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a set, with its place in ``templates``."""

    number: int
    state: State
    key: str | None
    """Of a built-in set."""
    house: int | None
    """The place in ``HOUSE`` of a set of the agency's own."""
    version: int

    @property
    def is_current(self) -> bool:
        """Says whether it is the newest version of its set."""
        return self.house is None or self.version == versions(HOUSE[self.house])


@cache
def templates() -> tuple[Template, ...]:
    """Returns every version of every set, Partner Admin first."""
    ordered = sorted(BUILT_IN_SETS, key=lambda built: not built.is_partner_admin)
    contents: list[tuple[State, str | None, int | None, int]] = [(built.state, built.key, None, 1) for built in ordered]
    for place, house in enumerate(HOUSE):
        for version in range(1, versions(house) + 1):
            levels = house.levels | (house.added if version == 2 else {})
            contents.append((catalogue.closure(catalogue.state(levels)), None, place, version))
    return tuple(Template(number, *content) for number, content in enumerate(contents))


def versions(house: HouseSet) -> int:
    """Returns how many versions a set has."""
    return 2 if house.added else 1


PARTNER_ADMIN_TEMPLATE = 0
"""The place of the Partner Admin set in ``templates``."""
