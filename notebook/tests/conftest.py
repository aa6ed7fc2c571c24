"""What the tests share: the repository's fixtures, and a page that speaks to a widget by its messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "notebook"))  # (behind an installed vitscope)

FIXTURES = ROOT / "tests" / "fixtures"


class Page:
    """The other end of a widget: keeps what it is sent, and sends what a page would."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        widget.send = lambda content, buffers=None: self.heard.append((content, list(buffers or [])))

    def say(self, content: dict[str, Any], *buffers: bytes) -> tuple[dict[str, Any], list[bytes]] | None:
        """Sends a message; what was said to it at once."""
        before = len(self.heard)
        self.widget._handle_custom_msg(content, list(buffers))
        return self.heard[-1] if len(self.heard) > before else None

    def asked(self) -> list[dict[str, Any]]:
        """The questions that it heard."""
        return [content for content, _ in self.heard if content["kind"] == "ask"]

    def answer(self, question: dict[str, Any], meta: dict[str, Any], data: bytes = b"", part: int = 500_000) -> None:
        """Answers in parts."""
        for begin in range(0, max(len(data), 1), part):
            first = {"meta": meta} if begin == 0 else {}
            message = {"kind": "answer", "id": question["id"], "begin": begin, "size": len(data), **first}
            self.say(message, data[begin : begin + part])


@pytest.fixture
def page() -> type[Page]:
    return Page


@pytest.fixture
def photo() -> Path:
    return next((ROOT / "www" / "samples").rglob("*.jpg"))


@pytest.fixture
def widget(photo: Path) -> Any:
    import vitscope

    return vitscope.explore(FIXTURES / "hf_vit", photo)
