"""The sampled hash proof: within its budget, after delivery, and without consequences for the book."""

from polycore import AssetId, BookState
from polycore.cache.hash_proof import HashProof

SECOND = 1_000_000_000


def test_a_noted_frame_is_proven_once_and_counted(world) -> None:
    world.snapshot()
    proof, asked = world.cache.books.proof, []

    def prove(frame, book):
        asked.append((frame, book.asset))
        return True

    hashes = HashProof(prove, proof, 0)
    hashes.note(b"frame", world.yes)
    hashes.settle(SECOND)
    hashes.settle(SECOND)
    assert asked == [(b"frame", "1")]
    assert (proof.hash_checked, proof.hash_agreed) == (1, 1)


def test_a_mismatch_is_counted_and_changes_nothing(world) -> None:
    world.snapshot()
    hashes = HashProof(lambda frame, book: False, world.cache.books.proof, 0)
    hashes.note(b"frame", world.yes)
    hashes.settle(SECOND)
    assert (world.cache.books.proof.hash_checked, world.cache.books.proof.hash_agreed) == (1, 0)
    assert world.cache.state(AssetId("1"))[0] is BookState.LIVE
    assert world.suspects == []


def test_a_frame_that_cannot_tell_is_not_counted(world) -> None:
    world.snapshot()
    hashes = HashProof(lambda frame, book: None, world.cache.books.proof, 0)
    hashes.note(b"frame", world.yes)
    hashes.settle(SECOND)
    assert world.cache.books.proof.hash_checked == 0


def test_a_book_that_moved_on_is_not_held_against_an_old_frame(world) -> None:
    world.snapshot()
    hashes = HashProof(lambda frame, book: True, world.cache.books.proof, 0)
    hashes.note(b"old", world.yes)
    world.change("BUY 0.48@5", best="0.48/0.52")
    hashes.settle(SECOND)
    assert world.cache.books.proof.hash_checked == 0


def test_the_budget_bounds_the_time_spent(world) -> None:
    world.snapshot()
    hashes = HashProof(lambda frame, book: True, world.cache.books.proof, 0, budget=0.01)
    hashes.spent = 11_000_000
    assert not hashes.due(SECOND), "11 ms of a second is more than one percent"
    hashes.note(b"frame", world.yes)
    hashes.settle(SECOND)
    assert world.cache.books.proof.hash_checked == 0
    assert hashes.due(2 * SECOND)


def test_only_a_live_book_is_proven(world) -> None:
    hashes = HashProof(lambda frame, book: True, world.cache.books.proof, 0)
    hashes.note(b"frame", world.yes)
    hashes.settle(SECOND)
    assert world.cache.books.proof.hash_checked == 0
