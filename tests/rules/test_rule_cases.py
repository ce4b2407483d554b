"""The worked cases, and what an auditor gets for a case that is wrong (`cam rule`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.permission.rule_cases import RuleCaseError, answer_cases

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("permission_cases.json").read_text(encoding="utf-8"))


def case(**changes: Any) -> dict[str, Any]:
    catalogue = {
        "view": {"levels": ["OWNED", "ALL"], "requires": {}, "delegable": True},
        "edit": {"levels": ["OWNED", "ALL"], "requires": {"OWNED": ["view@OWNED"], "ALL": ["view@ALL"]}},
    }
    plain = {"id": "A1", "catalogue": catalogue, "actor": {"view": "ALL"}, "target": {}, "requested": {"view": "OWNED"}}
    return {**plain, **changes}


def without(field: str) -> dict[str, Any]:
    return {key: value for key, value in case().items() if key != field}


@pytest.mark.parametrize("worked", CASES, ids=[worked["id"] for worked in CASES])
def test_each_worked_case_is_answered_as_expected(worked: dict[str, Any]) -> None:
    (answer,) = answer_cases([worked])
    assert answer == {"id": worked["id"], **worked["expected"]}
    assert json.dumps(answer) == json.dumps({"id": worked["id"], **worked["expected"]}), "the order is the same too"


def test_all_cases_are_there_and_answered_in_their_order() -> None:
    assert len(CASES) == 400
    assert [answer["id"] for answer in answer_cases(CASES)] == [worked["id"] for worked in CASES]


def test_no_cases_have_no_answers() -> None:
    assert answer_cases([]) == []


def test_a_case_without_catalogue_is_about_the_permissions_of_this_service() -> None:
    own = without("catalogue") | {"actor": {"deals.view": "TEAM"}, "requested": {"deals.view": "ALL"}}
    (answer,) = answer_cases([own])
    assert answer["after"] == {"deals.view": "TEAM"}
    assert answer["withheld"] == ["deals.view@ALL"]


def test_e8_an_actor_whose_state_misses_a_requirement_gives_nothing() -> None:
    (answer,) = answer_cases([case(actor={"edit": "ALL"}, requested={"view": "ALL", "edit": "ALL"})])
    assert answer["authority"] == {}
    assert answer["after"] == {}
    assert answer["withheld"] == ["edit@ALL", "edit@OWNED", "view@ALL", "view@OWNED"]


def test_an_empty_ceiling_leaves_no_authority_and_null_is_none() -> None:
    held = [answer["authority"] for answer in answer_cases([case(ceiling={}), case(ceiling=None)])]
    assert held == [{}, {"view": "ALL"}]


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ({"id": "A1"}, "The cases: must be a list of cases, not an object"),
        ("[]", "The cases: must be a list of cases, not '[]'"),
        (None, "The cases: must be a list of cases, not null"),
        ([case(), 7], "Case 2 of 2: must be an object, not 7"),
        ([without("id")], "Case 1 of 1: needs an 'id'"),
        ([case(id=1)], "Case 1 of 1: needs an 'id'"),
        ([without("actor")], "Case A1: lacks 'actor'"),
        ([without("target")], "Case A1: lacks 'target'"),
        ([without("requested")], "Case A1: lacks 'requested'"),
        ([case(ceilling={})], "Case A1: has the unknown field 'ceilling'"),
        ([case(catalogue=[])], "Case A1: 'catalogue' must be an object of permissions by key, not a list"),
        ([case(catalogue={"view": []})], "Case A1: its catalogue cannot be used: permission 'view' must be a table"),
        ([case(catalogue={"view": {"levels": "ALL"}})], "levels of 'view' must be a list"),
        ([case(catalogue={"view": {"levels": ["SOME"]}})], "'view' has the illegal level 'SOME'"),
        ([case(catalogue={"view": {"levels": [["ALL"]]}})], "'view' has the illegal level ['ALL']"),
        ([case(catalogue={"view": {"levels": ["ALL", "OWNED"]}})], "levels of 'view' must rise"),
        ([case(catalogue={"view": {"levels": ["NONE"]}})], "levels of 'view' must rise"),
        ([case(catalogue={"view": {"levels": []}})], "levels of 'view' must be a list"),
        ([case(catalogue={"view": {"delegable": 1}})], "delegable of 'view' must be true or false"),
        ([case(catalogue={"view": {"delegatable": True}})], "'view' has the unknown field 'delegatable'"),
        ([case(catalogue={"view": {"requires": {"ALL": "x@ALL"}}})], "requirements of 'view' must be a list"),
        ([case(catalogue={"view": {"requires": {"TEAM": []}}})], "'view' has requirements for 'TEAM'"),
        ([case(catalogue={"view": {"requires": {"ALL": ["x@ALL"]}}})], "'view' requires 'x', which is not in the"),
        ([case(catalogue={"view": {"requires": {"ALL": ["x@MOST"]}}})], "'view' requires 'x' at the illegal level"),
        ([case(catalogue={"a b": {}})], "permission key 'a b' must be one word"),
        (
            [case(catalogue={"a": {"requires": {"ALL": ["b@ALL"]}}, "b": {"requires": {"ALL": ["a@ALL"]}}})],
            "requirements go in a circle: a@ALL → b@ALL → a@ALL",
        ),
        ([case(actor=[])], "Case A1: 'actor' must be an object of levels by key, not a list"),
        ([case(target=None)], "Case A1: 'target' must be an object of levels by key, not null"),
        ([case(ceiling="ALL")], "Case A1: 'ceiling' must be an object of levels by key, not 'ALL'"),
        ([case(actor={"delete": "ALL"})], "Case A1: 'actor' names 'delete', which is not in its catalogue"),
        ([case(requested={"view": "TEAM"})], "Case A1: in 'requested', 'view' has no level 'TEAM'; use one of NONE"),
        ([case(requested={"view": ["ALL"]})], "Case A1: in 'requested', 'view' has no level ['ALL']"),
        ([case(requested={"view": True})], "Case A1: in 'requested', 'view' has no level True"),
        ([case(target={"edit": "ALL", "view": "OWNED"})], "The target state is not valid: edit@ALL requires view@ALL"),
        ([case(requested={"edit": "OWNED"})], "The requested state is not valid: edit@OWNED requires view@OWNED"),
    ],
)
def test_a_case_that_is_wrong_is_named_with_the_reason(cases: Any, said: str) -> None:
    with pytest.raises(RuleCaseError) as caught:
        answer_cases(cases)
    assert said in str(caught.value)


def test_a_very_long_chain_of_requirements_is_no_problem() -> None:
    chain = {f"k{n}": {"requires": {"ALL": [f"k{n - 1}@ALL"]} if n else {}} for n in range(3000)}
    everything = dict.fromkeys(chain, "ALL")
    (answer,) = answer_cases([case(catalogue=chain, actor=everything, requested=everything)])
    assert answer["after"] == dict(sorted(everything.items()))
