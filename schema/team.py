"""Teams of client accounts (F54)."""

import strawberry

from resolvers.team import TeamMembershipRecord, TeamRecord, teams_by_id
from schema.field import column, field
from schema.node import Node
from schema.record import shown, shows


@shows(TeamRecord, teams_by_id)
@strawberry.type(description="A team of a client's account.")
class Team(Node):
    """A team."""

    record: strawberry.Private[TeamRecord]
    name: str = column("The team's name, unique in its account.")


@shows(TeamMembershipRecord)
@strawberry.type(description="A person's place in a team through a grant.")
class TeamMembership:
    """A grant in a team."""

    record: strawberry.Private[TeamMembershipRecord]
    primary: bool = column("Whether it is the person's primary team there; the others are additional.")

    @field("The team.")
    def team(self) -> Team:
        """Returns the team."""
        team: Team = shown(self.record.team)
        return team
