"""The entrances to everything that can be written."""

import strawberry

from schema.access_link_write import AccessLinkMutation
from schema.account_write import AccountMutation
from schema.activity_write import ActivityMutation
from schema.api_token_write import ApiTokenMutation
from schema.asset_write import AssetMutation
from schema.client_write import ClientMutation
from schema.confirmation_link_write import ConfirmationLinkMutation
from schema.default_set_write import DefaultSetMutation
from schema.expiry_write import ExpiryMutation
from schema.feedback_write import FeedbackMutation
from schema.file_import import ImportMutation
from schema.grant_write import GrantMutation
from schema.hand_off_write import HandOffMutation
from schema.matrix_write import MatrixMutation
from schema.member_removal import MemberRemovalMutation
from schema.member_write import MemberMutation
from schema.migration_write import MigrationMutation
from schema.operation_course import OperationCourseMutation
from schema.permission_set_write import PermissionSetMutation
from schema.pod_write import PodMutation
from schema.scheduled_leave_write import ScheduledLeaveMutation
from schema.status_write import StatusMutation
from schema.template_lockdown_write import TemplateLockdownMutation
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
    ExpiryMutation,
    ScheduledLeaveMutation,
    OperationCourseMutation,
    HandOffMutation,
    PermissionSetMutation,
    DefaultSetMutation,
    PodMutation,
    TemplateLockdownMutation,
    MemberMutation,
    MemberRemovalMutation,
    ClientMutation,
    ImportMutation,
    ApiTokenMutation,
    AccountMutation,
    AccessLinkMutation,
    ActivityMutation,
    AssetMutation,
    ConfirmationLinkMutation,
    FeedbackMutation,
    WishMutation,
):
    """The root of all writes."""
