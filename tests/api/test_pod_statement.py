"""The number of SQL statements of each change of a pod does not grow with what is in it (T3)."""

from typing import Any

import pytest

from tests.api.pod_story import Pods, told
from tests.api.write_story import node_id
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder


class Counted:
    """Changes of a pod of so many people and clients, each with the number of its statements."""

    def __init__(self, pods: Pods, recorder: StatementRecorder) -> None:
        self.pods, self.recorder = pods, recorder
        self.statements: dict[str, int] = {}

    async def done(self, name: str, expected: list[str], of: str = "", /, **values: Any) -> Any:
        with self.recorder:
            payload = await self.pods.done(name, **values)
        self.statements[name + of] = self.recorder.count
        assert [kind for kind, _ in told(payload)] == expected
        return payload

    async def all_changes(self) -> dict[str, int]:
        pods, story = self.pods, self.pods.story
        *half, last = pods.places
        people, places = [node_id(person) for person in pods.people], [node_id(place) for place in half]
        asked = {"members": people, "clients": places, "permissionSet": node_id(pods.permission_set)}
        pod = (await self.done("createPod", ["GRANT"], name=f"Pod of {len(people)}", **asked))["pod"]["id"]
        excluded = [pods.pair(person, place) for person in range(len(people)) for place in range(len(half))]
        await self.done("addToPod", ["GRANT"], pod=pod, clients=[node_id(last)])
        other = await story.factory.permission_set(story.partner, {"notes.view": "ALL"}, f"Notes {len(people)}")
        await self.done("updatePod", ["CHANGE"], pod=pod, permissionSet=node_id(other))
        left = await self.done("addToPod", [], " exclusions", pod=pod, exclusions=excluded)
        token = left["review"]["token"]
        await self.done("applyPod", ["REMOVE"], pod=pod, options={"reviewToken": token})
        await self.done("removeFromPod", ["GRANT"], " exclusions", pod=pod, exclusions=excluded)
        gone = {"pod": pod, "clients": places}
        shown = await self.done("removeFromPod", [], " dry", **gone, options={"dryRun": True})
        options = {"reviewToken": shown["review"]["token"]}
        await self.done("removeFromPod", ["REMOVE"], **gone, options=options)
        shown = await self.done("deletePod", [], " dry", pod=pod, options={"dryRun": True})
        options = {"reviewToken": shown["review"]["token"]}
        await self.done("deletePod", ["REMOVE"], pod=pod, options=options)
        return self.statements


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
async def test_t3_a_pod_of_many_needs_as_many_statements_as_one_of_few(
    factory: Factory, recorder: StatementRecorder
) -> None:
    counts = [
        await Counted(await Pods.begin(factory, people=people, places=places), recorder).all_changes()
        for people, places in ((1, 2), (2, 2), (10, 4))
    ]
    # What the first one has found out about the process's database is kept.
    assert counts[1] == counts[2]
    assert max(counts[2].values()) <= 120
