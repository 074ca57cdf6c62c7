"""Which worker gets the next attempt, which are silent, and which are gone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.membership import LOOK_S, LOST_S, SUSPECT_S, Member, Membership, Standing

PLACE = WorkerPlace(node="node", address="127.0.0.1", pid=1)


def _workers(number: int, room: int = 1_000) -> tuple[Membership, list[Member]]:
    membership = Membership()
    members = [membership.join(n, PLACE, 0.0) for n in range(1, number + 1)]
    for member in members:
        membership.greet(member, room)
    return membership, members


def _choose(membership: Membership, sticky: str | None = None) -> Member:
    member = membership.choose(sticky)
    assert member is not None
    return member


def _answer(membership: Membership, member: Member, now: float) -> None:
    membership.hear(member, now)
    membership.load(member, 1.0, 0.0, heard_at=now)


def _look_until(membership: Membership, until: float, since: float = 0.0) -> list[Member]:
    lost, now = [], since
    while now <= until:
        lost += membership.look(now)
        now += LOOK_S
    return lost


def test_attempts_go_where_the_fewest_are() -> None:
    membership, members = _workers(3)
    for _ in range(30):
        membership.begin(_choose(membership), 0)
    assert [member.held for member in members] == [10, 10, 10]
    for _ in range(5):
        membership.end(members[1], 0)
    for _ in range(5):
        membership.begin(_choose(membership), 0)
    assert [member.held for member in members] == [10, 10, 10]


def test_large_inputs_count_like_calls_up_to_a_bound() -> None:
    membership, members = _workers(2)
    membership.begin(_choose(membership), 50_000_000)
    chosen = Counter[int]()
    for _ in range(30):
        member = _choose(membership)
        chosen[member.number] += 1
        membership.begin(member, 1_000)
    assert chosen[2] > chosen[1] > 0
    membership.end(members[0], 50_000_000)
    assert members[0].weight == 0.0


def test_a_slow_worker_gets_fewer_attempts_and_recovers() -> None:
    membership, members = _workers(2)

    def answer(times: int, slow_s: float) -> None:
        for _ in range(times):
            for member, took_s in zip(members, (slow_s, 1.0), strict=True):
                membership.begin(member, 0)
                membership.end(member, 0, "lane", took_s)

    def shares() -> list[int]:
        for _ in range(100):
            membership.begin(_choose(membership), 0)
        held = [member.held for member in members]
        for member in members:
            for _ in range(member.held):
                membership.end(member, 0)
        return held

    answer(200, 4.0)
    slow, quick = shares()
    assert 15 < slow < 45 < quick
    answer(600, 1.0)
    assert abs(shares()[0] - 50) <= 3


def test_a_worker_whose_loop_is_late_gets_fewer_attempts() -> None:
    membership, members = _workers(2)
    membership.load(members[0], cpu_s=1.0, late_s=0.3, heard_at=0.0)
    for _ in range(100):
        membership.begin(_choose(membership), 0)
    assert members[0].held < 30


def test_a_full_worker_gets_attempts_only_where_all_are_full() -> None:
    membership, members = _workers(2, room=10)
    members[1].room = 2
    for _ in range(12):
        membership.begin(_choose(membership), 0)
    assert [member.held for member in members] == [10, 2]
    assert membership.room == 12
    assert membership.choose() is not None


def test_calls_of_one_input_go_to_one_worker_whoever_else_comes_and_goes() -> None:
    membership, members = _workers(5)
    names = [f"/data/{n}.pdf 17:{n}" for n in range(200)] + ["/data/\udcff.pdf"]
    before = {name: _choose(membership, name).number for name in names}
    assert len(set(before.values())) == 5
    membership.leave(members[2])
    after = {name: _choose(membership, name).number for name in names}
    assert all(after[name] == before[name] for name in names if before[name] != 3)
    assert 3 not in after.values()


def test_a_silent_worker_is_suspect_then_lost_and_is_used_again_once_it_hears() -> None:
    membership, (silent, other) = _workers(2)
    now = 0.0

    def pass_s(seconds: float) -> list[Member]:
        nonlocal now
        lost = []
        for _ in range(round(seconds / LOOK_S)):
            now += LOOK_S
            _answer(membership, other, now)
            lost += membership.look(now)
        return lost

    assert pass_s(SUSPECT_S) == []
    assert silent.standing is Standing.USABLE
    pass_s(2.0)
    assert silent.standing is Standing.SUSPECT
    assert membership.usable == [other]
    membership.hear(silent, now)  # an old frame: it does not show that it hears
    assert silent.standing is Standing.SUSPECT
    _answer(membership, silent, now)
    assert silent.standing is Standing.USABLE
    assert silent.away_before == now
    assert pass_s(LOST_S + 1.0) == [silent]
    assert silent.standing is Standing.LOST
    membership.hear(silent, now)
    assert silent.standing is Standing.RETURNING
    membership.load(silent, 1.0, 0.0, heard_at=now - 5.0)  # it says what it heard before
    assert membership.usable == [other]
    membership.load(silent, 1.0, 0.0, heard_at=now)
    assert silent.standing is Standing.USABLE


def test_a_pause_of_this_process_makes_no_worker_silent() -> None:
    membership, members = _workers(2)
    _look_until(membership, 2.0)
    for member in members:
        _answer(membership, member, 2.0)
    assert membership.look(60.0) == []
    assert [member.standing for member in members] == [Standing.USABLE, Standing.USABLE]
    _look_until(membership, 60.0 + SUSPECT_S + 1.0, 60.5)
    assert [member.standing for member in members] == [Standing.SUSPECT, Standing.SUSPECT]


def test_a_worker_that_is_heard_and_hears_nothing_is_lost_as_well() -> None:
    membership, (deaf,) = _workers(1)
    lost, now = [], 0.0
    while now < LOST_S + 2.0:
        now += LOOK_S
        membership.hear(deaf, now)
        lost += membership.look(now)
    assert lost == [deaf]
    assert deaf.standing is Standing.LOST


def test_a_worker_that_is_gone_stays_so() -> None:
    membership, members = _workers(1)
    membership.leave(members[0])
    membership.hear(members[0], 1.0)
    membership.greet(members[0], 5)
    assert members[0].standing is Standing.GONE
    assert membership.choose() is None
    assert membership.choose("name") is None


def test_where_many_are_under_way_some_in_a_row_share_a_worker_and_none_gets_far_ahead() -> None:
    membership, members = _workers(4)
    chosen = []
    for _ in range(400):
        chosen.append(_choose(membership))
        membership.begin(chosen[-1], 0)
    oldest_first = list(chosen)
    for _ in range(2_000):
        membership.end(oldest_first.pop(0), 0)
        chosen.append(_choose(membership))
        membership.begin(chosen[-1], 0)
        oldest_first.append(chosen[-1])
        held = [member.held for member in members]
        assert max(held) - min(held) <= 2 * 400 // (8 * 4)
    late = chosen[-1_000:]
    changes = sum(one is not other for one, other in pairwise(late))
    assert changes < 1_000 / 8


def test_attempts_in_a_row_leave_a_worker_that_falls_silent() -> None:
    membership, members = _workers(2)
    for _ in range(400):
        membership.begin(_choose(membership), 0)
    silent = _choose(membership)
    other = next(member for member in members if member is not silent)
    now = 0.0
    while silent.standing is Standing.USABLE:
        now += LOOK_S
        _answer(membership, other, now)
        membership.look(now)
    assert _choose(membership) is other
