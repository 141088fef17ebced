"""What an editor shows of a spec: the published schema through the real yaml-language-server.

Skipped where the npm package is not there; CONTRIBUTING says how to install it.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sixnd.specs.schema import schema

SPECS = Path(__file__).parents[2] / "specs"
EXAMPLES = sorted((SPECS / "examples").glob("*.yaml"))
MODELINE = f"# yaml-language-server: $schema={(SPECS / 'schema' / 'budget-spec.json').as_uri()}\n"


def _server() -> str | None:
    """The package's program: on the PATH, or under the folder that SIXND_NODE_MODULES names."""
    folder = os.environ.get("SIXND_NODE_MODULES")
    inside = os.path.join(folder, ".bin", "yaml-language-server") if folder else ""
    return inside if os.path.exists(inside) else shutil.which("yaml-language-server")


pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or _server() is None, reason="no node, or no npm package yaml-language-server"
)


class Editor:
    """An editor that speaks the Language Server Protocol over pipes, as far as the tests need."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._asked = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self._send({"method": "initialized", "params": {}})
        settings = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": {"yaml": settings}}})

    def open(self, file: Path, text: str) -> list[dict[str, Any]]:
        """Open a file with this text; returns what the server marks in it."""
        uri = file.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while uri not in self._diagnostics:
            self._take()
        return self._diagnostics[uri]

    def at(self, method: str, file: Path, text: str, mark: str) -> Any:
        """Ask about the place just behind ``mark`` in the text of an open file."""
        before = text[: text.index(mark) + len(mark)]
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": file.as_uri()}, "position": position})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """A request's result."""
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while True:
            told = self._take()
            if told.get("id") == self._asked and "method" not in told:
                assert "error" not in told, told
                return told["result"]

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _take(self) -> dict[str, Any]:
        """The server's next message; what it asks of an editor is answered by nothing."""
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        told: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if told.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[told["params"]["uri"]] = told["params"]["diagnostics"]
        elif "method" in told and "id" in told:
            items = told.get("params", {}).get("items") if told["method"] == "workspace/configuration" else None
            self._send({"id": told["id"], "result": None if items is None else [None] * len(items)})
        return told


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    server = _server()
    assert server is not None
    command = ["timeout", "120", server, "--stdio"]  # a server that hangs must not hold the tests
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield Editor(process)
        finally:
            process.kill()


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_nothing_is_marked_in_an_example(editor: Editor, file: Path) -> None:
    assert editor.open(file, file.read_text("utf-8")) == []


CATALOGS = sorted((SPECS / "catalogs").glob("*.yaml"))


@pytest.mark.parametrize("file", CATALOGS, ids=lambda file: file.stem)
def test_nothing_is_marked_in_a_catalog(editor: Editor, file: Path) -> None:
    assert editor.open(file, file.read_text("utf-8")) == []


def test_an_entry_of_one_s_own_is_checked_and_explained(editor: Editor, tmp_path: Path) -> None:
    modeline = f"# yaml-language-server: $schema={(SPECS / 'schema' / 'catalog.json').as_uri()}\n"
    file, text = tmp_path / "chips.yaml", modeline + "version: catalog/1\naccelerators:\n  ours:\n    pue: 0.5\n"
    found = editor.open(file, text)
    assert any("peak_flops" in each["message"] for each in found), found
    assert [
        each["range"]["start"]["line"] for each in found if "0.5" in each["message"] or "minimum" in each["message"]
    ]
    hovered = json.dumps(editor.at("hover", file, text, "    pu"))
    assert "Power usage effectiveness" in hovered


def _marked(editor: Editor, tmp_path: Path, name: str, text: str) -> list[tuple[int, str]]:
    """Line (from 1) and sentence of everything that is marked."""
    found = editor.open(tmp_path / f"{name}.yaml", MODELINE + text)
    return sorted((each["range"]["start"]["line"] + 1, each["message"]) for each in found)


def test_mistakes_are_marked_in_their_lines(editor: Editor, tmp_path: Path) -> None:
    broken = (
        "version: budget/1\nname: broken\nbugdet: {time: 3 days}\ncluster: {accelerators: 8}\ndata: {sources: []}\n"
    )
    found = _marked(editor, tmp_path, "broken", broken)
    said = "\n".join(f"{line}: {message}" for line, message in found)
    assert "budget" in said, said
    assert {4, 5, 6} <= {line for line, _ in found}, said


def test_what_the_extended_spec_may_give_is_not_asked_for(editor: Editor, tmp_path: Path) -> None:
    assert _marked(editor, tmp_path, "above", "extends: quickstart\nname: above\nbudget: {time: 28 days}\n") == []
    alone = _marked(editor, tmp_path, "alone", "name: above\nbudget: {time: 28 days}\n")
    assert any("Missing property" in message and "cluster" in message for _, message in alone), alone


def test_variables_are_declared_with_words_and_numbers_or_null(editor: Editor, tmp_path: Path) -> None:
    sound = "extends: quickstart\nname: above\nenvironment: {FOLDER: texts, SEED: 7, MUST: null}\n"
    assert _marked(editor, tmp_path, "sound", sound) == []
    listed = _marked(editor, tmp_path, "listed", "extends: quickstart\nname: above\nenvironment: [FOLDER]\n")
    assert [line for line, _ in listed] == [4]


def test_fields_and_names_of_the_catalog_are_completed(editor: Editor, tmp_path: Path) -> None:
    file, text = tmp_path / "completed.yaml", MODELINE + "extends: quickstart\nname: a\nlaw: \ntraining:\n  sch\n"
    editor.open(file, text)

    def offered(mark: str) -> set[str]:
        found = editor.at("completion", file, text, mark)
        return {each["label"] for each in (found["items"] if isinstance(found, dict) else found)}

    assert {"schedule"} <= offered("  sch")
    assert "besiroglu-2024" in offered("law: ")


@pytest.mark.parametrize("field", ["extends", "environment", "budget", "training"])
def test_a_field_s_docstring_is_shown_over_it(editor: Editor, tmp_path: Path, field: str) -> None:
    text = MODELINE + "extends: quickstart\nname: a\nenvironment: {A: 1}\nbudget: {time: 3 min}\ntraining: {seed: 3}\n"
    file = tmp_path / f"{field}.yaml"
    editor.open(file, text)
    hovered = json.dumps(editor.at("hover", file, text, f"\n{field[:4]}"), ensure_ascii=False)
    words = re.findall(r"[A-Za-z]+", schema("budget-spec")["properties"][field]["description"])
    assert words[0] in hovered  # what follows is escaped for Markdown
    assert all(word in hovered for word in words), hovered
