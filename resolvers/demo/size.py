"""How large the demo agency is."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class DemoSize:
    """A demo of this many people and clients, and about so many living grants for each client."""

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
