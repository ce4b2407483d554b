"""The mutations that make, change, apply and delete pods, and that say who may (P09, P10)."""

from typing import Annotated, Any, TypeVar

import strawberry

from resolvers.free_text import refusing_at, several_lines
from resolvers.idempotency import IdempotentCall
from resolvers.member import members_by_id
from resolvers.operation.record import of_dry_run
from resolvers.pod.edit import (
    PodDraft,
    PodResult,
    add_to_pod,
    apply_pod,
    create_pod,
    delete_pod,
    remove_from_pod,
    update_pod,
)
from resolvers.pod.group import MOST_CELLS, Groups
from resolvers.pod.record import pods_by_id
from resolvers.pod.right import set_pod_editor
from resolvers.pod.settlement import PodOptions
from resolvers.removal_review import removal_review_of_grants
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.member import Member
from schema.node import decode_key
from schema.operation import Operation
from schema.operation_write import shown_operation
from schema.partner_argument import acting_partner
from schema.pod import Pod
from schema.reassignment import REASSIGN, ReassignInput, reassignments_of
from schema.record import shown
from schema.removal_review import RemovalReview
from schema.requested_access import LONGEST_REASON
from schema.targets import PairInput

POD = "One of partner.pods."
EDITOR = "Needs EDIT in the manager and the right to edit pods, which super admins of the partner have."
OWN = (
    "What is given is given under your own authority in each client, whole or not at all: the outcomes say what you could not give, "
    "and it stays listed in `Pod.cells` as NOT_GIVEN."
)
TAKEN = (
    "Access is taken away after a review (F38): with `dryRun`, or without `reviewToken`, the payload's `review` shows it, and until "
    "it is taken away it is LEFT_OVER."
)


@strawberry.input(description="How a change of a pod is carried out.")
class PodOptionsInput:
    """The options of a pod's writes."""

    dry_run: bool | None = strawberry.field(
        default=False, description="Answers with the exact outcomes and the review, and writes nothing."
    )
    review_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The `token` of the `review` of an earlier answer: the access that it shows is taken away, as far as it is as it "
        "was. If left out, nothing is taken away.",
    )
    reassign: list[ReassignInput] | None = strawberry.field(default=strawberry.UNSET, description=REASSIGN)
    accept_lockout: bool | None = strawberry.field(
        default=False, description="Accepts that a client is left with people but without an active partner admin."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for the record: at most 1,000 characters.")


_CLIENTS = "Clients: at most 1,000 in one request."
_MEMBERS = "People: at most 1,000 in one request."
_EXCLUSIONS = "People in clients to whom the pod gives nothing there: at most 1,000 in one request."


@strawberry.input(description="A new pod.")
class CreatePodInput:
    """What createPod takes."""

    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    name: str = strawberry.field(description="Its name: 1 to 100 characters.")
    permission_set: strawberry.ID = strawberry.field(
        description="What it gives: a built-in set, or one of the partner's."
    )
    clients: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=_CLIENTS)
    members: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=_MEMBERS)
    exclusions: list[PairInput] | None = strawberry.field(default=strawberry.UNSET, description=_EXCLUSIONS)
    options: PodOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="What a pod is to be; what is left out stays as it is.")
class UpdatePodInput:
    """What updatePod takes."""

    pod: strawberry.ID = strawberry.field(description=POD)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Its name: 1 to 100 characters.")
    permission_set: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="What it gives from now on; what it gave before becomes that."
    )
    options: PodOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Who and what comes into a pod.")
class AddToPodInput:
    """What addToPod takes."""

    pod: strawberry.ID = strawberry.field(description=POD)
    clients: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=_CLIENTS)
    members: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=_MEMBERS)
    exclusions: list[PairInput] | None = strawberry.field(default=strawberry.UNSET, description=_EXCLUSIONS)
    options: PodOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Who and what leaves a pod.")
class RemoveFromPodInput:
    """What removeFromPod takes."""

    pod: strawberry.ID = strawberry.field(description=POD)
    clients: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=_CLIENTS)
    members: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=_MEMBERS)
    exclusions: list[PairInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Pairs that are excluded no more: at most 1,000 in one request."
    )
    options: PodOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Which pod is applied again.")
class ApplyPodInput:
    """What applyPod takes."""

    pod: strawberry.ID = strawberry.field(description=POD)
    options: PodOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Which pod is deleted.")
