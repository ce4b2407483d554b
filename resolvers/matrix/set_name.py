"""What permission sets are called in an access matrix: by their names, with the owner before them where that leaves several."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from models.text import fold
from resolvers.error import RefusalCode
from resolvers.readable import readable_permission_sets
from resolvers.viewer import Viewer

SINGLE_PERMISSIONS = "(single permissions)"
SUPER_ADMIN = "(super admin)"
RESERVED = {fold(name) for name in (SINGLE_PERMISSIONS, SUPER_ADMIN)}
"""What stands in the place of a set where access comes from none."""

ARCHIVED = "archived"
PREFIXES = {
    PermissionSetOrigin.BUILT_IN: "built-in",
    PermissionSetOrigin.PARTNER: "partner",
    PermissionSetOrigin.CLIENT: "client",
}
_WORDS = (*PREFIXES.values(), ARCHIVED)
_KEYS_AT_ONCE = 10_000


@dataclass(slots=True)
class NamedSet:
    """A set with the keys of its versions."""

    id: int
    origin: PermissionSetOrigin
    account_id: int | None
    name: str
    name_key: str
    newest: int
    archived_at: datetime | None
    versions: dict[int, int] = field(default_factory=dict)
    """By number, the key."""

    @property
    def word(self) -> str:
        """Returns what stands before the name where it is needed."""
        return ARCHIVED if self.archived_at else PREFIXES[self.origin]


class UnknownSetError(ValueError):
    """A name that names no set, or several; the message says what to write."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def split_name(text: str) -> tuple[str | None, str]:
    """Returns the word for the owner, if there is one, and the folded name."""
    word, colon, name = text.partition(":")
    if colon and fold(word) in _WORDS:
        return fold(word), fold(name)
    return None, fold(text)


def shown_name(named: NamedSet, collides: bool) -> str:  # noqa: FBT001 what was found out
    """Returns what a set is called, so that ``SetNames.find`` finds just that one."""
    plain = split_name(named.name) == (None, named.name_key) and named.name_key not in RESERVED
    return f"{named.word}: {named.name}" if collides or named.archived_at or not plain else named.name


class SetNames:
    """The sets that a partner can use, by name."""

    def __init__(self, sets: Iterable[NamedSet]) -> None:
        """Takes the sets, archived ones too."""
        self._by_name: dict[str, list[NamedSet]] = {}
        for named in sets:
            self._by_name.setdefault(named.name_key, []).append(named)

    def collides(self, named: NamedSet, account_id: int) -> bool:
        """Says whether another set that can be used in an account has the same name."""
        return any(other.id != named.id for other in self._usable(named.name_key, account_id))

    def find(self, text: str, account_id: int, version_id: int | None) -> NamedSet:
        """Returns the set that is called so in an account; of archived ones that from which there is access, if any.

        Raises:
            UnknownSetError: if there is none, or more than one.
        """
        word, key = split_name(text)
        if word == ARCHIVED:
            found = [named for named in self._by_name.get(key, ()) if named.archived_at and _is_of(named, account_id)]
            found.sort(key=lambda named: (version_id in named.versions.values(), named.id))
            found = found[-1:]
        else:
            found = [named for named in self._usable(key, account_id) if word in {None, named.word}]
        if not found:
            raise UnknownSetError(
                RefusalCode.NOT_FOUND,
                f"permission_set: there is no set “{text:.80}” that can be used in this client. partner.permissionSets and "
                "client.permissionSets list those that can.",
            )
        if len(found) > 1:
            names = " or ".join(f"“{named.word}: {named.name}”" for named in found)
            raise UnknownSetError(
                RefusalCode.INVALID_INPUT, f"permission_set: several sets are called so; write {names}."
            )
        return found[0]

    def _usable(self, key: str, account_id: int) -> list[NamedSet]:
        return [named for named in self._by_name.get(key, ()) if not named.archived_at and _is_of(named, account_id)]


def _is_of(named: NamedSet, account_id: int) -> bool:
    return named.account_id in {None, account_id}


async def load_sets(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, name_keys: Iterable[str] | None = None
) -> list[NamedSet]:
    """Returns the sets that a partner can use somewhere, with these folded names or with any; archived ones too."""
    version = permission_set_versions.c
    statement = (
        select(
            permission_sets.c.id,
            permission_sets.c.origin,
            permission_sets.c.partner_id,
            permission_sets.c.account_id,
            permission_sets.c.name,
            permission_sets.c.name_key,
            permission_sets.c.version.label("newest"),
            permission_sets.c.archived_at,
            version.id.label("version_id"),
            version.version,
        )
        .join(permission_set_versions, version.set_id == permission_sets.c.id)
        .where(permission_sets.c.id.in_(readable_permission_sets(viewer)))
        .order_by(permission_sets.c.id, version.version)
    )
    if name_keys is None:
        rows = (await connection.execute(statement)).all()
    else:
        rows = []
        wanted = sorted(set(name_keys))
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            part = permission_sets.c.name_key.in_(wanted[start : start + _KEYS_AT_ONCE])
            rows += (await connection.execute(statement.where(part))).all()
    found: dict[int, NamedSet] = {}
    for row in rows:
        if row.partner_id in {None, partner_id}:
            named = found.setdefault(
                row.id,
                NamedSet(
                    row.id,
                    PermissionSetOrigin(row.origin),
                    row.account_id,
                    row.name,
                    row.name_key,
                    row.newest,
                    row.archived_at,
                ),
            )
            named.versions[row.version] = row.version_id
    return list(found.values())
