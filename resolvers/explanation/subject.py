"""What somebody asks an explanation about: a permission of the catalogue, and a person in a client."""

from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.permission import Permission
from models.permission.state import State
from resolvers.client import ClientRecord
from resolvers.error import AccessCode, AccessError, InputError
from resolvers.member import MemberRecord


def named_permission(key: str) -> Permission:
    """Returns the permission with a key.

    Raises:
        InputError: if there is none.
    """
    permission = catalogue.permissions.get(key)
    if permission is None:
        raise InputError("There is no such permission: permissionCatalog lists them all.")
    return permission


def named_level(key: str, level: PermissionLevel) -> State:
    """Returns a permission at a level above NONE, with all levels below.

    Raises:
        InputError: if there is no such permission, or it has no such level.
    """
    permission = named_permission(key)
    legal = [known.value for known in permission.levels[1:]]
    if level.value not in legal:
        raise InputError(f"{key} can be given at {' and '.join(legal)}: name one of these levels.")
    return catalogue.state({key: level})


def colleague_there(client: ClientRecord, member: MemberRecord | None) -> MemberRecord:
    """Returns a person who is named beside a client: one of the same partner's people.

    Raises:
        AccessError: NOT_FOUND for unknown and foreign ones alike (T1).
    """
    if member is None or member.partner_id != client.partner_id:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such member: take an id from partner.members.")
    return member
