"""Which partners a demo has, and how clients are divided among them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from resolvers.demo.cast import AGENCY_DOMAIN, STUDIO_DOMAIN
from resolvers.demo.size import THE_AGENCY, DemoSize

FIRST_PARTNER = 9_000_001
FIRST_ACCOUNT = 1_000_001
RUN = 200
"""Clients whose access one person arranges, one transaction in a large demo."""
STORY_RUN = 50

BEGINNING = datetime(2025, 2, 3, 9, 0, tzinfo=UTC)
DAYS = 600

_NAMES = (("Fictitious Fox Agency", AGENCY_DOMAIN), ("Imaginary Owl Studio", STUDIO_DOMAIN))


@dataclass(frozen=True, slots=True)
class Run:
    """Some clients in a row: numbers of the partner's clients from ``first`` to before ``end``."""

    number: int
    first: int
    end: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One partner of the demo."""

    index: int
    name: str
    domain: str
    people: int
    clients: int
    grants: int
    """Living grants in each client; about so many in the demo agency, where they differ."""
    first_account: int
    shared_first: int
    shared: int
    """So many clients are accounts of the partner before, from ``shared_first`` on."""
    story: bool

    @property
    def hub_id(self) -> int:
        """Returns the partner's own Hub ID."""
        return FIRST_PARTNER + self.index

    def account(self, client: int) -> int:
        """Returns the number of a client's account: its Hub ID follows from it."""
        return self.shared_first + client if client < self.shared else self.first_account + client - self.shared

    def runs(self) -> list[Run]:
        """Returns the clients in runs, spread over the time of the demo."""
        length = STORY_RUN if self.story else RUN
        firsts = range(0, self.clients, length)
        return [
            Run(
                number,
                first,
                min(first + length, self.clients),
                BEGINNING + timedelta(days=DAYS * first / self.clients),
            )
            for number, first in enumerate(firsts)
        ]


def blueprints(size: DemoSize) -> list[Blueprint]:
    """Returns the partners of a demo."""
    story = size == THE_AGENCY
    shares = [(size.people, size.clients, 0), (12, 40, 15)] if story else _shares(size)
    made: list[Blueprint] = []
    account = 0
    for index, (people, clients, shared) in enumerate(shares):
        number = (f"Fictitious Agency {index + 1}", f"agency-{index + 1}.example")
        name, domain = _NAMES[index] if index < len(_NAMES) else number
        before = made[-1].first_account if made else 0
        made.append(
            Blueprint(
                index=index,
                name=name,
                domain=domain,
                people=people,
                clients=clients,
                grants=size.grants_per_client,
                first_account=account,
                shared_first=before,
                shared=shared,
                story=story,
            )
        )
        account += clients - shared
    return made


def _shares(size: DemoSize) -> list[tuple[int, int, int]]:
    people, clients = _divided(size.people, size.partners), _divided(size.clients, size.partners)
    # Fewer than a half, so that the partner before has so many of its own.
    return [
        (people[index], clients[index], 0 if index == 0 else clients[index] // 50) for index in range(size.partners)
    ]


def _divided(total: int, parts: int) -> list[int]:
    return [total * (index + 1) // parts - total * index // parts for index in range(parts)]