class DeletePodInput:
    """What deletePod takes."""

    pod: strawberry.ID = strawberry.field(description=POD)
    options: PodOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Who may edit pods.")
class SetPodEditorInput:
    """What setPodEditor takes."""

    member: strawberry.ID = strawberry.field(description="The person.")
    editor: bool = strawberry.field(description="Whether they may from now on.")


@strawberry.interface(description="What a change of a pod answers with.")
class PodPayload(Payload):
    """What every payload about a pod has."""

    pod: Pod | None = strawberry.field(
        default=None, description="The pod as it is by now; null if it is not there, be it new in a dry run or deleted."
    )
    operations: list[Operation] = strawberry.field(
        default_factory=list,
        description="What became of it: at most one operation each that takes away, changes and gives, in this order.",
    )
    review: RemovalReview | None = strawberry.field(
        default=None,
        description="The access that is to be taken away and has not been; its token goes into `options.reviewToken`. Null if there is "
        "none.",
    )


@strawberry.type(description="The answer to making a pod.")
class CreatePodPayload(PodPayload):
    """What createPod answers with."""


@strawberry.type(description="The answer to changing a pod.")
class UpdatePodPayload(PodPayload):
    """What updatePod answers with."""


@strawberry.type(description="The answer to adding to a pod.")
class AddToPodPayload(PodPayload):
    """What addToPod answers with."""


@strawberry.type(description="The answer to removing from a pod.")
class RemoveFromPodPayload(PodPayload):
    """What removeFromPod answers with."""


@strawberry.type(description="The answer to applying a pod.")
class ApplyPodPayload(PodPayload):
    """What applyPod answers with."""


@strawberry.type(description="The answer to deleting a pod: it is gone if `pod` is null, and whole if it is not.")
class DeletePodPayload(PodPayload):
    """What deletePod answers with."""


@strawberry.type(description="The answer to saying who edits pods.")
class SetPodEditorPayload(Payload):
    """What setPodEditor answers with."""

    member: Member | None = strawberry.field(default=None, description="The person.")


