"""After random writes, every past state returns the same bytes as when it was the current state.

Random steps over HTTP run against a model in memory. After a write the answers of that very state are kept, and later,
at random, asked for again by `seq` and by time. Only a takedown may change them, and then only by what it took.
"""

import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from app.main import CounterclaimApp
from tests.examples import make_citation_body, make_topic_body, record_example_vocabulary
from tests.examples import make_claim_body as claim_body
from tests.examples import make_source_body as source_body
from tests.history.model import ModelClaim, RegisterModel, comparable_fields
from tests.registers import DatabaseCopies, Register, make_settings, open_database, open_register

STEPS = int(os.environ.get("TEST_STEPS", "120"))
"""Number of random steps on each database."""
RUN = 60
"""Number of steps on one register; then a run begins with an empty register."""
AT_THE_END = 6
"""Maximum number of past states that are checked at the end of a run."""

SOURCES = ("ministry", "minister", "institute", "agency", "paper")
NAMES = {
    "ministry": "The ministry",
    "minister": "The minister",
    "institute": "The institute",
    "agency": "The agency",
    "paper": "The paper",
}
KINDS = {
    "ministry": {"kind": "government", "interest": "party"},
    "minister": {"kind": "individual", "interest": "party", "speaks_for": "ministry"},
    "institute": {"kind": "research"},
}
CLAIMANTS = SOURCES[:4]
DATES = (None, "2025-06-12", "2025-06-13", "2025-07-01")
CATEGORIES = ("killed", "casualties", "killed-named")
TOPIC = "/v1/topics/how-many"


@dataclass
class World:
    """A service whose register is replaced for every run."""

    copies: DatabaseCopies
    register: Register
    steps: Counter[str] = field(default_factory=Counter)
    moments: int = 0

    def renew(self) -> None:
        """Replace the register with a new one that has a vocabulary but no claims."""
        self.register.database.close()
        database = open_database(make_settings(self.copies.create_copy("furnished")))
        self.register.database = database
        cast("CounterclaimApp", self.register.client.app).use_database(database)


@dataclass
class Moment:
    """A state of the register: its responses when it was current, and the claims that were taken down since."""

    seq: int
    claim: str | None
    answers: dict[str, tuple[int, bytes]]
    removed: set[str] = field(default_factory=set)


def data_of(body: bytes) -> Any:
    return json.loads(body)["data"]


