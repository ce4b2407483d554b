"""The entrances to everything that can be written."""

import strawberry

from schema.access_link_write import AccessLinkMutation
from schema.account_write import AccountMutation
from schema.api_token_write import ApiTokenMutation
from schema.asset_write import AssetMutation
from schema.client_write import ClientMutation
from schema.confirmation_link_write import ConfirmationLinkMutation
from schema.feedback_write import FeedbackMutation
from schema.file_import import ImportMutation
from schema.grant_write import GrantMutation
from schema.matrix_write import MatrixMutation
from schema.member_removal import MemberRemovalMutation
from schema.member_write import MemberMutation
from schema.migration_write import MigrationMutation
from schema.operation_course import OperationCourseMutation
from schema.permission_set_write import PermissionSetMutation
from schema.status_write import StatusMutation
from schema.wish_write import WishMutation


@strawberry.type(
    description="What can be written. All of it needs a token with the scope `write`. Refusals stand in `userErrors` of the "
    "payload, and what became of each person and client in the outcomes of its operation."
)
class Mutation(
    GrantMutation,
    MatrixMutation,
    MigrationMutation,
    StatusMutation,
    OperationCourseMutation,
    PermissionSetMutation,
    MemberMutation,
    MemberRemovalMutation,
    ClientMutation,
    ImportMutation,
    ApiTokenMutation,
    AccountMutation,
    AccessLinkMutation,
    AssetMutation,
    ConfirmationLinkMutation,
    FeedbackMutation,
    WishMutation,
):
    """The root of all writes."""
