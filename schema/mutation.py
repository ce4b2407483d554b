"""The entrances to everything that can be written."""

import strawberry

from schema.api_token_write import ApiTokenMutation
from schema.client_write import ClientMutation
from schema.file_import import ImportMutation
from schema.grant_write import GrantMutation
from schema.member_write import MemberMutation
from schema.permission_set_write import PermissionSetMutation


@strawberry.type(
    description="What can be written. All of it needs a token with the scope `write`. Refusals stand in `userErrors` of the "
    "payload, and what became of each person and client in the outcomes of its operation."
)
class Mutation(GrantMutation, PermissionSetMutation, MemberMutation, ClientMutation, ImportMutation, ApiTokenMutation):
    """The root of all writes."""
