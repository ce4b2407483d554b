"""Who uses an account's own permission sets, for the account's own people (F49)."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.account_partner import account_partners_by_id
from resolvers.client_set.usage import SetUsageRecord
from schema.context import Info
from schema.field import column, field
from schema.record import shown, shows

if TYPE_CHECKING:
    from schema.account import AccountPartner


@shows(SetUsageRecord)
@strawberry.type(description="How many of an agency's people have a permission set of your account's own.")
class PermissionSetUsage:
    """The grants of one partner that were given a set."""

    record: strawberry.Private[SetUsageRecord]
    active: int = column("How many have it now.")
    deactivated: int = column("How many have it with access that is deactivated.")
    customised: int = column("Of all these, how many differ from the set.")
    outdated: int = column("Of all these, how many are still on an older version of it.")

    @field("The agency; null unless you decide for the account.")
    async def partner(self, info: Info) -> Annotated["AccountPartner", strawberry.lazy("schema.account")] | None:
        """Returns the partner (N08)."""
        found: AccountPartner | None = shown(await info.context.load(account_partners_by_id, self.record.client_id))
        return found
