import pytest

from sixnd.runner.data.findings import Finding, Findings, Span, remaining
from sixnd.specs.errors import SixndError

FOUND = (
    Finding(1, "b", "a", "like a", 3),
    Finding(2, "c", "a", "cut", 2, (Span(1, 2, "a"), Span(3, 4, "a"))),
)
FINDINGS = Findings("test", {"x": 1}, 3, 11, FOUND)


def test_whole_documents_go_and_others_are_cut():
    left = list(remaining([("a", "one"), ("b", "two"), ("c", "01234")], FINDINGS))
    assert left == [("a", "one"), ("c", "024")]
    assert (FINDINGS.removed_documents, FINDINGS.removed_bytes) == (1, 5)


def test_other_documents_than_those_read_before_are_refused():
    with pytest.raises(SixndError, match="document 1 is now 'x', it was 'b' when test read it"):
        list(remaining([("a", ""), ("x", "")], FINDINGS))
    with pytest.raises(SixndError, match="there are now 1 documents, there were 3 in test"):
        list(remaining([("a", "")], FINDINGS))


def test_examples_are_spread_over_the_corpus():
    many = Findings("test", {}, 100, 0, tuple(Finding(i, str(i), "a", "", 0) for i in range(100)))
    assert [finding.position for finding in many.examples(4)] == [0, 25, 50, 75]
    assert len(many.examples(1000)) == 100
