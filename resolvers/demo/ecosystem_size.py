"""How large an ecosystem is, and how it is divided among its agencies: a few large ones and many small."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from resolvers.error import RefusalCode, refuse

MOST_PEOPLE, MOST_CLIENTS, MOST_GRANTS = 1_000_000, 5_000_000, 50_000_000
FEWEST_PEOPLE = 4
"""Of an agency: two who give access to others, and two to give it to."""
PEOPLE_OF_AN_AGENCY = 46.7
"""On average, unless the number of agencies is given."""
CLIENTS_OF_A_PERSON = 55 / 28
GRANTS_OF_A_CLIENT = 1_000 / 55

_STEEPNESS = 0.85
"""The agency in place n is this power of n smaller than the largest."""
_CROWDING = 0.25
"""Clients of larger agencies have more of its people, by this power of the agency's size."""


@dataclass(frozen=True, slots=True)
class EcosystemSize:
    """So many people, clients and grants in all agencies together; another seed gives other data of the same size."""

    people: int
    clients: int
    agencies: int
    grants: int
    seed: int

    @property
    def as_json(self) -> str:
        """Returns the size as it is remembered in the database."""
        return json.dumps({"demo": asdict(self)}, sort_keys=True)

    @classmethod
    def of_json(cls, text: str) -> "EcosystemSize | None":
        """Returns the size that is remembered so; None for another demo."""
        numbers = json.loads(text)["demo"]
        return cls(**numbers) if numbers.keys() == {field.name for field in fields(cls)} else None


@dataclass(frozen=True, slots=True)
class Share:
    """What one agency has of it."""

    people: int
    clients: int
    grants: int


def ecosystem_size(
    people: int | None = None,
    clients: int | None = None,
    agencies: int | None = None,
    grants: int | None = None,
    seed: int = 1,
) -> EcosystemSize:
    """Returns the size asked for; what is left out follows from the rest.

    Raises:
        RefusedError: INVALID_INPUT, for numbers that do not go together.
    """
    if people is None:
        people = 28_000 if clients is None else max(FEWEST_PEOPLE, round(clients / CLIENTS_OF_A_PERSON))
    clients = max(1, round(people * CLIENTS_OF_A_PERSON)) if clients is None else clients
    if agencies is None:
        agencies = max(1, min(round(people / PEOPLE_OF_AN_AGENCY), clients))
    _check(FEWEST_PEOPLE <= people <= MOST_PEOPLE, f"--people can be {FEWEST_PEOPLE} to {MOST_PEOPLE}.")
    _check(1 <= clients <= MOST_CLIENTS, f"--clients can be 1 to {MOST_CLIENTS}.")
    _check(1 <= agencies <= clients, "--agencies can be 1 to the number of clients.")
    _check(
        agencies * FEWEST_PEOPLE <= people, f"An agency needs at least {FEWEST_PEOPLE} people: choose fewer agencies."
    )
    room = sum(map(_room, *_divided(people, clients, agencies)))
    grants = min(round(clients * GRANTS_OF_A_CLIENT), room) if grants is None else grants
    _check(0 <= grants <= MOST_GRANTS, f"--grants can be 0 to {MOST_GRANTS}.")
    _check(grants <= room, f"--grants can be at most {room} with so many people and clients.")
    return EcosystemSize(people, clients, agencies, grants, seed)


def _check(holds: bool, message: str) -> None:  # noqa: FBT001 a condition
    if not holds:
        raise refuse(RefusalCode.INVALID_INPUT, message)


def shares(size: EcosystemSize) -> list[Share]:
    """Returns what each agency has, the largest first."""
    people, clients = _divided(size.people, size.clients, size.agencies)
    room = list(map(_room, people, clients))
    crowds = [clients[place] * people[place] ** _CROWDING for place in range(size.agencies)]
    return list(map(Share, people, clients, apportioned(size.grants, crowds, room)))


def most_in_client(people: int) -> int:
    """Returns the most people that an agency of so many has in one client."""
    return people * 2 // 3


def _room(people: int, clients: int) -> int:
    return clients * most_in_client(people)


def _divided(people: int, clients: int, agencies: int) -> tuple[list[int], list[int]]:
    weights = [(place + 1) ** -_STEEPNESS for place in range(agencies)]
    beyond = apportioned(people - FEWEST_PEOPLE * agencies, weights)
    return [FEWEST_PEOPLE + more for more in beyond], [1 + more for more in apportioned(clients - agencies, weights)]


def apportioned(total: int, weights: Sequence[float], most: Sequence[int] | None = None) -> list[int]:
    """Returns whole numbers in about these proportions that make the total, none above its limit.

    There must be room for the total.
    """
    made, rest = [0] * len(weights), total
    places = [place for place, weight in enumerate(weights) if weight > 0]
    while rest and places:
        whole, left = sum(weights[place] for place in places), rest
        for place in places:
            part = min(rest, max(1, int(left * weights[place] / whole)))
            part = part if most is None else min(part, most[place] - made[place])
            made[place] += part
            rest -= part
        places = [place for place in places if most is None or made[place] < most[place]]
    return made
