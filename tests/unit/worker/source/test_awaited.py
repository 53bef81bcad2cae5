"""Pictures that a decoder dropped without a word are noticed when a later one comes."""

from __future__ import annotations

from streammonitor_worker.source.awaited import AwaitedPictures


def sent(*stamps: int, awaited: AwaitedPictures | None = None) -> AwaitedPictures:
    awaited = awaited or AwaitedPictures()
    for stamp in stamps:
        awaited.send(stamp)
    return awaited


def test_reordered_pictures_that_all_come_are_not_missed() -> None:
    awaited = sent(0, 4, 2, 1, 3)

    assert [awaited.show(stamp) for stamp in range(5)] == [[]] * 5


def test_dropped_pictures_are_told_when_a_later_one_comes() -> None:
    awaited = sent(0, 4, 2, 1, 3)

    assert awaited.show(0) == []
    assert awaited.show(3) == [1, 2]
    assert awaited.show(4) == []


def test_what_precedes_the_first_picture_is_not_missed() -> None:
    awaited = sent(5, 3, 4)

    assert awaited.show(5) == []


def test_emptied_decoder_owes_nothing() -> None:
    awaited = sent(0, 1, 2)
    awaited.show(0)

    awaited.forget()
    sent(3, awaited=awaited)

    assert awaited.show(3) == []


def test_decoder_that_never_shows_anything_takes_no_memory() -> None:
    awaited = sent(0)
    awaited.show(0)
    sent(*range(1, 10_000), awaited=awaited)

    assert len(awaited.show(10_000)) == 64
