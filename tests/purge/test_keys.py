"""The keys of responses, and those that a change purges: what is not purged equals a new response."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest

from app.cache.scope import CHANGES_KEY, CLAIMS_KEY, REGISTER_KEY
from app.database.read_session import read_session
from app.main import create_app
from app.purge.keys import MAX_KEY_CHARACTERS, find_changed_keys
from app.settings import Settings
from tests.client import ApplicationClient
from tests.contract.examples import EXAMPLE_CLAIM_ID, send_example
from tests.examples import make_source_body, make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.http.operations import OPERATIONS
from tests.purge.stored_responses import comparable_body, is_storable, list_paths
from tests.registers import Register

WRITES = {
    operation["operationId"]: (method, path, operation)
    for method, path, operation in OPERATIONS
    if method != "get" and not path.startswith(("/v1/keys", "/v1/leases"))
}
"""The writes of records by their operation id."""

PURGE_FEW = ("post_claim", "post_citation", "post_assessment", "post_document", "post_import")
"""The writes after which many responses stay in the cache."""


@pytest.fixture
def uncached(starter_register: Register) -> Iterator[ApplicationClient]:
    """A process of the service without caches of responses and claims."""
    settings = Settings.model_validate(starter_register.settings.model_dump(by_alias=True) | {"memory_bytes": 0})
    with ApplicationClient(create_app(settings)) as client:
        yield client


def read_changed_keys(register: Register, after: int) -> tuple[int, list[str]]:
    """Return the latest `seq`, and the keys that the changes after `after` purge."""
    with read_session(register.database) as read:
        snapshot = read.snapshot()
        return snapshot.latest_seq, find_changed_keys(read, after, snapshot)


def test_every_response_that_may_be_stored_has_keys(starter_register: Register) -> None:
    stored = 0
    for path in list_paths(starter_register):
        response = starter_register.get(path, follow_redirects=False)
        keys = response.headers.get("surrogate-key", "").split()
        assert (REGISTER_KEY in keys) == is_storable(response), path
        assert len(set(keys)) == len(keys), path
        stored += is_storable(response)
    assert stored > 100


def test_what_a_change_does_not_purge_is_still_true(starter_register: Register, uncached: ApplicationClient) -> None:
    """Each kind of record is changed by the examples of the writing operations.

    What the change does not purge is compared. A change that purges `register` keeps nothing, see the test above.
    """
    paths = list_paths(starter_register)
    seq, _ = read_changed_keys(starter_register, 0)
    responses: dict[str, Any] = {path: uncached.get(path, follow_redirects=False) for path in paths}
    kinds: set[str] = set()
    for name in (*PURGE_FEW, *sorted(set(WRITES) - set(PURGE_FEW), key=lambda name: ("takedown" in name, name))):
        before = seq
        answer = send_example(starter_register, *_with_another_name(*WRITES[name]))
        seq, keys = read_changed_keys(starter_register, before)
        if seq == before:
            continue  # the example changes nothing
        assert answer.is_success, (name, answer.text)
        changes = starter_register.get(f"/v1/changes?after={before}").json()["data"]
        kinds |= {change["kind"] for change in changes}
        assert (keys == [REGISTER_KEY]) == (name not in PURGE_FEW), (name, keys)
        if name not in PURGE_FEW:
            continue
        fresh = {path: uncached.get(path, follow_redirects=False) for path in paths}
        stored = [path for path, response in responses.items() if is_storable(response)]
        kept = [path for path in stored if not set(responses[path].headers["surrogate-key"].split()) & set(keys)]
        assert len(kept) > 10, name
        for path in kept:
            assert fresh[path].status_code == responses[path].status_code, (name, path)
            assert comparable_body(fresh[path]) == comparable_body(responses[path]), (name, path)
        responses = fresh
    assert kinds == {
        *("claim", "citation", "assessment", "relation", "document", "import"),
        *("source", "category", "subject", "place", "topic"),
    }


def _with_another_name(method: str, path: str, operation: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return an operation whose example changes the record if it is one by a slug: the same again changes nothing."""
    if method != "put":
        return method, path, operation
    changed = deepcopy(operation)
    body = changed["requestBody"]["content"]["application/json"]["example"]
    body["title" if "title" in body else "name"] += ", renamed"
    return method, path, changed


def test_a_new_claim_purges_its_topics_and_lists(register: Register) -> None:
    record_example_vocabulary(register)
    for slug, subject, narrower in (("own", "army", []), ("other", "militia", []), ("wide", "militia", ["subject"])):
        body = {"title": slug, "category": "killed", "subject": subject, "place": "war", "narrower": narrower}
        assert register.write("PUT", f"/v1/topics/{slug}", body).status_code == 201
    wider = register.get("/v1/topics/other/side-by-side?narrower=subject").headers["surrogate-key"].split()
    assert {"topic-other", CLAIMS_KEY} <= set(wider), "it shows other claims than those of the topic"
    assert CLAIMS_KEY not in register.get("/v1/topics/wide/side-by-side").headers["surrogate-key"].split()
    seq, _ = read_changed_keys(register, 0)
    claim = submit_claim(register, make_unique_claim_body())
    seq, keys = read_changed_keys(register, seq)
    assert keys == sorted([CHANGES_KEY, CLAIMS_KEY, f"claim-{claim['id']}", "topic-own", "topic-wide"])
    body = {"level": "low", "rationale": "Seen.", "assessed_on": "2025-07-01"}
    assert register.write("POST", f"/v1/claims/{claim['id']}/assessments", body).status_code == 201
    seq, again = read_changed_keys(register, seq)
    assert again == keys
    assert register.write("POST", "/v1/documents", {"title": "A page"}).status_code == 201
    seq, keys = read_changed_keys(register, seq)
    assert keys == [CHANGES_KEY]
    assert register.write("PUT", "/v1/sources/ministry", make_source_body("Another name")).status_code == 200
    assert read_changed_keys(register, seq)[1] == [REGISTER_KEY]
    assert read_changed_keys(register, seq + 1)[1] == []


def test_many_changes_purge_everything(register: Register) -> None:
    record_example_vocabulary(register)
    seq, _ = read_changed_keys(register, 0)
    count = MAX_KEY_CHARACTERS // len(f"claim-{UUID(int=0)} ")
    for _ in range(count - 2):  # the other keys have fewer characters than two of claims
        submit_claim(register, make_unique_claim_body())
    assert len(read_changed_keys(register, seq)[1]) == count
    for _ in range(3):
        submit_claim(register, make_unique_claim_body())
    assert read_changed_keys(register, seq)[1] == [REGISTER_KEY]
    assert read_changed_keys(register, 0)[1] == [REGISTER_KEY]


def test_the_page_of_a_claim_shows_a_new_citation(starter_register: Register) -> None:
    """The page and the card of a claim are evicted from the response cache as its other responses are."""
    paths = (f"/claims/{EXAMPLE_CLAIM_ID}", f"/embed/claims/{EXAMPLE_CLAIM_ID}")
    for path in paths:
        assert f"claim-{EXAMPLE_CLAIM_ID}" in starter_register.get(path).headers["surrogate-key"].split()
    before = starter_register.get(paths[0]).text
    send_example(starter_register, *WRITES["post_citation"])
    assert starter_register.get(paths[0]).text != before
