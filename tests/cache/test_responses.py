"""What is kept, for how long, and what a change makes untrue: plain data, no database."""

from app.cache.responses import Changed, Kept, Key, Memory, Sent
from app.cache.scope import Basis

CLAIM = {"id": "a", "category": "killed", "subject": "army", "place": "war", "source": "ministry"}


def kept(seq: int = 1, size: int = 10, **about: str) -> Kept:
    fields = {name: frozenset({word}) for name, word in about.items()}
    return Kept(Basis(seq, fields), compressible=False, plain=Sent('"x"', [], b"x" * size))


def key(number: int) -> Key:
    return (f"/{number}", b"", "")


def test_a_new_claim_touches_only_answers_that_speak_of_its_like() -> None:
    new = Changed(2, claim=CLAIM)
    assert new.touches(None)
    assert new.touches({})
    assert new.touches({"category": frozenset({"killed", "wounded"}), "source": frozenset({"ministry"})})
    assert not new.touches({"category": frozenset({"killed"}), "source": frozenset({"institute"})})
    assert not new.touches({"id": frozenset({"b"})})


def test_a_new_document_touches_only_what_speaks_of_everything() -> None:
    assert Changed(2, alone=True).touches(None)
    assert not Changed(2, alone=True).touches({})
    assert Changed(2).touches({"id": frozenset({"b"})}), "of any other change nothing is known"


def test_what_a_change_touches_is_forgotten_and_the_rest_stays_true() -> None:
    memory = Memory(1_000_000)
    memory.keep(key(1), kept(category="killed"))
    memory.keep(key(2), kept(category="wounded"))
    memory.keep(key(3), kept(5, category="killed"))
    memory.advance(5, [Changed(5, claim=CLAIM)])
    assert (memory.get(key(1)), memory.seq, memory.forgotten) == (None, 5, 1)
    assert memory.get(key(2)) is not None
    assert memory.get(key(3)) is not None, "it was read after that change"


def test_an_answer_from_before_what_is_known_is_not_kept() -> None:
    memory = Memory(1_000_000)
    memory.advance(7, [])
    memory.keep(key(1), kept(6))
    assert memory.get(key(1)) is None
    memory.keep(key(1), kept(7))
    assert memory.get(key(1)) is not None


def test_it_holds_no_more_than_it_was_given_and_forgets_the_oldest_first() -> None:
    memory = Memory(40_000)
    for number in range(100):
        memory.keep(key(number), kept(size=1_000))
        memory.get(key(0))
        assert memory.bytes <= 40_000
    assert memory.get(key(0)) is not None, "asked for again and again"
    assert memory.get(key(1)) is None
    assert memory.get(key(99)) is not None
    memory.keep(key(200), kept(size=30_000))
    assert memory.get(key(200)) is None, "one answer takes no more than half"
    memory.clear()
    assert (memory.bytes, memory.count) == (0, 0)


def test_a_compressed_answer_counts_too() -> None:
    memory = Memory(1_000_000)
    one = kept(size=100)
    memory.keep(key(1), one)
    before = memory.bytes
    one.encoded["gzip"] = Sent('"x-gzip"', [], b"y" * 50)
    memory.grown(key(1), one, 50)
    assert memory.bytes == before + 50
    memory.forget(key(1))
    assert memory.bytes == 0
    memory.grown(key(1), one, 50)
    assert memory.bytes == 0, "it was forgotten meanwhile"
