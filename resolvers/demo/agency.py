"""The agencies of an ecosystem: who they are, which accounts are theirs, and what they share with each other."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from models.account import AccountType
from models.member import ManagerRights, MemberKind, MemberStatus
from resolvers.demo.blueprint import FIRST_ACCOUNT
from resolvers.demo.cast import Part, Person
from resolvers.demo.ecosystem_size import EcosystemSize, shares
from resolvers.demo.house_set import HOUSE
from resolvers.demo.name import agency_name, company_domain, company_name, person_email, person_name

FIRST_AGENCY = 9_100_001
ACCOUNTS_OF_THE_DEMO = 1_000
"""Numbers that are left to the demo agency, which may be in the same database."""
PEOPLE_WITH_ADMINS = 10
"""From so many people on an agency has a partner admin without Reports, and somebody who is super admin with clients."""

_LEGAL_FORMS = ("Ltd", "GmbH", "S.L.", "Inc.", "SARL")
_TYPES = (AccountType.STANDARD,) * 17 + (AccountType.SANDBOX, AccountType.DEVELOPER_TEST, AccountType.APP_DEVELOPER)


@dataclass(frozen=True, slots=True)
class Company:
    """Who a client is, by the number of the account."""

    number: int

    @property
    def hub_id(self) -> int:
        """Returns the account's Hub ID."""
        return FIRST_ACCOUNT + ACCOUNTS_OF_THE_DEMO + self.number

    @property
    def name(self) -> str:
        """Returns what people call it."""
        return company_name(ACCOUNTS_OF_THE_DEMO + self.number)

    @property
    def official_name(self) -> str:
        """Returns the name with the legal form."""
        return f"{self.name} {_LEGAL_FORMS[self.number % len(_LEGAL_FORMS)]}"

    @property
    def domain(self) -> str:
        """Returns its domain, which cannot exist."""
        return company_domain(self.name)

    @property
    def account_type(self) -> AccountType:
        """Returns what kind of account it has."""
        return _TYPES[self.number % len(_TYPES)]


@dataclass(frozen=True)
class Agency:
    """One agency. Some of its clients are clients of an earlier agency, the neighbour, too; so are some contractors."""

    seed: int
    index: int
    people: int
    clients: int
    grants: int
    first_account: int
    neighbour: "Agency | None"
    shared: int
    """So many clients, the first ones, are accounts of the neighbour."""
    shared_from: int
    borrowed: int
    """So many contractors, the last people, work for the neighbour."""

    @property
    def hub_id(self) -> int:
        """Returns the agency's own Hub ID."""
        return FIRST_AGENCY + self.index

    @property
    def name(self) -> str:
        """Returns a name that no other agency has."""
        return agency_name(self.index)

    @property
    def domain(self) -> str:
        """Returns a domain that no other agency has, and that cannot exist."""
        return company_domain(self.name)

    @property
    def own(self) -> int:
        """Returns how many accounts no earlier agency has."""
        return self.clients - self.shared

    @property
    def leads(self) -> int:
        """Returns how many people, the first ones, give access to the others."""
        return max(2, min(self.people // 12, 40))

    @property
    def contractors(self) -> int:
        """Returns how many people, the last ones, are contractors."""
        return self.people // 5

    @property
    def house_sets(self) -> int:
        """Returns how many permission sets of its own it has."""
        return min(len(HOUSE), 1 + self.people // 15)

    def random(self, what: str) -> random.Random:
        """Returns the chance that decides something of this agency: the same each time."""
        return random.Random(f"{self.seed}/{self.index}/{what}")  # noqa: S311 the same data each time, nothing secret

    def company(self, client: int) -> Company:
        """Returns who a client is."""
        if self.neighbour is not None and client < self.shared:
            return Company(self.neighbour.first_account + (self.shared_from + client) % self.neighbour.own)
        return Company(self.first_account + client - self.shared)

    @cached_property
    def staff(self) -> Sequence[Person]:
        """Returns its people."""
        chance = self.random("people")
        return [self._person(number, chance.random()) for number in range(self.people)]

    def _person(self, number: int, chance: float) -> Person:
        contractor = number >= self.people - self.contractors
        kind = MemberKind.CONTRACTOR if contractor else MemberKind.EMPLOYEE
        borrowed = number - (self.people - self.borrowed)
        if self.neighbour is not None and borrowed >= 0:
            first, last, email = self.neighbour.identity(self.neighbour.own_contractor(borrowed))
            return Person(first, last, email, kind=kind)
        first, last, email = self.identity(number)
        after_leads = number - self.leads
        part, rights = Part.WORKER, ManagerRights.VIEW if chance > 0.9 else ManagerRights.NONE
        if after_leads < 0:
            part, rights = Part.LEAD, ManagerRights.EDIT
        elif after_leads < 2 and self.people >= PEOPLE_WITH_ADMINS:
            part, rights = (Part.REDUCED, Part.SUPER)[after_leads], ManagerRights.EDIT
        status, verified = MemberStatus.ACTIVE, True
        if part is Part.WORKER and after_leads > 1:
            verified = not 0.06 < chance < 0.12
            if chance < 0.03:
                status = MemberStatus.LEFT
            elif chance < 0.06 and not contractor:
                status = MemberStatus.DEACTIVATED
        return Person(first, last, email, part, kind, status, rights, super_admin=number == 0, verified=verified)

    def identity(self, number: int) -> tuple[str, str, str]:
        """Returns first name, last name and address of one of its own people."""
        first, last = person_name(self.index * 61 + number)
        return first, last, person_email(number, first, last, self.domain)

    @property
    def own_contractors(self) -> int:
        """Returns how many contractors it has that it does not share with its neighbour."""
        return self.contractors - self.borrowed

    def own_contractor(self, number: int) -> int:
        """Returns the number of a contractor among the people."""
        return self.people - self.contractors + number


def agencies(size: EcosystemSize) -> list[Agency]:
    """Returns the agencies of an ecosystem, the largest first."""
    made: list[Agency] = []
    account = 0
    for index, share in enumerate(shares(size)):
        chance = random.Random(f"{size.seed}/{index}/neighbour")  # noqa: S311 the same data each time, nothing secret
        neighbour = made[chance.randrange(index)] if index else None
        shared = min((share.clients + 12) // 25, neighbour.own // 2) if neighbour else 0
        borrowed = min((share.people + 75) // 100, neighbour.own_contractors, share.people // 5) if neighbour else 0
        made.append(
            Agency(
                seed=size.seed,
                index=index,
                people=share.people,
                clients=share.clients,
                grants=share.grants,
                first_account=account,
                neighbour=neighbour,
                shared=shared,
                shared_from=chance.randrange(neighbour.own) if neighbour else 0,
                borrowed=borrowed,
            )
        )
        account += share.clients - shared
    return made
