"""The two partners of the demo."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from resolvers.demo.cast import AGENCY_DOMAIN, STUDIO_DOMAIN
from resolvers.demo.size import THE_AGENCY

FIRST_PARTNER = 9_000_001
FIRST_ACCOUNT = 1_000_001
RUN = 50
"""Clients whose access one person arranges."""

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
    """About so many living grants in each client."""
    first_account: int
    shared_first: int
    shared: int
    """So many clients are accounts of the partner before, from ``shared_first`` on."""

    @property
    def hub_id(self) -> int:
        """Returns the partner's own Hub ID."""
        return FIRST_PARTNER + self.index

    def account(self, client: int) -> int:
        """Returns the number of a client's account: its Hub ID follows from it."""
        return self.shared_first + client if client < self.shared else self.first_account + client - self.shared

    def runs(self) -> list[Run]:
        """Returns the clients in runs, spread over the time of the demo."""
        firsts = range(0, self.clients, RUN)
        return [
            Run(
                number,
                first,
                min(first + RUN, self.clients),
                BEGINNING + timedelta(days=DAYS * first / self.clients),
            )
            for number, first in enumerate(firsts)
        ]


def blueprints() -> list[Blueprint]:
    """Returns the demo agency, and the studio that shares some of its accounts."""
    made: list[Blueprint] = []
    account = 0
    for index, (people, clients, shared) in enumerate(((THE_AGENCY.people, THE_AGENCY.clients, 0), (12, 40, 15))):
        name, domain = _NAMES[index]
        made.append(
            Blueprint(
                index=index,
                name=name,
                domain=domain,
                people=people,
                clients=clients,
                grants=THE_AGENCY.grants_per_client,
                first_account=account,
                shared_first=made[-1].first_account if made else 0,
                shared=shared,
            )
        )
        account += clients - shared
    return made
