"""The permission sets that the demo uses: the built-in ones, and the partner's own in two versions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from models.text import fold
from resolvers.demo.blueprint import BEGINNING, DAYS
from resolvers.interning import intern_states, state_contents

SECOND_VERSION_AT = BEGINNING + timedelta(days=DAYS / 2)

_OWN: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "Account manager": (
        "Looks after a client day by day.",
        {
            "contacts.edit": "ALL",
            "companies.edit": "ALL",
            "deals.edit": "TEAM",
            "tasks.edit": "ALL",
            "reports.view": "ALL",
        },
        {"notes.edit": "ALL", "dashboards.view": "ALL", "tickets.view": "ALL"},
    ),
    "Campaign crew": (
        "Builds and sends what marketing has planned.",
        {"campaigns.edit": "ALL", "marketing_emails.edit": "ALL", "forms.edit": "ALL", "segments.edit": "ALL"},
        {"landing_pages.edit": "ALL", "social.publish": "ALL"},
    ),
    "Numbers only": ("Reads reports and nothing else.", {"reports.view": "ALL", "dashboards.view": "ALL"}, {}),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A permission set as a person gets it at some time."""

    set_id: int
    version_id: int
    state: State


@dataclass(frozen=True, slots=True)
class Templates:
    """The sets of one partner before and after its own got their second version."""

    partner_admin: Template
    early: list[Template]
    late: list[Template]

    def at(self, moment: datetime) -> list[Template]:
        """Returns the sets as they were then."""
        return self.early if moment < SECOND_VERSION_AT else self.late


async def write_templates(connection: AsyncConnection, partner_id: int, author_id: int) -> Templates:
    """Writes the partner's own sets, and returns them with the built-in ones."""
    partner_admin, built_in = await _built_in(connection)
    early: list[Template] = []
    late: list[Template] = []
    for name, (description, first, added) in _OWN.items():
        contents = [first, first | added] if added else [first]
        states = [catalogue.closure(catalogue.state(levels)) for levels in contents]
        keys = await intern_states(connection, states)
        made = await connection.execute(
            insert(permission_sets)
            .values(
                origin=PermissionSetOrigin.PARTNER,
                partner_id=partner_id,
                name=name,
                name_key=fold(name),
                description=description,
                version=len(states),
            )
            .returning(permission_sets.c.id)
        )
        set_id: int = made.scalar_one()
        versions = []
        for number, state in enumerate(states, start=1):
            at = BEGINNING if number == 1 else SECOND_VERSION_AT
            values = {"set_id": set_id, "version": number, "state_id": keys[state], "created_by_id": author_id}
            version = await connection.execute(
                insert(permission_set_versions).values(**values, created_at=at).returning(permission_set_versions.c.id)
            )
            versions.append(Template(set_id, version.scalar_one(), state))
        early.append(versions[0])
        late.append(versions[-1])
    return Templates(partner_admin, [*built_in, *early], [*built_in, *late])


async def _built_in(connection: AsyncConnection) -> tuple[Template, list[Template]]:
    sets, versions = permission_sets.c, permission_set_versions.c
    rows = (
        await connection.execute(
            select(sets.key, sets.id, versions.id.label("version_id"), versions.state_id)
            .join(permission_set_versions, (versions.set_id == sets.id) & (versions.version == sets.version))
            .where(sets.origin == PermissionSetOrigin.BUILT_IN, sets.archived_at.is_(None))
            .order_by(sets.id)
        )
    ).all()
    states = await state_contents(connection, [row.state_id for row in rows])
    made = {row.key: Template(row.id, row.version_id, states[row.state_id]) for row in rows}
    return made.pop(PARTNER_ADMIN_SET.key), list(made.values())
