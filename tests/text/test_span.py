from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from planish.text.span import Span, longest_without_overlap

SPANS = st.lists(
    st.builds(lambda start, length: Span(start, start + length, "x"), st.integers(0, 20), st.integers(1, 8))
)


@given(SPANS)
def test_kept_spans_stand_in_order_and_share_no_character(spans: list[Span]) -> None:
    kept = longest_without_overlap(spans)
    assert all(first.end <= second.start for first, second in pairwise(kept))


@given(SPANS)
def test_every_span_is_kept_or_gives_way_to_one_further_left_or_longer(spans: list[Span]) -> None:
    kept = longest_without_overlap(spans)
    assert set(kept) <= set(spans)
    for span in set(spans) - set(kept):
        assert any(
            other.start < span.start < other.end or (other.start == span.start and other.end > span.end)
            for other in kept
        )
