import json

import pytest

from sixnd.runner.data.findings import Finding, read_findings, write_findings
from sixnd.runner.data.signature import Signatures
from sixnd.runner.data.stage import Kept
from sixnd.specs.errors import InvalidDataError
from tests.runner.data.corpus_pass import numbered, sign, stage

EXACT = stage("exact-dedup")
DOCUMENTS = numbered(["one", "two", "01234", "three"])
FOUND = [Finding(1, "d1", "d0", "like d0"), Finding(2, "d2", "d0", "cut", ((1, 2), (3, 4)))]


@pytest.fixture
def found(tmp_path):
    paths = [tmp_path / "found-0", tmp_path / "found-1"]
    signed = sign(EXACT, [DOCUMENTS[:2], DOCUMENTS[2:]], tmp_path)
    write_findings(EXACT, Signatures(signed, EXACT), paths, FOUND)
    return paths


def test_every_shard_has_its_own_findings_with_places_in_it(found):
    (head, first), (_, second) = (read_findings(path) for path in found)
    assert head["documents"] == 2
    assert [*first, *second] == [FOUND[0], Finding(0, "d2", "d0", "cut", ((1, 2), (3, 4)))]


def test_whole_documents_go_and_others_are_cut(found):
    first, second = (EXACT.remover(path) for path in found)
    assert first.apply(DOCUMENTS[0]) == Kept(DOCUMENTS[0])
    assert first.apply(DOCUMENTS[1]).detail == "like d0"
    outcome = second.apply(DOCUMENTS[2])
    assert (outcome.document.text, outcome.edits) == ("024", {"passages cut": 2})
    first.finish()


def test_other_documents_than_those_signed_are_refused(found):
    remover = EXACT.remover(found[1])
    with pytest.raises(InvalidDataError, match="document 0 is now 'd0', it was 'd2' when exact-dedup read it"):
        remover.apply(DOCUMENTS[0])


def test_fewer_documents_or_others_that_nothing_was_found_of_are_refused_at_the_end(found):
    few = EXACT.remover(found[0])
    few.apply(DOCUMENTS[0])
    with pytest.raises(InvalidDataError, match="these 1 documents are not the 2 that exact-dedup read"):
        few.finish()
    other = EXACT.remover(found[1])
    other.apply(DOCUMENTS[2])
    other.apply(DOCUMENTS[0])
    with pytest.raises(InvalidDataError, match="these 2 documents are not the 2"):
        other.finish()


def test_findings_of_other_settings_are_refused(found):
    with pytest.raises(InvalidDataError, match="was found by other settings"):
        stage("exact-dedup", ignore_case=True).remover(found[0])


@pytest.mark.parametrize("text", ["", "{}\n", '{"stage": "x"\n', "\0\n"])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "found").write_text(text)
    with pytest.raises(InvalidDataError, match="found"):
        read_findings(tmp_path / "found")


def test_a_damaged_line_is_told(found):
    head = found[0].read_text().splitlines()[0]
    assert json.loads(head)["stage"] == "exact-dedup"
    found[0].write_text(head + "\nnot JSON\n")
    with pytest.raises(InvalidDataError, match="is damaged"):
        EXACT.remover(found[0])
