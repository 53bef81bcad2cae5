"""A watch that delivers is well however much changes; one that does not is found out."""

from __future__ import annotations

from streammonitor_operator.delivery import LATE_S, Delivery, versions


def test_all_is_told_when_the_first_list_was() -> None:
    delivery = Delivery("things")
    assert not delivery.has_told_all

    delivery.tell("a", "1", 0.0)
    delivery.compare({"a": "1", "b": "1"}, 0.1)
    assert not delivery.has_told_all

    delivery.tell("b", "2", 0.2)
    assert delivery.has_told_all


def test_empty_cluster_is_told_at_once() -> None:
    delivery = Delivery("things")

    delivery.compare({}, 0.0)

    assert delivery.has_told_all


def test_what_was_deleted_before_it_was_told_is_not_awaited() -> None:
    delivery = Delivery("things")
    delivery.compare({"a": "1"}, 0.0)

    delivery.compare({}, 30.0)

    assert delivery.has_told_all


def test_change_that_is_not_told_in_time_means_a_dead_watch() -> None:
    delivery = Delivery("things")
    delivery.tell("a", "1", 0.0)
    delivery.compare({"a": "2"}, 10.0)

    assert delivery.problem(10.0 + LATE_S) is None
    problem = delivery.problem(11.0 + LATE_S)

    assert problem is not None
    assert problem.startswith(
        "the watch of things is dead: 1 changed more than 45 s ago and it did"
    )


def test_object_that_was_never_told_means_a_dead_watch() -> None:
    delivery = Delivery("things")
    delivery.compare({"a": "1"}, 0.0)

    assert delivery.problem(LATE_S + 1) is not None


def test_late_change_that_comes_after_all_is_well() -> None:
    delivery = Delivery("things")
    delivery.tell("a", "1", 0.0)
    delivery.compare({"a": "2"}, 10.0)
    delivery.tell("a", "2", 50.0)

    delivery.compare({"a": "2"}, 60.0)

    assert delivery.problem(60.0) is None


def test_object_that_keeps_changing_is_not_late() -> None:
    delivery = Delivery("things")

    for turn in range(10):
        delivery.tell("a", str(2 * turn), 30.0 * turn)
        delivery.compare({"a": str(2 * turn + 1)}, 30.0 * turn + 20)
        assert delivery.problem(30.0 * turn + 20) is None


def test_late_change_that_was_told_is_no_problem_before_the_next_list() -> None:
    delivery = Delivery("things")
    delivery.tell("a", "1", 0.0)
    delivery.compare({"a": "2"}, 10.0)

    delivery.tell("a", "2", 12.0)

    assert delivery.problem(11.0 + LATE_S) is None


def test_long_beginning_is_not_a_dead_watch() -> None:
    delivery = Delivery("things")
    delivery.compare({f"t{number}": "1" for number in range(9)}, 0.0)

    for number in range(8):
        delivery.tell(f"t{number}", "1", 20.0 * number)
        assert delivery.problem(20.0 * number) is None

    assert delivery.problem(140.0 + LATE_S) is None
    assert delivery.problem(141.0 + LATE_S) is not None


def test_what_two_lists_lack_is_gone() -> None:
    delivery = Delivery("things")
    delivery.tell("a", "1", 0.0)
    delivery.tell("b", "1", 0.0)

    assert delivery.compare({"b": "1"}, 30.0) == []
    assert delivery.compare({"b": "1"}, 60.0) == ["a"]
    assert delivery.compare({"b": "1"}, 90.0) == []


def test_object_that_is_newer_than_the_list_is_not_gone() -> None:
    delivery = Delivery("things")
    delivery.compare({}, 0.0)
    delivery.tell("a", "1", 1.0)

    assert delivery.compare({}, 30.0) == []
    assert delivery.compare({"a": "1"}, 60.0) == []
    assert delivery.compare({}, 90.0) == []


def test_told_deletion_is_no_problem() -> None:
    delivery = Delivery("things")
    delivery.tell("a", "1", 0.0)
    delivery.compare({"a": "2"}, 10.0)

    delivery.tell_gone("a")

    assert delivery.problem(100.0) is None


def test_versions_are_those_of_the_list() -> None:
    listed = [{"namespace": "n", "name": "a", "resourceVersion": "7"}]

    assert versions(listed) == {"n/a": "7"}
