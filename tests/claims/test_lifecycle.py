"""Corrections, retractions and takedowns: old states and reasons stay readable, and a takedown leaves a tombstone."""

from typing import Any

import pytest

from app.database.tables import ClaimVersion, columns_of
from app.takedown.claims import TAKEDOWN_VALUES
from tests.registers import Register


def read_million_claim(register: Register) -> dict[str, Any]:
    days = "date_from=2025-06-12&date_to=2025-06-12"
    found = register.get(f"/v1/claims?source=ua-general-staff&{days}&kind=approximate").json()["data"]
    claim: dict[str, Any] = next(each for each in found if each["figure"]["value"] == 1000340)
    return claim


def send_event(register: Register, claim: dict[str, Any], path: str, body: dict[str, Any], method: str = "POST") -> Any:
    address = f"/v1/claims/{claim['id']}{path}"
    return register.write(method, address, body, **{"If-Match": f'"{claim["revision"]}"'})


def test_a_repair_is_a_new_revision_and_the_old_one_stays(starter_register: Register) -> None:
    claim = read_million_claim(starter_register)
    slip = {"as_printed": "about 1,000,430", "value": 1000430, "approximate": True}
    body = {"event": "transcription_fix", "reason": "A slip of two digits.", "changes": {"figure": slip}}
    changed = send_event(starter_register, claim, "", body, "PATCH")
    assert changed.status_code == 200, changed.text
    assert changed.json()["revision"] == 2
    assert changed.json()["figure"]["value"] == 1000430
    assert changed.headers["etag"].startswith('"2-')
    revisions = starter_register.get(f"/v1/claims/{claim['id']}/revisions").json()["data"]
    assert [(each["revision"], each["event"], each["reason"]) for each in revisions] == [
        (1, "created", None),
        (2, "transcription_fix", "A slip of two digits."),
    ]
    assert revisions[1]["changes"] == [
        {"field": "figure.as_printed", "before": claim["figure"]["as_printed"], "after": "about 1,000,430"},
        {"field": "figure.value", "before": 1000340, "after": 1000430},
    ]
    first = starter_register.get(f"/v1/claims/{claim['id']}/revisions/1").json()
    assert first["figure"]["value"] == 1000340
    assert first["recorded_until"] == changed.json()["recorded_at"]
    assert first["citations"] == claim["citations"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 428, "if_match_required"),
        ({"If-Match": '"7"'}, 412, "stale_revision"),
        ({"If-Match": "x"}, 412, "stale_revision"),
    ],
)
def test_a_change_needs_the_revision_that_stands(
    starter_register: Register, headers: dict[str, str], status: int, code: str
) -> None:
    claim = read_million_claim(starter_register)
    body = {"retracted_on": "2025-07-01", "reason": "Taken back."}
    answer = starter_register.write("POST", f"/v1/claims/{claim['id']}/retraction", body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 412:
        assert answer.json()["current"] == claim
        assert answer.json()["revision"] == 1


def test_a_retraction_counts_from_its_day_on(starter_register: Register) -> None:
    claim = read_million_claim(starter_register)
    answer = send_event(starter_register, claim, "/retraction", {"retracted_on": "2025-07-01", "reason": "Taken back."})
    assert (answer.status_code, answer.json()["status"], answer.json()["retracted_on"]) == (
        200,
        "retracted",
        "2025-07-01",
    )
    address = f"/v1/claims/{claim['id']}"
    before = starter_register.get(f"{address}?known_on=2025-06-30").json()
    assert (before["status"], before["retracted_on"]) == ("asserted", None)
    sides = "/v1/topics/russian-casualties/side-by-side?known_on="
    ids = [p["claim"]["id"] for p in starter_register.get(sides + "2025-06-30").json()["positions"]]
    assert claim["id"] in ids
    after = starter_register.get(sides + "2025-07-01").json()
    assert claim["id"] not in [p["claim"]["id"] for p in after["positions"]]
    assert claim["id"] in [each["id"] for each in after["retracted"]]
    back = send_event(starter_register, answer.json(), "/reinstatement", {"reason": "It was not."})
    assert (back.status_code, back.json()["status"], back.json()["revision"]) == (200, "asserted", 3)


@pytest.mark.parametrize(
    ("path", "body", "status", "pointer"),
    [
        ("/reinstatement", {"reason": "It stands."}, 409, None),
        ("/retraction", {"reason": "Too early.", "retracted_on": "2025-06-11"}, 422, "#/retracted_on"),
        ("/retraction", {"reason": "Not yet.", "retracted_on": "2999-01-01"}, 422, "#/retracted_on"),
        ("/retraction", {"retracted_on": "2025-07-01"}, 422, "#/reason"),
        ("/retraction", {"reason": "", "retracted_on": "2025-07-01"}, 422, "#/reason"),
    ],
)
def test_an_event_that_cannot_be_changes_nothing(
    starter_register: Register, path: str, body: dict[str, Any], status: int, pointer: str | None
) -> None:
    claim = read_million_claim(starter_register)
    seq = starter_register.get("/health/ready").json()["seq"]
    answer = send_event(starter_register, claim, path, body)
    assert answer.status_code == status
    assert [each["pointer"] for each in answer.json()["errors"]] == ([pointer] if pointer else [])
    assert starter_register.get("/health/ready").json()["seq"] == seq


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({}, "#/changes"),
        ({"figure": {"as_printed": "x", "lower": 5, "upper": 3}}, "#/changes/figure/lower"),
        ({"category": "kiled"}, "#/changes/category"),
        ({"category": None}, "#/changes/category"),
        ({"date": "2025-02-30"}, "#/changes/date"),
        ({"nonsense": 1}, "#/changes/nonsense"),
        ({"citations": []}, "#/changes/citations"),
    ],
)
def test_a_wrong_repair_is_refused_with_its_field(
    starter_register: Register, changes: dict[str, Any], pointer: str
) -> None:
    claim = read_million_claim(starter_register)
    body = {"event": "transcription_fix", "reason": "A try.", "changes": changes}
    answer = send_event(starter_register, claim, "", body, "PATCH")
    assert answer.status_code == 422, answer.text
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert starter_register.get(f"/v1/claims/{claim['id']}").json() == claim


