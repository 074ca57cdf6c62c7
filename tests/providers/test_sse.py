"""Cutting byte streams into events and lines."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from umwelten.providers.common.sse import LineSplitter, SseSplitter


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(bounds)]


def events(chunks: list[bytes]) -> list[tuple[str, bytes]]:
    splitter = SseSplitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)] + splitter.flush()


def test_events_carry_their_name_and_data() -> None:
    assert events([b"event: error\ndata: {}\n\ndata: a\n\n"]) == [("error", b"{}"), ("", b"a")]


def test_every_line_end_ends_a_line() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        assert events([b"data: a" + end + end + b"data: b" + end + end]) == [("", b"a"), ("", b"b")]


def test_a_line_end_of_two_bytes_may_be_cut_in_the_middle() -> None:
    stream = b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"
    for place in range(len(stream)):
        assert events([stream[:place], stream[place:]]) == [("", b"a\nb"), ("", b"c")]


def test_comments_ids_and_empty_events_are_left_out() -> None:
    stream = b": OPENROUTER PROCESSING\n\n: keep-alive\nid: 7\nretry: 10\n\nevent: ping\n\ndata: x\n\n"
    assert events([stream]) == [("", b"x")]


def test_several_data_lines_are_one_event() -> None:
    assert events([b"data: a\ndata:b\ndata\n\n"]) == [("", b"a\nb\n")]


def test_one_blank_after_the_colon_belongs_to_the_format_and_no_more() -> None:
    assert events([b"data:  two\n\n"]) == [("", b" two")]


def test_an_event_that_the_end_of_the_stream_cut_short_of_its_empty_line_is_given_on_flush() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: [DONE]") == []
    assert splitter.flush() == [("", b"[DONE]")]
    assert splitter.flush() == []


def test_a_byte_order_mark_is_not_part_of_the_first_field() -> None:
    assert events([b"\xef\xbb", b"\xbfdata: a\n\n"]) == [("", b"a")]


def test_bytes_that_are_not_utf8_pass_through() -> None:
    assert events([b"event: \xff\ndata: \xfe\xff\n\n"]) == [("\ufffd", b"\xfe\xff")]


def test_a_line_longer_than_the_limit_is_dropped_and_reported_and_the_next_is_read() -> None:
    splitter = SseSplitter(limit=100)
    for _ in range(50):
        assert splitter.feed(b"x" * 10) == []
    assert splitter.overflowed
    assert splitter.feed(b"\n\ndata: ok\n\n") == [("", b"ok")]


def test_an_event_of_many_lines_beyond_the_limit_is_dropped_and_reported() -> None:
    splitter = SseSplitter(limit=100)
    for _ in range(50):
        splitter.feed(b"data: 12345\n")
    assert splitter.overflowed
    assert all(len(data) <= 100 for _, data in splitter.feed(b"\n"))


def test_lines_of_json_come_whole_and_empty_ones_are_left_out() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b'{"a":1}\n\n{"b"') == [b'{"a":1}']
    assert splitter.feed(b":2}\r\n") == [b'{"b":2}']
    assert splitter.feed(b'{"error":"x"}') == []
    assert splitter.flush() == [b'{"error":"x"}']


STREAM_BYTES = st.lists(
    st.sampled_from([b"data", b"event", b":", b" ", b"\n", b"\r", b"a", b"\xc3", b"\xa9", b"\xef\xbb\xbf"])
).map(b"".join)


@given(STREAM_BYTES | st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_where_the_chunks_were_cut_never_matters(data: bytes, places: list[int]) -> None:
    whole = events([data])
    assert events(cut(data, places)) == whole
    assert events([data[i : i + 1] for i in range(len(data))]) == whole


@given(st.lists(st.text(min_size=1).map(lambda text: json.dumps(text, ensure_ascii=False))), st.data())
def test_lines_that_were_written_are_read_wherever_they_were_cut(
    texts: list[str], data: st.DataObject
) -> None:
    body = "\n".join(texts).encode()
    places = data.draw(st.lists(st.integers(0, max(1, len(body)))))
    splitter = LineSplitter()
    read = [line for chunk in cut(body, places) for line in splitter.feed(chunk)] + splitter.flush()
    assert [json.loads(line) for line in read] == [json.loads(text) for text in texts]
