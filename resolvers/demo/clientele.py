"""The accounts of an ecosystem with their own people, and the agencies' clients."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from models.account import accounts
from models.client import clients
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberStatus
from models.operation import OperationKind, OperationState, RuleMode, cell_key, operations
from models.permission.built_in import SUPER_ADMIN_STATE
from models.permission.tier import PRODUCTS, RUNGS
from models.team import teams
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers.client_import import client_texts
from resolvers.demo.agency import Agency, Company
from resolvers.demo.assignment import Assignment, Run
from resolvers.demo.blueprint import BEGINNING
from resolvers.demo.house import House, Workshop
from resolvers.demo.name import person_name
from resolvers.email_address import email_key

ONLY_SUPER_ADMIN = 150
"""Of so many accounts one has no super admin of its own (M1)."""
ACCOUNTS_WITH_TEAMS = 5
TEAMS = ("Marketing", "Sales North", "Support")
_OWN_PEOPLE = "What the accounts' own people have."


@dataclass(frozen=True, slots=True)
class ClientPlace:
    """A client in the database."""

    client_id: int
    account_id: int
    teams: Sequence[int]
    """The account's teams into which the agency puts people."""


class Clientele:
    """Writes the clients of an agency, run by run."""

    def __init__(self, workshop: Workshop, house: House, assignment: Assignment) -> None:
        self._connection = workshop.connection
        self._rows = workshop.rows
        self._keys = workshop.keys
        self._state_id = workshop.shelf.state_ids[SUPER_ADMIN_STATE]
        self._house = house
        self._agency: Agency = house.agency
        self._assignment = assignment
        self._chance = self._agency.random("clients")

    async def write(self, run: Run) -> list[ClientPlace]:
        """Writes the clients of a run, and the accounts that no earlier agency has."""
        agency, places = self._agency, []
        shared = await self._shared(range(run.first, min(run.end, agency.shared)))
        own = range(max(run.first, agency.shared), run.end)
        account_ids = self._write_accounts([agency.company(client) for client in own])
        self._write_own_people([agency.company(client) for client in own], account_ids)
        teams_of = self._write_teams([agency.company(client) for client in own], account_ids)
        first = self._keys.take(clients, run.end - run.first)
        for client in range(run.first, run.end):
            company = agency.company(client)
            account_id = shared[company.hub_id] if client < agency.shared else account_ids[client - own.start]
            client_id = first + client - run.first
            self._write_client(client, company, client_id, account_id)
            places.append(ClientPlace(client_id, account_id, teams_of.get(account_id, ())))
        return places

    async def _shared(self, numbers: Sequence[int]) -> Mapping[int, int]:
        """Returns the keys of the neighbour's accounts by Hub ID."""
        if not numbers:
            return {}
        await self._rows.flush()
        wanted = accounts.c.hub_id.in_([self._agency.company(client).hub_id for client in numbers])
        found = await self._connection.execute(select(accounts.c.hub_id, accounts.c.id).where(wanted))
        return {row.hub_id: row.id for row in found}

    def _write_accounts(self, companies: Sequence[Company]) -> Sequence[int]:
        first, add = self._keys.take(accounts, len(companies)), self._rows.into(accounts)
        for number, company in enumerate(companies):
            words = (company.hub_id, company.official_name, company.domain, company.account_type.value)
            add((first + number, *words, _tiers(self._chance), self._house.partner_id, BEGINNING))
        return range(first, first + len(companies))

    def _write_own_people(self, companies: Sequence[Company], account_ids: Sequence[int]) -> None:
        """Gives each account a super admin of its own, but for a few."""
        having = [pair for pair in zip(companies, account_ids, strict=True) if pair[0].number % ONLY_SUPER_ADMIN != 7]
        if not having:
            return
        operation_id, user_id = self._keys.take(operations), self._keys.take(users, len(having))
        done = (GrantStatus.ACTIVE.value, AccessType.SUPER_ADMIN.value, Seat.CORE.value, self._state_id, None, None)
        add_user, add_grant = self._rows.into(users), self._rows.into(grants)
        add_entry = self._rows.into(timeline_entries)
        nobody = (None,) * 7
        for position, (company, account_id) in enumerate(having):
            email, key = f"office@{company.domain}", cell_key(operation_id, position)
            add_user((user_id, email, email_key(email), *person_name(company.number * 3 + 1), BEGINNING))
            status, access_type, seat, *_ = done
            held = (status, 0, access_type, seat, self._state_id, None, False, None, 1, None, BEGINNING, None, None)
            add_grant((key, None, None, None, account_id, user_id, *held))
            add_entry((key, operation_id, None, account_id, None, None, key, BEGINNING, *nobody, *done, None))
            user_id += 1
        self._rows.into(operations)(
            (
                *(operation_id, None, OperationKind.GRANT.value, OperationState.COMPLETED.value, RuleMode.CLAMP.value),
                *(None, _OWN_PEOPLE, "{}", BEGINNING, BEGINNING),
                # It counts outcomes, and those are of clients and members.
                *(0, 0, 0, 0),
            )
        )

    def _write_teams(self, companies: Sequence[Company], account_ids: Sequence[int]) -> dict[int, Sequence[int]]:
        made: dict[int, Sequence[int]] = {}
        for company, account_id in zip(companies, account_ids, strict=True):
            if company.number % ACCOUNTS_WITH_TEAMS == 0:
                names = TEAMS[: 2 + (company.number % (2 * ACCOUNTS_WITH_TEAMS) == 0)]
                first = self._keys.take(teams, len(names))
                for number, name in enumerate(names):
                    self._rows.into(teams)((first + number, account_id, name))
                made[account_id] = range(first, first + len(names))
        return made

    def _write_client(self, client: int, company: Company, client_id: int, account_id: int) -> None:
        chance, agency = self._chance, self._agency
        name = company.name
        display = (None, name, name, f"{name} ({chance.choice(('retainer', 'project', 'onboarding'))})")[client % 4]
        managed = Decimal(chance.randint(400, 18_000)) / 2 if client % 4 != 3 else None
        sold = Decimal(chance.randint(200, 6_000)) if managed is not None and client % 3 == 0 else None
        lead = chance.randrange(agency.people)
        leads = client % 2 == 0 and agency.staff[lead].status is MemberStatus.ACTIVE
        courses = [self._assignment.courses[chosen] for _, chosen in self._assignment.cells(client)]
        texts = client_texts(display, company.official_name, company.domain, company.hub_id)
        self._rows.into(clients)(
            (
                *(client_id, self._house.partner_id, account_id, display, managed, sold),
                ("EUR" if client % 3 else "USD") if managed is not None else None,
                self._house.first_member + lead if leads else None,
                BEGINNING + timedelta(days=client % 600) if client % 5 < 3 else None,
                sum(course.is_active for course in courses),
                sum(course.is_deactivated for course in courses),
                sum(course.is_partner_admin for course in courses),
                *(texts["sort_name"], texts["search_text"], BEGINNING),
            )
        )


def _tiers(chance: random.Random) -> str:
    bought = chance.sample(PRODUCTS, chance.randint(0, len(PRODUCTS)))
    return " ".join(sorted(f"{product}_{chance.choice(RUNGS)}" for product in bought))
