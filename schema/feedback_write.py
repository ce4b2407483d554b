"""The mutations with which people tell what is wrong and what they think."""

from typing import Annotated

import strawberry

from models.feedback import FeedbackKind
from resolvers.feedback import (
    FeedbackDraft,
    PermissionIssueDraft,
    feedback_by_id,
    permission_issues_by_id,
    report_permission_issue,
    submit_feedback,
)
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.feedback import Feedback, PermissionIssue
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.record import shown


@strawberry.input(description="A message to whoever runs the service.")
class SubmitFeedbackInput:
    """What submitFeedback takes."""

    kind: FeedbackKind = strawberry.field(description="What it is about.")
    subject: str = strawberry.field(description="What it is about, in a few words: 1 to 200 characters.")
    details: str = strawberry.field(
        description="What you have to say: 1 to 10,000 characters, on several lines if you like."
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner for which you say it, if it is about your work there."
    )


@strawberry.input(description="A permission that does not work as it should.")
class ReportPermissionIssueInput:
    """What reportPermissionIssue takes."""

    client: strawberry.ID = strawberry.field(description="In which client.")
    member: strawberry.ID = strawberry.field(description="Whose permission: one of your partner's people.")
    permission: str = strawberry.field(description="The permission's key, such as `contacts.view`.")
    details: str = strawberry.field(
        description="What happens, and what should happen instead: 1 to 10,000 characters, on several lines if you like."
    )


@strawberry.type(description="The answer to a message to whoever runs the service.")
class SubmitFeedbackPayload(Payload):
    """What submitFeedback answers with."""

    feedback: Feedback | None = strawberry.field(default=None, description="The message as it is kept.")


@strawberry.type(description="The answer to the report of a permission.")
class ReportPermissionIssuePayload(Payload):
    """What reportPermissionIssue answers with."""

    permission_issue: PermissionIssue | None = strawberry.field(default=None, description="The report as it is kept.")


@strawberry.type
class FeedbackMutation:
    """The part of the root of all writes with which people tell what they think."""

    @field("Tells whoever runs the service about a fault, or what you think.")
    @refusing(SubmitFeedbackPayload)
    async def submit_feedback(
        self, info: Info, input: Annotated[SubmitFeedbackInput, strawberry.argument(description="The message.")]
    ) -> SubmitFeedbackPayload:
        """Keeps a message (F46)."""
        context, call, partner = info.context, idempotent_call(info, input), given(input.partner)
        # 0 is nobody's key: an id that cannot be read is refused as an unknown partner is, and not as good as left out.
        partner_id = None if partner is None else decode_key(str(partner), "Partner") or 0
        draft = FeedbackDraft(input.kind, input.subject, input.details, partner_id)
        key = await submit_feedback(context.database, context.reader.viewer, draft, call)
        feedback: Feedback = shown(await context.load(feedback_by_id, key))
        return SubmitFeedbackPayload(feedback=feedback)

    @field(
        "Reports to whoever runs the service that a person's permission in a client does not work as it should. Needs the manager "
        "to be open to you."
    )
    @refusing(ReportPermissionIssuePayload)
    async def report_permission_issue(
        self, info: Info, input: Annotated[ReportPermissionIssueInput, strawberry.argument(description="The report.")]
    ) -> ReportPermissionIssuePayload:
        """Keeps a report (F47)."""
        context, call = info.context, idempotent_call(info, input)
        client_id, member_id = decode_key(str(input.client), "Client"), decode_key(str(input.member), "Member")
        draft = PermissionIssueDraft(client_id, member_id, input.permission, input.details)
        key = await report_permission_issue(context.database, context.reader.viewer, draft, call)
        issue: PermissionIssue = shown(await context.load(permission_issues_by_id, key))
        return ReportPermissionIssuePayload(permission_issue=issue)
