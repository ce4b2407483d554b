"""The enumerations of the API: those of the models, with a description for each value."""

from enum import StrEnum
from typing import Any, TypeVar, cast

import strawberry

from models.account import AccountType
from models.asset import AssetKind
from models.grant import AccessType, GrantStatus, Seat
from models.member import ManagerRights, MemberKind, MemberStatus
from models.operation import OperationKind
from models.partner import PartnerProgram
from models.permission.level import PermissionLevel
from models.permission_set import PermissionSetOrigin
from resolvers.client_order import ClientOrderField
from resolvers.member_order import MemberOrderField
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode

EnumType = TypeVar("EnumType", bound=StrEnum)


def described(enum: type[EnumType], description: str, api_name: str | None = None, /, **values: str) -> type[EnumType]:
    """Makes an enumeration of the models one of the API and returns it; every value must be described (R24, R30)."""
    made = strawberry.enum(enum, name=api_name, description=description)
    for value in cast(Any, made).__strawberry_definition__.values:
        value.description = values.pop(value.name)
    if values:
        raise ValueError(f"{enum.__name__} has no {', '.join(values)}.")
    return made


@strawberry.enum(description="Which way a list is sorted.")
class OrderDirection(StrEnum):
    """Which way a list is sorted."""

    ASC = "ASC"
    DESC = "DESC"


described(
    OrderDirection,
    "Which way a list is sorted.",
    ASC="Smallest, or first, at the top.",
    DESC="Largest, or last, at the top.",
)
described(
    PartnerProgram,
    "The program that an agency is in. Only the first two own access data and can have partner admins.",
    SOLUTIONS_PARTNER="A solutions partner.",
    PROVIDER="A solutions provider.",
    NONE="In no program: the manager is closed to everybody.",
)
described(
    ManagerRights,
    "The right Partner employee management in the partner's own account. Its super admins have EDIT.",
    NONE="The manager is closed.",
    VIEW="May see everything in the manager.",
    EDIT="May see everything and change access.",
)
described(
    AccountType,
    "What kind of account a client is.",
    STANDARD="An account in which a client works.",
    SANDBOX="A copy of an account, for trying things out.",
    DEVELOPER_TEST="An account for testing apps.",
    APP_DEVELOPER="An account from which apps are published.",
)
described(
    AccessType,
    "What a grant makes of a person in an account.",
    SUPER_ADMIN="May do everything there.",
    PARTNER_ADMIN="May manage access there on behalf of the partner, as far as their own permissions reach.",
    STANDARD="Works there with the permissions given.",
    NONE="Has no active grant there.",
)
described(
    Seat,
    "The seat that a grant takes. It masks the permissions: see `effectiveLevel`.",
    PARTNER="Free, for verified people of eligible partners.",
    CORE="A core seat.",
    SALES="A sales seat.",
    SERVICE="A service seat.",
    VIEW_ONLY="Lets only viewing through.",
)
described(
    GrantStatus,
    "Where a grant stands. A removed grant stays as history; a later one for the same person and client is new.",
    ACTIVE="Counts.",
    DEACTIVATED="Counts for nothing, but keeps what it was, and can be reactivated.",
    REMOVED="Has ended.",
)
described(
    MemberKind,
    "How a person works for the partner.",
    EMPLOYEE="An employee.",
    CONTRACTOR="A contractor, who may work for several partners.",
)
described(
    MemberStatus,
    "Whether a person works for the partner.",
    ACTIVE="Works for the partner.",
    DEACTIVATED="Deactivated in the partner's own account.",
    LEFT="Has left the partner.",
)
described(
    PermissionLevel,
    "How far a permission reaches: each level contains the ones before.",
    NONE="Not at all.",
    OWNED="What the person owns.",
    TEAM="What the person's teams own.",
    ALL="Everything.",
)
described(
    PermissionSetOrigin,
    "Whose permission set it is.",
    BUILT_IN="Comes with the service.",
    PARTNER="The partner's own.",
    CLIENT="A client account's own.",
)
described(
    OperationKind,
    "What an operation does.",
    GRANT="Gives access.",
    CHANGE="Changes access.",
    DEACTIVATE="Deactivates access.",
    REACTIVATE="Reactivates access.",
    REMOVE="Removes access.",
    MIGRATE="Makes super admins partner admins.",
    ASSIGN_TEAMS="Assigns teams.",
    REAPPLY="Applies the newest version of permission sets again.",
    UNDO="Undoes another operation.",
    EXPIRE="Ends access that has expired.",
)
described(
    AssetKind,
    "What kind of thing an asset is.",
    CONTACT="A contact.",
    COMPANY="A company.",
    DEAL="A deal.",
    TICKET="A ticket.",
    TASK="A task.",
    WORKFLOW="A workflow.",
    SEQUENCE="A sequence of messages.",
    TEMPLATE="A template of messages.",
    LIST="A list.",
    REPORT="A report.",
    DASHBOARD="A dashboard.",
    FORM="A form.",
    MEETING_PAGE="A page on which meetings are booked.",
    FILE="A file.",
    SOCIAL_ACCOUNT="A connected social account.",
)
described(
    OutcomeCode,
    "Why an outcome was rejected or changed nothing. More codes may come: treat unknown ones by the status.",
    **{code.value: message for code, message in MESSAGES.items()},
)
described(
    ClientOrderField,
    "What clients can be sorted by.",
    NAME="The display name, without regard to case and accents.",
    HUB_ID="The Hub ID, as a number.",
    MANAGED_MRR="The managed MRR; clients without any come before all others.",
    TOTAL_EMPLOYEES="How many of the partner's people are active there.",
    SINCE="Since when the partner knows the client.",
)
described(
    MemberOrderField,
    "What people can be sorted by.",
    NAME="The person's name, without regard to case and accents.",
    EMAIL="The e-mail address.",
    TOTAL_CLIENTS="In how many clients the person is active.",
    KIND="Contractors before employees.",
)
