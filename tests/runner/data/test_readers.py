import gzip
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data import streams
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.files import files_of, root_of
from sixnd.runner.data.readers import Origin, read_file
from tests.runner.data.needs import needs

ORIGIN = Origin("s", "CC0-1.0")
LINES = "".join(json.dumps({"text": f"text {i}", "id": f"d{i}"}) + "\n" for i in range(2000)).encode()


def all_of(folder: Path, pattern: str = "**", origin: Origin = ORIGIN) -> tuple[list[Document], dict[str, int]]:
    damage, root = DamageLog(), root_of(pattern, folder)
    paths = files_of(pattern, folder, damage)
    found = [d for path in paths for d in read_file(path, origin, damage, path.relative_to(root).as_posix())]
    return found, {one.kind: one.count for one in damage.found()}


def test_each_document_carries_source_licence_and_place(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"text": "one"}\n\n{"text": "two", "licence": "MIT", "language": "de", "id": "x"}\n'
    )
    (one, two), damage = all_of(tmp_path)
    assert one == Document("a.jsonl:1", "one", "CC0-1.0", "s", None, "a.jsonl", 1)
    assert two == Document("x", "two", "MIT", "s", "de", "a.jsonl", 3)
    assert damage == {}


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_packed_lines_are_the_lines(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a{ending}").write_bytes(packed(ending, LINES))
    found, damage = all_of(tmp_path)
    assert [d.text for d in found] == [f"text {i}" for i in range(2000)]
    assert damage == {}


def packed(ending: str, content: bytes) -> bytes:
    if ending.endswith(".gz"):
        return gzip.compress(content)
    if ending.endswith(".zst"):
        zstandard = pytest.importorskip("zstandard")
        half = len(content) // 2
        return b"".join(zstandard.ZstdCompressor().compress(part) for part in (content[:half], content[half:]))
    return content


@pytest.mark.parametrize("ending", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_truncated_file_gives_what_is_whole_and_is_named(tmp_path: Path, ending: str, share: float) -> None:
    noisy = "".join(json.dumps({"text": os.urandom(20).hex()}) + "\n" for _ in range(20000)).encode()
    whole = packed(ending, noisy)
    (tmp_path / f"a{ending}").write_bytes(whole[: int(len(whole) * share)])
    (tmp_path / "b.jsonl").write_text('{"text": "after"}\n')
    found, damage = all_of(tmp_path)
    assert damage == {"truncated file": 1}
    assert 20000 * share * 0.5 < len(found) < 20000
    assert all(d.text == "after" or len(d.text) == 40 for d in found)
    assert "after" in {d.text for d in found}


@pytest.mark.parametrize("ending", [".jsonl.gz", ".jsonl.zst"])
def test_bytes_that_are_not_of_the_format_are_named(tmp_path: Path, ending: str) -> None:
    if ending.endswith("zst"):
        pytest.importorskip("zstandard")
    (tmp_path / f"a{ending}").write_bytes(b"this is not packed")
    assert all_of(tmp_path) == ([], {"damaged file": 1})


def test_bad_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = [b'{"text": "\xff"}', b"{", b"[1]", b'{"no": 1}', b'{"text": 3}', b'{"text": ""}', b'{"text": "\\ud800"}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([b'{"text": "first"}', *bad, b'{"text": "last"}']))
    found, damage = all_of(tmp_path)
    assert [d.text for d in found] == ["first", "last"]
    assert damage == {
        "not UTF-8": 1,
        "not JSON": 1,
        "not a JSON object": 1,
        "no text under 'text'": 2,
        "empty text": 1,
        "not Unicode text": 1,
    }


def test_a_line_over_the_limit_is_passed_over_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Watched(io.BytesIO):
        def readline(self, size: int = -1) -> bytes:  # type: ignore[override]
            asked.append(size)
            return super().readline(size)

    long = Watched(b"a\n" + b"x" * 3_000_000 + b"\nb\n")
    assert list(streams.lines(long, 1000)) == [(1, b"a"), (2, None), (3, b"b")]
    assert 0 < max(asked) <= 1 << 20
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n{"text": "' + b"x" * 2000 + b'"}\n{"text": "b"}\n')
    found, damage = all_of(tmp_path, origin=Origin("s", "l", longest_bytes=1000))
    assert [d.text for d in found] == ["a", "b"]
    assert damage == {"longer than 1,000 bytes": 1}


def test_a_line_of_100_mb_costs_no_100_mb(tmp_path: Path) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.write(b'{"text": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"text": "after"}\n')
    tracemalloc.start()
    found, damage = all_of(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [d.text for d in found] == ["after"]
    assert damage == {"longer than 33,554,432 bytes": 1}
    assert peak < 75e6


def test_text_trees_are_read_in_an_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/c.txt", "a.md", "b/d.rst"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found, _ = all_of(tmp_path)
    assert sorted(d.text for d in found) == ["a.md", "b/c.txt", "b/d.rst"]
    copy = tmp_path / "elsewhere"
    (tmp_path / "b").rename(copy)
    copy.rename(tmp_path / "b")
    assert [d.text for d in all_of(tmp_path)[0]] == [d.text for d in found]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.txt", {"a.txt"}),
        ("**/*.txt", {"a.txt", "x/b.txt", "x/y/c.txt"}),
        ("x", {"x/b.txt", "x/y/c.txt", "x/y/[d].md"}),
        ("x/*/c.txt", {"x/y/c.txt"}),
        ("?.txt", {"a.txt"}),
        ("x/y/[!a-c]*", {"x/y/[d].md"}),
        ("a.txt", {"a.txt"}),
    ],
)
def test_patterns_mean_what_globs_mean(tmp_path: Path, pattern: str, names: set[str]) -> None:
    for name in ("a.txt", "x/b.txt", "x/y/c.txt", "x/y/[d].md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert {d.text for d in all_of(tmp_path, pattern)[0]} == names


def test_links_that_loop_and_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary.dat").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    found, damage = all_of(tmp_path)
    assert [d.text for d in found] == ["good"]
    assert damage == {
        "empty file": 1,
        "not UTF-8": 1,
        "symbolic link to a folder that holds it": 1,
        "too many levels of symbolic links": 1,
        "no such file or directory": 1,
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "a.txt").chmod(0)
    assert all_of(tmp_path) == ([], {"may not be read": 1})


@needs("pyarrow")
def test_parquet_gives_its_rows_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [f"text {i}" for i in range(700)] + [None, ""]
    pq.write_table(pa.table({"text": texts, "url": ["u"] * 702}), tmp_path / "a.parquet", row_group_size=300)
    found, damage = all_of(tmp_path)
    assert [d.text for d in found] == texts[:700]
    assert found[400].offset == 400
    assert damage == {"no text under 'text'": 1, "empty text": 1}
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: len(whole) // 2])
    assert all_of(tmp_path) == ([], {"damaged file": 1})


@needs("fastwarc", "resiliparse")
@pytest.mark.parametrize("ending", [".warc", ".warc.gz"])
def test_warc_pages_give_their_main_text(tmp_path: Path, ending: str) -> None:
    menu = "<nav><a href='/'>Home</a></nav>"
    pages = [f"<html><body>{menu}<main><p>Größe der Seite {i}.</p></main></body></html>" for i in range(3)]
    records = b"".join(warc_record(page.encode("latin-1"), i, ending) for i, page in enumerate(pages))
    records += warc_record(b"%PDF", 3, ending, "application/pdf")
    (tmp_path / f"a{ending}").write_bytes(records)
    found, damage = all_of(tmp_path)
    assert [d.text.strip() for d in found] == [f"Größe der Seite {i}." for i in range(3)]
    assert len({d.id for d in found}) == len({d.offset for d in found}) == 3
    assert damage == {}
    (tmp_path / f"a{ending}").write_bytes(records[: len(records) // 2])
    found, damage = all_of(tmp_path)
    assert 1 <= len(found) < 3
    assert sum(damage.values()) == 1


@needs("fastwarc", "resiliparse")
@pytest.mark.parametrize("ending", [".warc", ".warc.gz"])
@pytest.mark.parametrize("last", ["response", "metadata"])
@pytest.mark.parametrize("missing", [5, 60, 230])
def test_a_last_record_that_is_cut_is_named_wherever_and_whatever_it_is(
    tmp_path: Path, ending: str, last: str, missing: int
) -> None:
    page = b"<html><body><main><p>A page of text.</p></main></body></html>"
    cut = warc_record(page, 1, ending, last=last)
    missing = missing if ending == ".warc" else min(missing, len(cut) - 10)
    (tmp_path / f"a{ending}").write_bytes(warc_record(page, 0, ending) + cut[:-missing])
    found, damage = all_of(tmp_path)
    assert found[0].text.strip() == "A page of text."
    assert len(found) == 1 or (missing, last) == (5, "response"), "what is whole is read"
    assert damage == {"truncated file": 1}


@needs("fastwarc", "resiliparse")
def test_a_page_that_the_parser_gives_up_on_is_named_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resiliparse.extract.html2text as extract

    def fails_once(tree: object, **_: object) -> str:
        if "first" in str(tree):
            raise RuntimeError("a nested element too many")
        return "second"

    monkeypatch.setattr(extract, "extract_plain_text", fails_once)
    pages = [f"<html><body><p>{name}</p></body></html>".encode() for name in ("first", "second")]
    (tmp_path / "a.warc").write_bytes(b"".join(warc_record(page, i, ".warc") for i, page in enumerate(pages)))
    found, damage = all_of(tmp_path)
    assert [d.text for d in found] == ["second"]
    assert damage == {"not HTML that can be parsed": 1}


@needs("fastwarc", "resiliparse")
def test_a_character_set_that_does_not_exist_does_not_end_the_work(tmp_path: Path) -> None:
    page = b"<html><body><main><p>A page of text.</p></main></body></html>"
    record = warc_record(page, 0, ".warc", "text/html; charset=klingon-8")
    (tmp_path / "a.warc").write_bytes(record + warc_record(page, 1, ".warc"))
    found, damage = all_of(tmp_path)
    assert len(found) + sum(damage.values()) == 2


def warc_record(
    body: bytes, number: int, ending: str, kind: str = "text/html; charset=iso-8859-1", last: str = "response"
) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {last}\r\nWARC-Target-URI: http://example.com/\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-00000000000{number}>\r\n"
        "WARC-Date: 2024-01-01T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    record = head.encode() + http + b"\r\n\r\n"
    return gzip.compress(record) if ending.endswith(".gz") else record


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_unicode_comes_back_from_json_lines_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ["first", *texts]))
    found, damage = all_of(folder)
    assert [d.text for d in found] == ["first", *texts]
    assert damage == {}
