"""The steps of a history in which clients have a say: links, approvals, confirmations, ceilings, revocations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from models.grant import AccessType
from models.operation import OperationKind
from schema.node import encode
from tests.histories.consent import admit, lower, revoke
from tests.histories.history import ACTORS, OFTEN, ONE, RARELY, SELDOM, SOME, History, Link, listed_levels, verb
from tests.histories.model import ADMIN, Atoms, Cell, Line, Place, keep_super_admins, settle
from tests.histories.rows import Did, demand
from tests.histories.world import CLIENTS, OWN_PEOPLE, PICKED

DECIDERS = st.sampled_from([*OWN_PEOPLE, *OWN_PEOPLE, "ada"])
CEILINGS = st.sampled_from([None, None, None, "small admin", "team admin", "reports"])
ELSEWHERE = st.sampled_from(["Oak", "Elm", "Fir", "Yew"])


@dataclass
class Confirmation:
    """A confirmation link."""

    token: str
    client: str
    people: list[str]
    expires: datetime
    answer: str | None = None
    account: str | None = None


class WithClient(History):
    """What clients let happen in their accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.confirmations: list[Confirmation] = []

    # ---- access links

    @verb(
        weight=3,
        user=ACTORS,
        person=ONE,
        place=st.one_of(st.none(), ONE),
        single_use=RARELY,
        days=st.sampled_from([5, 90]),
        stranger=SELDOM,
    )
    def get_link(
        self, *, user: str, person: int, place: int | None, single_use: bool, days: int, stranger: bool
    ) -> None:
        """F15: made on first use, stable until it ends."""
        model, partner = self.model, self.partner_of(user)
        (owner,) = self.people(self.partner_of(user, stranger=stranger), [person])
        client = None if place is None else self.places(partner, [place])[0]
        asked: dict[str, Any] = {
            "member": self.ids("Member", [owner])[0],
            "singleUse": single_use,
            "expiresInDays": days,
        }
        if client is not None:
            asked["client"] = self.ids("Client", [client])[0]
        target = model.people[owner]
        own = target.user == user
        reasons = [
            (not model.knows(user, owner), "NOT_FOUND"),
            (not target.sees if own else not model.acts(user, target.partner), "FORBIDDEN"),
            (not target.eligible, "LINK_OWNER_NOT_ELIGIBLE"),
            (client and not model.sees(user, partner), "NOT_FOUND"),
            (client and model.clients[client].partner != target.partner, "NOT_FOUND"),
        ]
        refusal = next((code for holds, code in reasons if holds), None)
        payload, codes = self.send(user, "getAccessLink", "accessLink { id url }", asked)
        if refusal is None and not codes:
            self._keep(payload["accessLink"], owner, client, single_use=single_use, days=days)
        self.check(f"{user} gets the link of {owner} for {client}, {single_use=}, {days=}", codes, refusal)

    def _keep(self, told: Any, owner: str, client: str | None, *, single_use: bool, days: int) -> None:
        kind = (owner, client, single_use)
        same = [x for x in self.links if (x.owner, x.client, x.single_use) == kind and self._lives(x)]
        if same:
            demand(told["id"] == same[0].id, f"(b) another link than {same[0]}: {told}")
            return
        demand(told["id"] not in {link.id for link in self.links}, f"(b) a link that has ended: {told}")
        token, ends = told["url"].partition("#")[2], self.stage.now + timedelta(days=days)
        self.links.append(Link(told["id"], token, owner, client, single_use, ends))

    def _lives(self, link: Link | Confirmation) -> bool:
        ended = link.ended if isinstance(link, Link) else link.answer is not None
        return not ended and link.expires > self.stage.now

    @verb(weight=1, when=lambda self: self.links, user=ACTORS, number=ONE)
    def revoke_link(self, *, user: str, number: int) -> None:
        """P06."""
        link, model = self.links[number % len(self.links)], self.model
        owner = model.people[link.owner]
        own = owner.user == user and owner.works
        reasons = [
            (not model.sees(user, owner.partner), "NOT_FOUND"),
            (not own and not model.acts(user, owner.partner), "FORBIDDEN"),
        ]
        refusal = next((code for holds, code in reasons if holds), None)
        _, codes = self.send(user, "revokeAccessLink", "accessLink { id }", {"accessLink": link.id})
        if refusal is None:
            link.ended = True
        self.check(f"{user} revokes the link of {link.owner} for {link.client}", codes, refusal)

    @verb(
        weight=4,
        when=lambda self: self.links,
        decider=DECIDERS,
        number=ONE,
        elsewhere=st.one_of(st.none(), st.none(), ELSEWHERE),
        ceiling=CEILINGS,
    )
    def approve(self, *, decider: str, number: int, elsewhere: str | None, ceiling: str | None) -> None:
        """F16 to F18, L1 to L9."""
        link, model, at = self.links[number % len(self.links)], self.model, self.stage.now
        account = elsewhere or OWN_PEOPLE.get(decider, "Oak")
        if elsewhere is None and link.client is not None:
            decider, account = self._decider(link.client, number)
        partner = model.people[link.owner].partner
        client = f"{partner}/{account}"
        owner, cell = model.people[link.owner], (client, link.owner)
        asked, limit = self._answer(link.token, account, ceiling), PICKED[ceiling] if ceiling else None
        known = model.clients.get(client, Place(partner, account))
        present = model.held.get(cell)
        is_admin = present is not None and present.is_admin and present.counts(at)
        within = known.ceiling if limit is None else limit
        # A single-use link opens once more for the account that has used it, as long as the access is there (L1).
        used = is_admin and link.used and link.said.get(account) == ("APPROVED", present.birth if present else 0)
        reasons = [
            (limit is not None and ADMIN not in limit, "INVALID_INPUT"),
            (model.decides(decider, account, at), model.decides(decider, account, at)),
            (not used and (not self._lives(link) or self._meant_elsewhere(link, account)), "NOT_FOUND"),
            (not used and not owner.eligible, "LINK_OWNER_NOT_ELIGIBLE"),
            (is_admin and within != known.ceiling, "CONFLICT"),
        ]
        refusal = next((code for holds, code in reasons if holds), None)
        line = None
        if refusal is None and not is_admin:
            line = admit(model, cell, within, at)
            told = {"TARGET_IS_SUPER_ADMIN": "ALREADY_SUPER_ADMIN", "EXCEEDS_AUTHORITY": "INVALID_INPUT"}
            refusal = told.get(line.verdict[1] or "")
        payload, codes = self.send(decider, "approveAccessLink", "changed", asked)
        done = []
        if refusal is None and line is not None:
            model.clients[client] = known
            known.ceiling = within
            settle(model, [line])
            link.ended = link.used = link.single_use
            link.said[account] = ("APPROVED", model.held[cell].birth)
            done.append(Did(decider, partner, OperationKind.GRANT, [line], by_client=True))
        demand(payload["changed"] == bool(done) or codes, f"(b) changed: {payload}")
        told_ = f"{decider} approves the link of {link.owner} for {account}, {ceiling=}"
        self.check(told_, codes, refusal, done)

    def _answer(self, token: str, account: str, ceiling: str | None = None) -> dict[str, Any]:
        asked: dict[str, Any] = {"token": token, "account": encode("Account", self.at.accounts[account])}
        if ceiling is not None:
            asked["ceiling"] = listed_levels(ceiling)
        return asked

    def _meant_elsewhere(self, link: Link, account: str) -> bool:
        return link.client is not None and self.model.clients[link.client].account != account

    @verb(weight=1, when=lambda self: self.links, decider=DECIDERS, number=ONE)
    def decline(self, *, decider: str, number: int) -> None:
        """P07: it can still be approved afterwards."""
        link, model = self.links[number % len(self.links)], self.model
        account = OWN_PEOPLE.get(decider, "Oak")
        answer, birth = link.said.get(account, (None, 0))
        held = model.held.get((f"{model.people[link.owner].partner}/{account}", link.owner))
        decides = model.decides(decider, account, self.stage.now)
        reasons = [
            (decides, decides),
            (not self._lives(link) or self._meant_elsewhere(link, account), "NOT_FOUND"),
            (answer == "APPROVED" and held is not None and held.birth == birth, "CONFLICT"),
        ]
        refusal = next((code for holds, code in reasons if holds), None)
        payload, codes = self.send(decider, "declineAccessLink", "changed", self._answer(link.token, account))
        if refusal is None:
            demand(payload["changed"] == (answer != "DECLINED"), f"(b) declined: {payload}")
            link.said[account] = ("DECLINED", 0)
        self.check(f"{decider} declines the link of {link.owner} for {account}", codes, refusal)

    # ---- confirmation links

    @verb(weight=2, user=ACTORS, place=ONE, people=st.one_of(st.just([]), SOME), days=st.sampled_from([5, 90]))
    def ask_to_confirm(self, *, user: str, place: int, people: list[int], days: int) -> None:
        """F53."""
        model, partner = self.model, self.partner_of(user)
        (client,), named = self.places(partner, [place]), self.people(partner, people)
        refusal: str | None = None
        if not model.sees(user, partner):
            refusal = "NOT_FOUND"
        elif not model.acts(user, partner):
            refusal = "FORBIDDEN"
        elif not all(model.people[name].eligible for name in named):
            refusal = "LINK_OWNER_NOT_ELIGIBLE"
        asked = {
            "client": self.ids("Client", [client])[0],
            "members": self.ids("Member", named),
            "expiresInDays": days,
        }
        payload, codes = self.send(user, "createConfirmationLink", "confirmationLink { url }", asked)
        if refusal is None and not codes:
            token = payload["confirmationLink"]["url"].partition("#")[2]
            ends = self.stage.now + timedelta(days=days)
            self.confirmations.append(Confirmation(token, client, named, ends))
        self.check(f"{user} asks {client} to confirm, and {named} with it, {days=}", codes, refusal)

    @verb(
        weight=3,
        when=lambda self: self.confirmations,
        decider=DECIDERS,
        number=ONE,
        ceiling=CEILINGS,
        declines=RARELY,
        aptly=OFTEN,
    )
    def confirm(self, *, decider: str, number: int, ceiling: str | None, declines: bool, aptly: bool) -> None:
        """F53, L11: answered once; who is not eligible then is not let in."""
        link, model, at = self.confirmations[number % len(self.confirmations)], self.model, self.stage.now
        place, account = model.clients[link.client], OWN_PEOPLE.get(decider, "Oak")
        if aptly:
            decider, account = self._decider(link.client, number)
        answer = "DECLINED" if declines else "APPROVED"
        decides = model.decides(decider, account, at)
        again = link.answer == answer and place.account == account
        reasons = [
            (decides, decides),
            (not again and (not self._lives(link) or place.account != account), "NOT_FOUND"),
        ]
        late = again and not declines and ceiling is not None and PICKED[ceiling] != place.ceiling
        reasons.append((late, "CONFLICT"))
        refusal = next((code for holds, code in reasons if holds), None)
        verb = "declineRelationship" if declines else "confirmRelationship"
        asked = self._answer(link.token, account, None if declines else ceiling)
        payload, codes = self.send(decider, verb, "changed", asked)
        lines: list[Line] = []
        if refusal is None and not again:
            link.answer = answer
            if not declines:
                place.confirmed = True
                place.ceiling = PICKED[ceiling] if ceiling else place.ceiling
                let_in = [name for name in link.people if model.people[name].eligible]
                let_in.sort(key=lambda name: self.at.members[name])
                lines = [admit(model, (link.client, name), place.ceiling, at) for name in let_in]
                settle(model, lines)
        if refusal is None:
            demand(payload["changed"] == (not again), f"(b) answered: {payload}")
        done = [Did(decider, place.partner, OperationKind.GRANT, lines, by_client=True)] if lines else []
        self.check(f"{decider} answers {answer} to {link.client} and {link.people}, {ceiling=}", codes, refusal, done)

    # ---- ceilings and revocations

    @verb(
        weight=3,
        decider=DECIDERS,
        place=st.sampled_from([*CLIENTS, "Alpha/Yew"]),
        own=st.integers(0, 7).map(bool),
        ceiling=st.sampled_from(["same", "none", "small admin", "team admin", "contacts", "none of it"]),
        enforce=st.booleans(),
        dry=SELDOM,
        person=ONE,
    )
    def set_ceiling(
        self, *, decider: str, place: str, own: bool, ceiling: str, enforce: bool, dry: bool, person: int
    ) -> None:
        """P08, E24."""
        model = self.model
        client = place if place in model.clients else "Alpha/Oak"
        decider, account = self._decider(client, person) if own else (decider, OWN_PEOPLE.get(decider, "Oak"))
        asked = {**self._order(client, account), "enforce": enforce, "dryRun": dry}
        wanted: Atoms | None = model.clients[client].ceiling
        if ceiling != "same":
            asked["permissions"] = None if ceiling == "none" else listed_levels(ceiling)
            wanted = None if ceiling == "none" else PICKED[ceiling]
        refusal = "INVALID_INPUT" if ceiling == "same" and not enforce else self._not_decided(decider, client, account)
        if refusal is None and enforce and wanted is None:
            refusal = "INVALID_INPUT"
        payload, codes = self.send(decider, "setCeiling", "lowered notLowered { code }", asked)
        lines: list[Line] = []
        if refusal is None:
            if enforce and wanted is not None:
                lines = [lower(cell, model.held[cell], wanted) for cell in self._living(client)]
            refused = [line.verdict[1] for line in lines if line.verdict[0] == "REJECTED"]
            told = (payload["lowered"], [left["code"] for left in payload["notLowered"]])
            demand(told == (sum(x.applied for x in lines), refused), f"(b) lowered {told} instead of {lines}")
            if dry:
                lines = []
            else:
                model.clients[client].ceiling = wanted
                settle(model, lines)
        partner = model.clients[client].partner
        done = [Did(decider, partner, OperationKind.CHANGE, lines, by_client=True)] if lines else []
        self.check(f"{decider} sets the ceiling of {client} to {ceiling}, {enforce=} {dry=}", codes, refusal, done)

    @verb(
        weight=2,
        decider=DECIDERS,
        place=st.sampled_from([*CLIENTS, "Alpha/Yew"]),
        own=st.integers(0, 7).map(bool),
        person=ONE,
        dry=SELDOM,
    )
    def revoke_access(self, *, decider: str, place: str, own: bool, person: int, dry: bool) -> None:
        """P07: one person's or everybody's; only the last super admin stays."""
        model = self.model
        client = place if place in model.clients else "Alpha/Oak"
        decider, account = self._decider(client, person) if own else (decider, OWN_PEOPLE.get(decider, "Oak"))
        living = self._living(client)
        asked = {**self._order(client, account), "dryRun": dry}
        if person < len(living):
            living = [living[person]]
            asked["person"] = encode("AccountPerson", self._grant_id(living[0]))
        refusal = self._not_decided(decider, client, account)
        payload, codes = self.send(decider, "revokePartnerAccess", "revoked notRevoked { code }", asked)
        lines: list[Line] = []
        if refusal is None:
            is_one = model.own[account, decider].kind is AccessType.SUPER_ADMIN
            lines = [revoke(cell, model.held[cell], by_super_admin=is_one) for cell in living]
            lines = keep_super_admins(model, lines, self.stage.now)
            refused = [line.verdict[1] for line in lines if not line.applied]
            told = (payload["revoked"], [left["code"] for left in payload["notRevoked"]])
            demand(told == (sum(x.applied for x in lines), refused), f"(b) revoked {told} instead of {lines}")
            lines = [] if dry else lines
            settle(model, lines)
        partner = model.clients[client].partner
        done = [Did(decider, partner, OperationKind.REMOVE, lines, by_client=True)] if lines else []
        self.check(f"{decider} revokes {living} of {client} {dry=}", codes, refusal, done)

    def _decider(self, client: str, number: int) -> tuple[str, str]:
        """One of the people of the account that a client is."""
        account = self.model.clients[client].account
        own = [user for user, of in OWN_PEOPLE.items() if of == account]
        return own[number % len(own)], account

    def _order(self, client: str, account: str) -> dict[str, Any]:
        return {
            "account": encode("Account", self.at.accounts[account]),
            "partner": encode("AccountPartner", self.at.clients[client]),
        }

    def _not_decided(self, decider: str, client: str, account: str) -> str | None:
        """T1: the client's side knows of partners with which it has had anything to do."""
        place = self.model.clients[client]
        known = place.account == account and (place.confirmed or place.ceiling is not None or place.ever)
        return self.model.decides(decider, account, self.stage.now) or (None if known else "NOT_FOUND")

    def _living(self, client: str) -> list[Cell]:
        return sorted((c for c in self.model.held if c[0] == client), key=lambda cell: self.at.members[cell[1]])

    def _grant_id(self, cell: Cell) -> int:
        key = (self.at.clients[cell[0]], self.at.members[cell[1]], 0)
        (grant_id,) = [row[0] for row in self.watch.rows.grants if (row[1], row[2], row[4]) == key]
        return int(grant_id)