def test_a_citation_is_repaired_within_its_claim(starter_register: Register) -> None:
    claim = read_million_claim(starter_register)
    cited = claim["citations"][0]
    body = {
        "event": "relay_correction",
        "reason": "The outlet corrected its quote.",
        "changes": {
            "citations": [
                {"id": cited["id"], "document": cited["document"]["id"], "role": cited["role"], "quote": "1,000,340"}
            ]
        },
    }
    answer = send_event(starter_register, claim, "", body, "PATCH")
    assert answer.status_code == 200, answer.text
    assert [(each["id"], each["quote"]) for each in answer.json()["citations"]] == [(cited["id"], "1,000,340")]
    old = starter_register.get(f"/v1/claims/{claim['id']}/revisions/1").json()
    assert old["citations"] == claim["citations"]


def test_a_takedown_leaves_a_tombstone_everywhere(starter_register: Register) -> None:
    claim = read_million_claim(starter_register)
    marked = {"event": "relay_correction", "reason": "Oryctolagus.", "changes": {"note": "Oryctolagus cuniculus."}}
    assert send_event(starter_register, claim, "", marked, "PATCH").status_code == 200
    assessed = {"level": "low", "rationale": "Oryctolagus."}
    assert starter_register.write("POST", f"/v1/claims/{claim['id']}/assessments", assessed).status_code == 201
    seq = starter_register.get("/health/ready").json()["seq"]
    assert "Oryctolagus" in starter_register.get(f"/v1/claims?recorded_as_of=seq:{seq}&limit=1000").text
    answer = starter_register.write("POST", f"/v1/claims/{claim['id']}/takedown", {"reason": "A court order."})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {
        "id",
        "status",
        "category",
        "subject",
        "place",
        "revision",
        "recorded_at",
        "seq",
        "links",
    }
    gone = starter_register.get(f"/v1/claims/{claim['id']}")
    assert (gone.status_code, gone.json()["claim"]["id"]) == (410, claim["id"])
    for address in (
        f"/v1/claims?recorded_as_of=seq:{seq}&limit=1000",
        "/v1/claims?limit=1000",
        "/v1/claims.csv",
        f"/v1/claims/{claim['id']}/revisions",
        f"/v1/topics/russian-casualties/side-by-side?recorded_as_of=seq:{seq}&known_on=2025-06-12",
        "/v1/claims?status=removed",
    ):
        assert "Oryctolagus" not in starter_register.get(address).text, address
    assert starter_register.get("/v1/claims?status=removed").json()["meta"]["count"] == 1


def test_nothing_is_related_to_what_was_taken_down(starter_register: Register) -> None:
    claim = read_million_claim(starter_register)
    other = starter_register.get("/v1/claims?source=csis&limit=1").json()["data"][0]
    assert (
        starter_register.write("POST", f"/v1/claims/{claim['id']}/takedown", {"reason": "A court order."}).status_code
        == 200
    )
    related = {"type": "disputes", "claim": claim["id"]}
    answer = starter_register.write("POST", f"/v1/claims/{other['id']}/relations", related)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/claim")


def test_assessments_stay_and_the_newest_shows(starter_register: Register) -> None:
    claim = read_million_claim(starter_register)
    before = claim["confidence"]
    body = {"level": "moderate", "reliability": "F", "credibility": "6", "rationale": "Nobody can judge it."}
    made = starter_register.write("POST", f"/v1/claims/{claim['id']}/assessments", body)
    assert made.status_code == 201, made.text
    shown = starter_register.get(f"/v1/claims/{claim['id']}").json()
    assert (shown["revision"], shown["confidence"]["reliability"]) == (1, "F")
    listed = starter_register.get(f"/v1/claims/{claim['id']}/assessments").json()["data"]
    assert [each["level"] for each in listed] == ["moderate", *([before["level"]] if before else [])]
    taken = starter_register.write("POST", f"/v1/assessments/{made.json()['id']}/withdrawal", {"reason": "A mistake."})
    assert (taken.status_code, taken.json()["withdrawn"]) == (200, True)
    assert starter_register.get(f"/v1/claims/{claim['id']}").json()["confidence"] == before
    again = starter_register.write("POST", f"/v1/assessments/{made.json()['id']}/withdrawal", {"reason": "A mistake."})
    assert again.status_code == 409


def test_a_takedown_names_every_column_with_content() -> None:
    """A column that is neither erased nor listed here would survive a takedown."""
    kept = {"version", "id", "revision", "category", "subject", "place", "fingerprint", "import_id"}
    kept |= {"seq", "until_seq", "recorded_at", "recorded_until"}
    assert set(columns_of(ClaimVersion).keys()) == kept | set(TAKEDOWN_VALUES)
