"""The response cache stores, evicts and invalidates responses. The tests use no database."""

import tracemalloc

from app.cache.responses import CachedResponse, ChangeImpact, EncodedBody, RequestKey, ResponseCache
from app.cache.scope import CacheScope

CLAIM = {"id": "a", "category": "killed", "subject": "army", "place": "war", "source": "ministry"}


def make_response(seq: int = 1, size: int = 10, **about: str) -> CachedResponse:
    fields = {name: frozenset({word}) for name, word in about.items()}
    return CachedResponse(CacheScope(seq, fields), is_compressible=False, identity=EncodedBody('"x"', [], b"x" * size))


def make_key(number: int) -> RequestKey:
    return (f"/{number}", b"", "")


def test_a_new_claim_touches_only_answers_that_speak_of_its_like() -> None:
    new = ChangeImpact(2, claim_fields=CLAIM)
    assert new.affects(None)
    assert new.affects({})
    assert new.affects({"category": frozenset({"killed", "wounded"}), "source": frozenset({"ministry"})})
    assert not new.affects({"category": frozenset({"killed"}), "source": frozenset({"institute"})})
    assert not new.affects({"id": frozenset({"b"})})


def test_a_new_document_touches_only_what_speaks_of_everything() -> None:
    assert ChangeImpact(2, affects_no_claim=True).affects(None)
    assert not ChangeImpact(2, affects_no_claim=True).affects({})
    assert ChangeImpact(2).affects({"id": frozenset({"b"})}), "of any other change nothing is known"


def test_what_a_change_touches_is_forgotten_and_the_rest_stays_true() -> None:
    memory = ResponseCache(1_000_000)
    memory.store(make_key(1), make_response(category="killed"))
    memory.store(make_key(2), make_response(category="wounded"))
    memory.store(make_key(3), make_response(5, category="killed"))
    memory.advance(5, [ChangeImpact(5, claim_fields=CLAIM)])
    assert (memory.get(make_key(1)), memory.seq, memory.invalidated) == (None, 5, 1)
    assert memory.get(make_key(2)) is not None
    assert memory.get(make_key(3)) is not None, "it was read after that change"


def test_an_answer_from_before_what_is_known_is_not_kept() -> None:
    memory = ResponseCache(1_000_000)
    memory.advance(7, [])
    memory.store(make_key(1), make_response(6))
    assert memory.get(make_key(1)) is None
    memory.store(make_key(1), make_response(7))
    assert memory.get(make_key(1)) is not None


def test_it_holds_no_more_than_it_was_given_and_forgets_the_oldest_first() -> None:
    memory = ResponseCache(40_000)
    for number in range(100):
        memory.store(make_key(number), make_response(size=1_000))
        memory.get(make_key(0))
        assert memory.size_bytes <= 40_000
    assert memory.get(make_key(0)) is not None, "asked for again and again"
    assert memory.get(make_key(1)) is None
    assert memory.get(make_key(99)) is not None
    memory.store(make_key(200), make_response(size=30_000))
    assert memory.get(make_key(200)) is None, "one answer takes no more than half"
    memory.clear()
    assert (memory.size_bytes, memory.count) == (0, 0)


def test_a_compressed_answer_counts_too() -> None:
    memory = ResponseCache(1_000_000)
    one = make_response(size=100)
    memory.store(make_key(1), one)
    before = memory.size_bytes
    compressed = one.by_encoding["gzip"] = EncodedBody('"x-gzip"', [(b"etag", b'"x-gzip"')], b"y" * 50)
    memory.add_bytes(make_key(1), one, compressed.size_bytes)
    assert memory.size_bytes == before + compressed.size_bytes
    assert compressed.size_bytes > 50 + 2 * len(compressed.lines)
    memory.remove(make_key(1))
    assert memory.size_bytes == 0
    memory.add_bytes(make_key(1), one, 50)
    assert memory.size_bytes == 0, "it was forgotten meanwhile"


def test_the_size_is_that_in_memory() -> None:
    """What is stored is counted with its headers, and the cache never holds much more than it says."""
    memory = ResponseCache(100_000_000)
    headers = [(b"header-%d" % number, b"value-%d" % number) for number in range(10)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(500):
            own = [(bytes(bytearray(name)), bytes(bytearray(value))) for name, value in headers]
            body = EncodedBody(f'"{number}"', own, bytes(1_000))
            scope = CacheScope(1, {"id": frozenset({f"{number:036}"})})
            memory.store(make_key(number), CachedResponse(scope, is_compressible=False, identity=body))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.8 * held < memory.size_bytes < 1.4 * held