@strawberry.type
class PodMutation:
    """The part of the root of all writes that is about pods."""

    @field(f"Makes a pod: at most {MOST_CELLS:,} clients × people. {OWN} {EDITOR}")
    @refusing(CreatePodPayload)
    async def create_pod(
        self, info: Info, input: Annotated[CreatePodInput, strawberry.argument(description="The pod.")]
    ) -> CreatePodPayload:
        """Makes a pod (P09)."""
        viewer, database = info.context.reader.viewer, info.context.database
        partner_id = acting_partner(viewer, given(input.partner))
        set_id = decode_key(str(input.permission_set), "PermissionSet") or 0
        draft = PodDraft(input.name, set_id, _groups(input))
        result = await create_pod(database, viewer, partner_id, draft, _options(info, input))
        return await _told(info, CreatePodPayload(), result)

    @field(
        f"Renames a pod, or makes it give another set: what it gave becomes that, under your own authority in each client. {EDITOR}"
    )
    @refusing(UpdatePodPayload)
    async def update_pod(
        self, info: Info, input: Annotated[UpdatePodInput, strawberry.argument(description="What it is to be.")]
    ) -> UpdatePodPayload:
        """Changes a pod (P09)."""
        set_id = given(input.permission_set)
        key = None if set_id is None else decode_key(str(set_id), "PermissionSet") or 0
        draft, viewer = PodDraft(given(input.name), key), info.context.reader.viewer
        result = await update_pod(info.context.database, viewer, _key(input), draft, _options(info, input))
        return await _told(info, UpdatePodPayload(), result)

    @field(
        "Puts clients and people into a pod, who get what it gives, and exclusions, who lose what only it gave. Who has access there "
        f"already keeps it as it is. {OWN} {TAKEN} {EDITOR}"
    )
    @refusing(AddToPodPayload)
    async def add_to_pod(
        self, info: Info, input: Annotated[AddToPodInput, strawberry.argument(description="Who and what.")]
    ) -> AddToPodPayload:
        """Adds to a pod (P09)."""
        database, viewer = info.context.database, info.context.reader.viewer
        result = await add_to_pod(database, viewer, _key(input), _groups(input), _options(info, input))
        return await _told(info, AddToPodPayload(), result)

    @field(
        "Takes clients and people out of a pod, who lose what only it gave: access of another origin stays, and so does what another "
        f"pod gives too, or somebody has changed since. Exclusions that are taken out get what the pod gives. {TAKEN} {EDITOR}"
    )
    @refusing(RemoveFromPodPayload)
    async def remove_from_pod(
        self, info: Info, input: Annotated[RemoveFromPodInput, strawberry.argument(description="Who and what.")]
    ) -> RemoveFromPodPayload:
        """Removes from a pod (P09)."""
        database, viewer = info.context.database, info.context.reader.viewer
        result = await remove_from_pod(database, viewer, _key(input), _groups(input), _options(info, input))
        return await _told(info, RemoveFromPodPayload(), result)

    @field(
        "Tries again what a pod has not given, or not taken away: under your own authority in each client, so a colleague with more "
        f"can do what you could not. {TAKEN} Needs EDIT in the manager."
    )
    @refusing(ApplyPodPayload)
    async def apply_pod(
        self, info: Info, input: Annotated[ApplyPodInput, strawberry.argument(description="Which pod.")]
    ) -> ApplyPodPayload:
        """Applies a pod (P09)."""
        viewer = info.context.reader.viewer
        result = await apply_pod(info.context.database, viewer, _key(input), _options(info, input))
        return await _told(info, ApplyPodPayload(), result)

    @field(
        "Deletes a pod and takes away all that only it gave, which must have been reviewed: ask with `dryRun` first. If any of it cannot "
        f"be taken away, everything stays, and the outcomes say why. {EDITOR}"
    )
    @refusing(DeletePodPayload)
    async def delete_pod(
        self, info: Info, input: Annotated[DeletePodInput, strawberry.argument(description="Which pod.")]
    ) -> DeletePodPayload:
        """Deletes a pod (P09)."""
        viewer = info.context.reader.viewer
        result = await delete_pod(info.context.database, viewer, _key(input), _options(info, input))
        return await _told(info, DeletePodPayload(), result)

    @field(
        "Lets a person edit the partner's pods, or no longer; they need EDIT in the manager besides. For super admins of the partner "
        "account with EDIT in the manager."
    )
    @refusing(SetPodEditorPayload)
    async def set_pod_editor(
        self, info: Info, input: Annotated[SetPodEditorInput, strawberry.argument(description="Who, and whether.")]
    ) -> SetPodEditorPayload:
        """Says who edits pods (P10)."""
        context, named = info.context, decode_key(str(input.member), "Member")
        call = idempotent_call(info, input)
        key = await set_pod_editor(context.database, context.reader.viewer, named, may=input.editor, call=call)
        context.loaders.clear()
        return SetPodEditorPayload(member=shown(await context.load(members_by_id, key)))


def _key(request: Any) -> int | None:
    return decode_key(str(request.pod), "Pod")


def _groups(request: Any) -> Groups:
    return Groups(
        tuple(decode_key(str(key), "Client") for key in given(request.clients) or ()),
        tuple(decode_key(str(key), "Member") for key in given(request.members) or ()),
        tuple(
            (decode_key(str(pair.member), "Member"), decode_key(str(pair.client), "Client"))
            for pair in given(request.exclusions) or ()
        ),
    )


def _options(info: Info, request: Any) -> PodOptions:
    options = given(request.options) or PodOptionsInput()
    call: IdempotentCall | None = None if options.dry_run else idempotent_call(info, request)
    with refusing_at("The reason", "input", "options", "reason"):
        reason = several_lines(options.reason or "", LONGEST_REASON)
    return PodOptions(
        issuer=info.context.issuer,
        review_token=given(options.review_token),
        reassign=reassignments_of(given(options.reassign)),
        accept_lockout=bool(options.accept_lockout),
        dry_run=bool(options.dry_run),
        reason=reason or None,
        call=call,
    )


_Told = TypeVar("_Told", bound=PodPayload)


async def _told(info: Info, payload: _Told, result: PodResult) -> _Told:
    """Returns the payload of what became of a request."""
    context = info.context
    context.loaders.clear()
    if result.pod_id is not None:
        payload.pod = shown(await context.load(pods_by_id, result.pod_id))
    for key in result.operation_ids:
        payload.operations.append(await shown_operation(info, key))
    payload.operations.extend(Operation(record=of_dry_run(found)) for found in result.dry_runs)
    if result.left_over:
        left, issuer = set(result.left_over), context.issuer
        review = await removal_review_of_grants(context.reader, result.partner_id, left, issuer=issuer)
        payload.review = shown(review) if review.grant_count else None
    return payload
