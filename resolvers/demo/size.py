"""How large a demo is."""

import json
from dataclasses import asdict, dataclass

from resolvers.error import RefusalCode, refuse

LARGEST_PEOPLE = 28_000
LARGEST_CLIENTS = 55_000
LARGEST_GRANTS = 2_000_000
PEOPLE_OF_A_PARTNER = 1_000
"""On average, unless the number of partners is given."""


@dataclass(frozen=True, slots=True)
class DemoSize:
    """A demo of this many people and clients, in all partners together, and living grants for each client."""

    people: int
    clients: int
    grants_per_client: int
    partners: int

    @property
    def as_json(self) -> str:
        """Returns the size as it is remembered in the database."""
        return json.dumps({"demo": asdict(self)}, sort_keys=True)


THE_AGENCY = DemoSize(people=57, clients=300, grants_per_client=5, partners=1)
"""The demo agency of `make run`; a small second agency comes with it."""


def demo_size(
    people: int | None = None,
    clients: int | None = None,
    grants_per_client: int | None = None,
    partners: int | None = None,
) -> DemoSize:
    """Returns the size asked for; nothing at all is the demo agency.

    Raises:
        RefusedError: INVALID_INPUT, for numbers that do not go together.
    """
    if people is clients is grants_per_client is partners is None:
        return THE_AGENCY
    people = THE_AGENCY.people if people is None else people
    clients = THE_AGENCY.clients if clients is None else clients
    grants = THE_AGENCY.grants_per_client if grants_per_client is None else grants_per_client
    partners = -(-people // PEOPLE_OF_A_PARTNER) if partners is None else partners
    limits = (
        (20 <= people <= LARGEST_PEOPLE, f"--people can be 20 to {LARGEST_PEOPLE}."),
        (1 <= clients <= LARGEST_CLIENTS, f"--clients can be 1 to {LARGEST_CLIENTS}."),
        (grants >= 0 and clients * grants <= LARGEST_GRANTS, f"There can be 0 to {LARGEST_GRANTS} grants in all."),
        (1 <= partners <= clients, "--partners can be 1 to the number of clients."),
        (
            partners >= 1 and people // max(partners, 1) >= 20,
            "A partner needs at least 20 people: choose fewer partners.",
        ),
        (
            partners >= 1 and grants <= people // max(partners, 1) - 10,
            "A client cannot have so many grants: a partner needs ten people more than that.",
        ),
    )
    for holds, message in limits:
        if not holds:
            raise refuse(RefusalCode.INVALID_INPUT, message)
    return DemoSize(people, clients, grants, partners)
