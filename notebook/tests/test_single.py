"""The single file: what is put in is what the widget has, and what was there before stays until it is whole."""

from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np
import pytest
from conftest import FIXTURES, ROOT, Page

import vitscope
from vitscope import VitscopeError, assets, single

TEMPLATE = "<title>VITSCOPE-TITLE</title><h1>VITSCOPE-TITLE</h1><body><!-- parts --></body>"
INT8 = ROOT / "models" / "vitscope-tiny"


@pytest.fixture(autouse=True)
def static(tmp_path, monkeypatch):
    """A template with the places of the real one, which a build makes."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "export.html.gz").write_bytes(gzip.compress(TEMPLATE.encode()))
    monkeypatch.setattr(assets, "STATIC", folder)


def parts_of(path) -> dict[str, tuple[str, bytes]]:
    """As the document's script reads them: type and bytes by name."""
    found = re.findall(
        r'<script type="text/plain" id="part:([^"]+)" data-type="([^"]*)">([^<]*)</script>', path.read_text("utf-8")
    )
    return {name: (type, gzip.decompress(base64.b64decode(data))) for name, type, data in found}


def test_a_model_in_int8_is_written_at_once(tmp_path, photo):
    widget = vitscope.explore({"<tiny> & co": INT8}, photo, view="class", layer=2, head=1, target=3, query=[2, 5])
    handle = widget.to_html(tmp_path / "heads.html")
    assert handle.result == tmp_path / "heads.html"
    assert f"<h1>&lt;tiny&gt; &amp; co: {photo.name}</h1>" in handle.result.read_text("utf-8")
    parts = parts_of(handle.result)
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        assert (name in parts) == (INT8 / name).exists()
        assert not (INT8 / name).exists() or parts[name][1] == (INT8 / name).read_bytes()
    assert parts["photo"] == ("image/jpeg", photo.read_bytes())
    state = json.loads(parts["state.json"][1])
    assert state["models"] == ["<tiny> & co"] and state["photo"] == photo.name
    assert [state[name] for name in ("view", "layer", "head", "target", "query")] == ["class", 2, 1, 3, [2, 5]]
    assert (tmp_path / "heads.html").read_bytes() == widget.to_html(tmp_path / "again.html").result.read_bytes()


def test_others_are_asked_of_the_page(tmp_path):
    """Both must have come; pixel values go with the picture that shows them."""
    values = np.linspace(-1, 1, 3 * 24 * 24, dtype=np.float32).reshape(3, 24, 24)
    widget = vitscope.explore([FIXTURES / "hf_vit", FIXTURES / "timm_vit"], values)
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.to_html(tmp_path / "two.html")
    first, second = page.asked()
    assert [(each["method"], each["model"]) for each in (first, second)] == [("quantize", 0), ("quantize", 1)]
    page.answer(second, {}, b"second's weights")
    assert not handle.done and not (tmp_path / "two.html").exists()
    page.answer(first, {}, b"first's weights")
    parts = parts_of(handle.result)
    assert parts["model.safetensors"][1] == b"first's weights"
    assert parts["second/model.safetensors"][1] == b"second's weights"
    assert parts["second/config.json"][1] == (FIXTURES / "timm_vit" / "config.json").read_bytes()
    assert "second/preprocessor_config.json" not in parts
    assert parts["pixels"][1] == values.tobytes()
    assert parts["photo"][0] == "image/png"
    assert json.loads(parts["state.json"][1])["shape"] == [3, 24, 24]


def test_a_failure_leaves_what_was_there(tmp_path, widget):
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    path = tmp_path / "heads.html"
    path.write_text("before")
    handle = widget.to_html(path)
    page.say({"kind": "failed", "id": page.asked()[0]["id"], "code": "out-of-memory", "text": "There is no room."})
    with pytest.raises(VitscopeError, match="no room"):
        _ = handle.result
    assert path.read_text() == "before"
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        widget.to_html(tmp_path / "nowhere" / "heads.html")
    with pytest.raises(IsADirectoryError, match=r"is a folder; name the file"):
        widget.to_html(tmp_path)
    assert len(page.asked()) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["heads.html", "static"]


def test_a_name_can_end_no_element():
    text = single.document(
        TEMPLATE, "</title><script>", [('x"><script>', "a/b", vitscope.blobs.Blob.of_bytes(b"</script>"))]
    )
    assert text.count("<script") == 1 and text.count("</script>") == 1
