"""Faults that are put into a copy of the code, one after the other, with the tests that must find each."""

from dataclasses import dataclass

from benchmarks.torture.code_copies import Edit
from benchmarks.torture.power import NORMAL


@dataclass(frozen=True)
class Fault:
    """A fault: what it does, the edits that make it, and the tests that must fail."""

    kind: str
    description: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


COMMIT = "                self._commit_batch(transaction, is_only_write=len(jobs) == 1)"
CONDITION = "if if_match is not None and not _matches(if_match, document, etag, by_revision=by_revision):"
TORTURE, FAULTY_DATABASE = "tests/history/test_torture.py", "tests/http/test_database_faults.py"
RACES, ROLES = "tests/history/test_races.py", "tests/http/test_roles.py"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "kills",
        "a stored response is not looked up for its key",
        (Edit("app/http/writes.py", "            if stored is not None:\n                return stored", ""),),
        (RACES, "-k", "sqlite and one_key_makes"),
    ),
    Fault(
        "kills",
        "some writes are acknowledged without a commit",
        (Edit("app/database/group_commit.py", COMMIT, f"                if transaction.seq % 8:\n    {COMMIT}"),),
        (TORTURE, "-k", "sqlite and kills"),
    ),
    Fault("power", "`synchronous=NORMAL`", (NORMAL,), (TORTURE, "-k", "sqlite and power")),
    Fault(
        "storage",
        "a full disk is taken for a lock",
        (Edit("app/database/faults.py", "SQLITE_FULL: DatabaseFault.full", "SQLITE_FULL: DatabaseFault.locked"),),
        (TORTURE, "-k", "sqlite and power"),
    ),
    Fault(
        "storage",
        "a server that stops in a commit is taken for one that has rolled back",
        (Edit("app/database/transaction.py", " and not ends_session(error):", ":"),),
        (FAULTY_DATABASE, "-k", "postgresql and connection_is_lost_is_recorded"),
    ),
    Fault(
        "races",
        "the ETag in `If-Match` is not compared",
        (Edit("app/http/writes.py", CONDITION, CONDITION.replace("if if_match", "if False and if_match")),),
        (RACES, "-k", "sqlite and exactly_one"),
    ),
    Fault(
        "requests: roles",
        "a contributor may correct claims",
        (
            Edit(
                "app/claims/routes.py",
                "def patch_claim(claim: ClaimId, payload: ChangeInput, write: WriteRequestDep, editor: Editor)",
                "def patch_claim(claim: ClaimId, payload: ChangeInput, write: WriteRequestDep, editor: Contributor)",
            ),
        ),
        (ROLES, "-k", "sqlite and enough"),
    ),
    Fault(
        "requests: headers",
        "a problem that the protocol writes has no policy",
        (
            Edit(
                "app/http/protocol.py",
                "            *STANDARD_HEADERS,\n            CONTENT_POLICY,",
                "            *STANDARD_HEADERS,",
            ),
        ),
        ("tests/http/test_security_headers.py", "-k", "sqlite and protocol"),
    ),
    Fault(
        "requests: hostile",
        "NUL is not refused in texts",
        (
            Edit(
                "app/http/schema_types.py",
                'REFUSED_CHARACTERS = re.compile("[\\x00-',
                'REFUSED_CHARACTERS = re.compile("[\\x01-',
            ),
        ),
        ("tests/http/test_hostile_requests.py",),
    ),
)
