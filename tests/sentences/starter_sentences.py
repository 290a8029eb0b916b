"""The sentences of all starter claims, for review: `python -m tests.sentences.starter_sentences`."""

import tempfile
from pathlib import Path

from tests.registers import DatabaseCopies, Register, open_register

SENTENCES_FILE = Path(__file__).parent / "starter_sentences.txt"


def read_sentences(register: Register) -> list[str]:
    """Return the sentence of each claim, in the order of the list of claims."""
    claims = register.get("/v1/claims?limit=1000").json()["data"]
    answers = [register.get(f"/v1/claims/{claim['id']}/citation.txt") for claim in claims]
    assert all(answer.status_code == 200 for answer in answers)
    return [answer.text.removesuffix("\n") for answer in answers]


def main() -> None:
    """Rewrite the file."""
    with tempfile.TemporaryDirectory() as folder:
        for register in open_register(DatabaseCopies(Path(folder), None).create_copy("starter")):
            SENTENCES_FILE.write_text("\n".join(read_sentences(register)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
