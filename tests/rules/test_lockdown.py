"""Under a lockdown whatever is given is exactly a permitted set, over random sets, grants and authorities (P27)."""

from hypothesis import given
from hypothesis import strategies as st

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.operation import OperationKind, OutcomeStatus, RuleMode
from models.permission.catalogue import Catalogue
from models.permission.rule import authority
from resolvers.operation.lockdown import Lockdown
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnExisting, OperationRequest, Pairs, WriteOptions
from resolvers.operation.situation import ClientFacts, ExpiryChange, GrantFacts, MemberFacts, Requested, Situation
from resolvers.operation.verb.give import give
from tests.rules.strategy import RANDOM, examples, valid_states

OURS, OTHER = 1, 2
LOCKDOWNS = (Lockdown(), Lockdown(frozenset({OURS})), Lockdown(frozenset({OTHER})), Lockdown(frozenset()))


@examples
@given(data=st.data())
def test_p27_whatever_is_given_under_a_lockdown_is_exactly_a_permitted_set(data: st.DataObject) -> None:
    """And without the lockdown the same request gives the set wherever it gives it with one."""
    known: Catalogue = data.draw(RANDOM)
    states = valid_states(known)
    held, asked, of_set = (data.draw(states) for _ in range(3))
    of_set = data.draw(st.sampled_from([asked, of_set]))
    version_id = data.draw(st.sampled_from([None, OURS]))
    requested = Requested(asked, version_id, None if version_id is None else of_set)
    lockdown = data.draw(st.sampled_from(LOCKDOWNS))
    actors = authority(data.draw(st.one_of(states, st.just(known.everything))), None, known)
    grant = _grant(data.draw(st.sampled_from([None, OURS, OTHER]))) if data.draw(st.booleans()) else None
    request = OperationRequest(
        kind=OperationKind.GRANT,
        targets=Pairs(()),
        on_existing=OnExisting.CHANGE,
        options=WriteOptions(mode=data.draw(st.sampled_from(RuleMode))),
    )
    locked, free = (
        give(
            request,
            Situation(
                client=ClientFacts(actors, lockdown=holds),
                member=MemberFacts(MemberStatus.ACTIVE, verified=True, is_actor=False),
                grant=grant,
                before=held if grant else 0,
                requested=requested,
            ),
            known,
        )
        for holds in (lockdown, None)
    )
    if locked.status is OutcomeStatus.APPLIED:
        assert locked.after == asked == of_set
        assert lockdown.permits(locked.set_version_id)
        assert locked.set_version_id == version_id
        assert not locked.customised
        assert free.after == locked.after
    elif locked.code is OutcomeCode.LOCKED_TO_SETS:
        exact = free.status is OutcomeStatus.APPLIED and not free.customised and free.after == asked
        assert not (exact and lockdown.permits(free.set_version_id) and version_id is not None)
    if locked.status is not OutcomeStatus.APPLIED:
        assert locked.after == locked.before


def _grant(version_id: int | None) -> GrantFacts:
    return GrantFacts(
        status=GrantStatus.ACTIVE,
        access_type=AccessType.STANDARD,
        seat=Seat.PARTNER,
        state_id=1,
        set_version_id=version_id,
        customised=False,
        expired=False,
        conflict=False,
        expiry=ExpiryChange.SAME,
        other_teams=False,
        takes_foreign_team=False,
    )
