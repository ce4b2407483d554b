"""What people tell whoever runs the service, as the person who told it sees it."""

from datetime import datetime

import strawberry

from models.feedback import FeedbackKind
from models.permission.catalogue import catalogue
from resolvers.client import clients_by_id
from resolvers.feedback import FeedbackRecord, PermissionIssueRecord, feedback_by_id, permission_issues_by_id
from resolvers.member import members_by_id
from schema.client import Client
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.member import Member
from schema.node import Node
from schema.permission import Permission
from schema.record import shown, shows

described(
    FeedbackKind,
    "What feedback is about.",
    BUG="Something does not work as it should.",
    FEEDBACK="An opinion or an idea.",
)


@shows(FeedbackRecord, feedback_by_id)
@strawberry.type(description="A message of yours to whoever runs the service. Nobody else finds it here.")
class Feedback(Node):
    """A message (F46)."""

    record: strawberry.Private[FeedbackRecord]
    kind: FeedbackKind = column("What it is about.")
    subject: str = column("What it is about, in a few words.")
    details: str = column("What you had to say.")
    created_at: datetime = column("When you sent it.")


@shows(PermissionIssueRecord, permission_issues_by_id)
@strawberry.type(
    description="A report of yours to whoever runs the service: a permission that does not work as it should. Nobody else finds "
    "it here."
)
class PermissionIssue(Node):
    """A report (F47)."""

    record: strawberry.Private[PermissionIssueRecord]
    details: str = column("What happens, and what should happen instead.")
    created_at: datetime = column("When you sent it.")

    @field("In which client.")
    async def client(self, info: Info) -> Client:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("Whose permission it is.")
    async def member(self, info: Info) -> Member:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The permission; null once it has left the catalogue.")
    def permission(self) -> Permission | None:
        """Returns the permission."""
        known = catalogue.permissions.get(self.record.permission)
        return None if known is None else Permission(record=known)