class Writing(RuleBasedStateMachine):
    """Random writes whose results the model predicts, and reads of past states in between."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.register = world.register
        self.markers = count(1)
        self.moments: list[Moment] = []
        self.related: set[str] = set()
        """The claims that were ever part of a relation."""
        self.clock: list[tuple[str, int]] = []
        self.written = 0
        world.renew()

    def teardown(self) -> None:
        for moment in self.moments[:: len(self.moments) // AT_THE_END + 1]:
            self.hold(moment)
        self.register.database.close()

    # Helpers of the steps.

    @property
    def seq(self) -> int:
        return self.model.seqs[-1]

    def write(self, method: str, path: str, body: Any, *, claim: ModelClaim | None = None) -> Any:
        """Send a write, and check that a refused one does not change the register."""
        headers = {"If-Match": f'"{claim.revision}"'} if claim else {}
        answer = self.register.write(method, path, body, **headers)
        self.head = int(answer.headers["x-register-seq"])
        if not answer.is_success:
            assert self.head == self.seq, "a refused write moved the register"
        return answer

    def done(self, what: str, claim: ModelClaim | None) -> None:
        """Record that a write succeeded, and from time to time the current responses."""
        self.world.steps[what] += 1
        self.model.record_state(self.head)
        self.written += 1
        if self.written % 3 == 0:
            self.keep(claim)

    def addresses(self, claim: str | None, seq: int) -> dict[str, str]:
        state = f"recorded_as_of=seq:{seq}"
        found = {
            "list": f"/v1/claims?limit=1000&{state}",
            "csv": f"/v1/claims.csv?{state}",
            "topic": f"{TOPIC}?{state}",
            "side-by-side": f"{TOPIC}/side-by-side?{state}",
        }
        if seq % 2:
            found["known"] = f"{TOPIC}/side-by-side?known_on=2025-06-30&{state}"
        else:
            found["timeline"] = f"{TOPIC}/timeline.csv?known_on=2025-06-30&{state}"
        if claim is not None:
            found["claim"] = f"/v1/claims/{claim}?{state}"
            part = ("relations", "assessments", "revisions", "citation")[seq % 4]
            found[part] = f"/v1/claims/{claim}/{part}?{state}"
        return found

    def ask(self, claim: str | None, seq: int) -> dict[str, tuple[int, bytes]]:
        answers = {}
        for name, address in self.addresses(claim, seq).items():
            answer = self.register.get(address)
            assert answer.status_code in (200, 404, 410), f"{address}: {answer.text}"
            if answer.status_code != 200:
                # A problem contains the request id, which differs each time.
                answers[name] = (answer.status_code, answer.json()["code"].encode())
            else:
                answers[name] = (200, answer.content)
        return answers

    def keep(self, claim: ModelClaim | None) -> None:
        """Store the current responses, and compare them with the model."""
        id_ = None if claim is None else claim.id
        moment = Moment(self.seq, id_, self.ask(id_, self.seq))
        assert self.listed(data_of(moment.answers["list"][1]), f"?recorded_as_of=seq:{self.seq}") == self.model.state()
        self.moments.append(moment)
        self.world.moments += 1

    def listed(self, cards: list[dict[str, Any]], state: str) -> dict[str, Any]:
        related = {
            card["id"]: self.register.get(f"/v1/claims/{card['id']}/relations{state}").json()["data"]
            for card in cards
            if card["id"] in self.related
        }
        return {card["id"]: comparable_fields(card, related.get(card["id"], [])) for card in cards}

    # Steps.

    @initialize(values=st.lists(st.integers(1, 6), min_size=2, max_size=4, unique=True))
    def begin(self, values: list[int]) -> None:
        self.model = RegisterModel(dict(NAMES))
        self.head = int(self.register.get("/health/ready").json()["seq"])
        self.model.record_state(self.head)
        self.keep(None)
        for value in values:
            self.create("killed", "ministry", "2025-06-12", value, 1)

    @rule(
        category=st.sampled_from(CATEGORIES),
        claimant=st.sampled_from(CLAIMANTS),
        date=st.sampled_from(DATES),
        value=st.integers(1, 6),
        page=st.integers(1, 3),
    )
    def create(self, category: str, claimant: str, date: str | None, value: int, page: int) -> None:
        marker = f"marker{next(self.markers)}x"
        url, quote, note = f"https://example.org/{page}", f"quoted {marker}", f"noted {marker}"
        new = ModelClaim("", marker, category, claimant, date, value, note, [{"url": url, "quote": quote}])
        body = claim_body(
            category=category,
            source=claimant,
            date=date,
            figure={"as_printed": str(value), "value": value},
            note=note,
            citations=[make_citation_body(url, quote=quote)],
            derivation="own" if value % 2 else "unknown",
        )
        answer = self.write("POST", "/v1/claims", body)
        if new.fingerprint in self.model.fingerprints():
            assert answer.json()["code"] == "duplicate_claim", answer.text
            self.world.steps["duplicate"] += 1
            return
        assert answer.status_code == 201, answer.text
        new.id = answer.json()["id"]
        new.citations[0]["id"] = answer.json()["citations"][0]["id"]
        self.model.claims[new.id] = new
        self.done("create", new)

    def pick(self, draw: int, claims: list[ModelClaim] | None = None) -> ModelClaim:
        claims = self.model.current_claims() if claims is None else claims
        return claims[draw % len(claims)]

    def revise(self, claim: ModelClaim, changes: dict[str, Any]) -> Any:
        body = {"event": "transcription_fix", "reason": f"Fixed {claim.marker}.", "changes": changes}
        return self.write("PATCH", f"/v1/claims/{claim.id}", body, claim=claim)

    def has_claims(self) -> bool:
        return bool(self.model.claims)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63), value=st.integers(1, 6))
    def revise_figure(self, which: int, value: int) -> None:
        claim = self.pick(which)
        answer = self.revise(claim, {"figure": {"as_printed": str(value), "value": value}})
        if value == claim.value:
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
            self.world.steps["nothing changed"] += 1
        elif (*claim.fingerprint[:3], value) in self.model.fingerprints(but=claim):
            assert (answer.status_code, answer.json()["code"]) == (409, "duplicate_claim")
            self.world.steps["duplicate"] += 1
        else:
            assert answer.status_code == 200, answer.text
            claim.value, claim.revision = value, claim.revision + 1
            self.done("revise figure", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63))
    def revise_note(self, which: int) -> None:
        claim = self.pick(which)
        note = f"noted again {next(self.markers)} {claim.marker}"
        assert self.revise(claim, {"note": note}).status_code == 200
        claim.note, claim.revision = note, claim.revision + 1
        self.done("revise note", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63), how=st.sampled_from(["requote", "drop", "add"]), page=st.integers(1, 4))
    def revise_citations(self, which: int, how: str, page: int) -> None:
        claim = self.pick(which)
        quote = f"quoted again {next(self.markers)} {claim.marker}"
        cited = [dict(each) for each in claim.citations]
        if how == "requote" or (how == "drop" and len(cited) == 1):
            cited[0]["quote"] = quote
        elif how == "drop":
            cited.pop()
        else:
            cited.append({"url": f"https://example.org/{page}", "quote": quote})
        given = [
            make_citation_body(each["url"], quote=each["quote"]) | ({"id": each["id"]} if "id" in each else {})
            for each in cited
        ]
        answer = self.revise(claim, {"citations": given})
        assert answer.status_code == 200, answer.text
        claim.citations = [
            {"id": served["id"], "url": each["url"], "quote": each["quote"]}
            for each, served in zip(cited, answer.json()["citations"], strict=True)
        ]
        claim.revision += 1
        self.done("revise citations", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63), page=st.integers(1, 6))
    def cite(self, which: int, page: int) -> None:
        claim = self.pick(which)
        url, quote = f"https://example.org/{page}", f"quoted too {next(self.markers)} {claim.marker}"
        answer = self.write("POST", f"/v1/claims/{claim.id}/citations", make_citation_body(url, quote=quote))
        assert answer.status_code == 201, answer.text
        claim.citations.append({"id": answer.json()["citations"][-1]["id"], "url": url, "quote": quote})
        self.done("cite", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63), day=st.sampled_from(["2025-06-12", "2025-06-30", "2025-08-01"]))
    def retract(self, which: int, day: str) -> None:
        claim = self.pick(which)
        body = {"retracted_on": day, "reason": f"Taken back {claim.marker}."}
        answer = self.write("POST", f"/v1/claims/{claim.id}/retraction", body, claim=claim)
        if claim.status == "retracted":
            assert (answer.status_code, answer.json()["code"]) == (409, "event_impossible")
            self.world.steps["impossible"] += 1
        elif claim.date is not None and day < claim.date:
            assert answer.status_code == 422, answer.text
            self.world.steps["impossible"] += 1
        else:
            assert answer.status_code == 200, answer.text
            claim.status, claim.retracted_on, claim.revision = "retracted", day, claim.revision + 1
            self.done("retract", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63))
    def reinstate(self, which: int) -> None:
        claim = self.pick(which, self.model.current_claims("retracted") or None)
        answer = self.write("POST", f"/v1/claims/{claim.id}/reinstatement", {"reason": claim.marker}, claim=claim)
        if claim.status == "asserted":
            assert (answer.status_code, answer.json()["code"]) == (409, "event_impossible")
            self.world.steps["impossible"] += 1
        else:
            assert answer.status_code == 200, answer.text
            claim.status, claim.retracted_on, claim.revision = "asserted", None, claim.revision + 1
            self.done("reinstate", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63), level=st.sampled_from(["high", "moderate", "low"]))
    def assess(self, which: int, level: str) -> None:
        claim = self.pick(which)
        body = {"level": level, "rationale": f"Judged {claim.marker}."}
        answer = self.write("POST", f"/v1/claims/{claim.id}/assessments", body)
        if answer.status_code == 409:
            assert answer.json()["code"] == "duplicate_record"
            assert (level, False) in claim.assessments.values()
            self.world.steps["impossible"] += 1
            return
        assert answer.status_code == 201, answer.text
        claim.assessments[answer.json()["id"]] = (level, False)
        self.done("assess", claim)

    @precondition(lambda self: any(claim.assessments for claim in self.model.current_claims()))
    @rule(which=st.integers(0, 63))
    def withdraw_assessment(self, which: int) -> None:
        claim, id_ = [(claim, id_) for claim in self.model.current_claims() for id_ in claim.assessments][
            which % sum(len(claim.assessments) for claim in self.model.current_claims())
        ]
        level, withdrawn = claim.assessments[id_]
        answer = self.write("POST", f"/v1/assessments/{id_}/withdrawal", {"reason": f"Not so {claim.marker}."})
        assert answer.status_code == (409 if withdrawn else 200), answer.text
        if withdrawn:
            self.world.steps["impossible"] += 1
            return
        claim.assessments[id_] = (level, True)
        self.done("withdraw assessment", claim)

    @precondition(has_claims)
    @rule(which=st.integers(0, 63), to=st.integers(0, 63), type_=st.sampled_from(["repeats", "based_on", "disputes"]))
    def relate(self, which: int, to: int, type_: str) -> None:
        claim, other = self.pick(which), self.pick(to)
        body = {"type": type_, "claim": other.id, "note": f"Related {claim.marker}."}
        answer = self.write("POST", f"/v1/claims/{claim.id}/relations", body)
        if claim is other:
            assert answer.status_code == 422, answer.text
            self.world.steps["impossible"] += 1
            return
        if answer.status_code == 409:
            assert answer.json()["code"] == "duplicate_record"
            assert (type_, claim.id, other.id, False) in self.model.relations.values()
            self.world.steps["impossible"] += 1
            return
        assert answer.status_code == 201, answer.text
        self.model.relations[answer.json()["id"]] = (type_, claim.id, other.id, False)
        self.related |= {claim.id, other.id}
        self.done("relate", claim)

    @precondition(lambda self: self.model.relations)
    @rule(which=st.integers(0, 63))
    def withdraw_relation(self, which: int) -> None:
        id_ = list(self.model.relations)[which % len(self.model.relations)]
        type_, claim, other, withdrawn = self.model.relations[id_]
        answer = self.write("POST", f"/v1/relations/{id_}/withdrawal", {"reason": "Not so."})
        assert answer.status_code == (409 if withdrawn else 200), answer.text
        if withdrawn:
            self.world.steps["impossible"] += 1
            return
        self.model.relations[id_] = (type_, claim, other, True)
        self.done("withdraw relation", self.model.claims[claim])

    @rule(slug=st.sampled_from(SOURCES), name=st.integers(1, 3))
    def rename_source(self, slug: str, name: int) -> None:
        body = source_body(f"{slug}, called {name}", **KINDS.get(slug, {}))
        answer = self.write("PUT", f"/v1/sources/{slug}", body)
        assert answer.status_code == 200, answer.text
        assert (self.head == self.seq) == (self.model.names[slug] == body["name"])
        self.model.names[slug] = body["name"]
        self.done("rename source", None)

    @precondition(lambda self: len(self.model.claims) > 2)
    @rule(which=st.integers(0, 63))
    def take_down(self, which: int) -> None:
        entangled = [claim for claim in self.model.current_claims() if claim.id in self.related]
        claim = self.pick(which, entangled or None)
        answer = self.write("POST", f"/v1/claims/{claim.id}/takedown", {"reason": "An order."})
        assert answer.status_code == 200, answer.text
        assert claim.marker not in answer.text
        self.model.take_down(claim)
        for moment in self.moments:
            moment.removed.add(claim.id)
        self.done("take down", None)

    @precondition(lambda self: self.model.removed_claims)
    @rule(which=st.integers(0, 63), how=st.sampled_from(["citations", "assessments", "retraction"]))
    def touch_removed(self, which: int, how: str) -> None:
        claim = self.pick(which, list(self.model.removed_claims.values()))
        bodies: dict[str, dict[str, Any]] = {
            "citations": make_citation_body(),
            "assessments": {"level": "low", "rationale": "Never mind."},
            "retraction": {"retracted_on": "2025-08-01", "reason": "Never mind."},
        }
        answer = self.write("POST", f"/v1/claims/{claim.id}/{how}", bodies[how], claim=claim)
        assert (answer.status_code, answer.json()["claim"]["status"]) == (410, "removed")
        self.world.steps["removed"] += 1

    # Past states.

    @precondition(lambda self: len(self.moments) > 1)
    @rule(which=st.integers(0, 255))
    def look_back(self, which: int) -> None:
        self.hold(self.moments[which % len(self.moments)])

    def hold(self, moment: Moment) -> None:
        """Read a past state and compare the responses with the stored ones."""
        again = self.ask(moment.claim, moment.seq)
        if moment.removed:
            self.compare_after_takedown(moment, again)
            moment.answers, moment.removed = again, set()
        assert again == moment.answers, f"seq {moment.seq} answers otherwise than it did"
        self.world.steps["look back"] += 1

    @rule(which=st.integers(0, 255))
    def look_back_anywhere(self, which: int) -> None:
        first = self.model.seqs[0]
        seq = first + which % (self.seq - first + 1)
        state = f"?recorded_as_of=seq:{seq}"
        cards = self.register.get(f"/v1/claims{state}&limit=1000").json()["data"]
        assert self.listed(cards, state) == self.model.state_at(seq)
        self.world.steps["look back anywhere"] += 1

    @rule(which=st.integers(0, 255), early=st.booleans())
    def look_back_by_time(self, which: int, early: bool) -> None:  # noqa: FBT001 - drawn
        last = self.clock[-1][1] if self.clock else self.model.seqs[0]
        since = self.register.get(f"/v1/changes?limit=1000&after={last}").json()["data"]
        # The changes of one request have the same time, so a state between them has a `seq` but no time.
        self.clock += [(change["at"], change["seq"]) for change in since]
        at, _ = self.clock[which % len(self.clock)]
        moment = datetime.fromisoformat(at) - timedelta(microseconds=early)
        times = [datetime.fromisoformat(each) for each, _ in self.clock]
        index = bisect_right(times, moment)
        asked = {"recorded_as_of": moment.isoformat()}
        answer = self.register.get(f"{TOPIC}/side-by-side", params=asked)
        if index == 0:
            # Before the first claim: the vocabulary is not part of the model.
            assert answer.json()["seq"] <= self.model.seqs[0]
            assert answer.json()["positions"] == []
        else:
            seq = self.clock[index - 1][1]
            assert answer.json()["seq"] == seq
            assert answer.content == self.register.get(f"{TOPIC}/side-by-side?recorded_as_of=seq:{seq}").content
            by_seq = self.register.get(f"/v1/claims.csv?recorded_as_of=seq:{seq}").content
            assert self.register.get("/v1/claims.csv", params=asked).content == by_seq
        self.world.steps["look back by time"] += 1

    def compare_after_takedown(self, moment: Moment, now: dict[str, tuple[int, bytes]]) -> None:
        """Check that only records that were taken down are missing from a past response."""
        before, removed = moment.answers, moment.removed
        markers = [self.model.removed_claims[id_].marker.encode() for id_ in removed]
        for status, body in now.values():
            assert status == 200 or body == b"removed" or (status, body) in before.values()
            assert not any(marker in body for marker in markers), "what was taken down still shows"
        old, new = json.loads(before["list"][1]), json.loads(now["list"][1])
        old["data"] = [card for card in old["data"] if card["id"] not in removed]
        old["meta"]["count"] = len(old["data"])
        assert new == old
        rows = before["csv"][1].decode().split("\r\n")
        kept = [row for row in rows if row.split(",")[0] not in removed]
        assert now["csv"][1].decode().split("\r\n") == kept
        for name in before:
            if name in ("side-by-side", "known"):
                compare_sides(before[name][1], now[name][1], removed)
        if moment.claim in removed:
            assert now["claim"] == (410, b"removed")
        elif moment.claim is not None:
            assert now["claim"] == before["claim"]
        topic_before, topic_now = json.loads(before["topic"][1]), json.loads(now["topic"][1])
        assert topic_now["claims"] == len(new["data"])
        for name in ("slug", "title", "revision", "seq", "recorded_at"):
            assert topic_now[name] == topic_before[name]


def compare_sides(before: bytes, now: bytes, removed: set[str]) -> None:
    """Check that a takedown does not change the other positions of a side-by-side."""
    old, new = json.loads(before), json.loads(now)
    left_out, still_left_out = old.pop("left_out"), new.pop("left_out")
    assert all(0 <= count - still_left_out.get(reason, 0) <= len(removed) for reason, count in left_out.items())
    assert still_left_out.keys() <= left_out.keys()
    if not any(id_.encode() in before for id_ in removed):
        assert new == old
        return
    for name in ("topic", "known_on", "recorded_as_of", "seq", "tolerance", "window"):
        assert new[name] == old[name]
    assert new["retracted"] == [card for card in old["retracted"] if card["id"] not in removed]
    positions = {each["claim"]["id"]: each for each in new["positions"]}
    assert not positions.keys() & removed
    survivors = set()
    for each in old["positions"]:
        id_ = each["claim"]["id"]
        if id_ not in removed:
            survivors.add(id_)
            for name in ("source", "claim", "interval", "age_days"):
                assert positions[id_][name] == each[name]
    pairs = {(pair["a"], pair["b"]): pair for pair in new["pairs"]}
    for pair in old["pairs"]:
        if {pair["a"], pair["b"]} <= survivors:
            assert pairs[pair["a"], pair["b"]] == pair
    related = [each for each in old["related"]["relations"] if each["claim"] not in removed]
    for each in related:
        if {each["claim"], each["to_claim"]} & survivors:
            erased = {"quote": None, "note": None} if each["to_claim"] in removed else {}
            assert each | erased in new["related"]["relations"]
    assert not any(each["claim"] in removed for each in new["related"]["relations"])


@pytest.fixture
def world(database_copies: DatabaseCopies) -> Iterator[World]:
    database_copies.templates["furnished"] = url = database_copies.create_copy("empty")
    for template in open_register(url):
        record_example_vocabulary(template)
        assert template.write("PUT", TOPIC, make_topic_body(category="casualties")).status_code == 201
    for register in open_register(database_copies.create_copy("furnished")):
        yield World(database_copies, replace(register, keys=template.keys))


def test_every_past_state_stays_as_it_was(world: World) -> None:
    run_state_machine_as_test(
        lambda: Writing(world),  # type: ignore[arg-type] # hypothesis accepts a factory
        settings=settings(
            max_examples=max(1, STEPS // RUN),
            stateful_step_count=RUN,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    steps = sum(world.steps.values())
    print(f"\n{steps} steps, {world.moments} moments kept: {dict(world.steps.most_common())}")  # noqa: T201 - shown with -s
    assert steps >= STEPS * 4 // 5
