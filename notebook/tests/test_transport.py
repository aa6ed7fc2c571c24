"""Messages between the widget and a page: parts, answers, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
from conftest import FIXTURES, Page

from vitscope import VitscopeError, explorer, safetensors, transport
from vitscope.blobs import Blob, Changed


def pull(page: Page, name: str) -> bytes:
    """As a page gets a blob."""
    data = b""
    while True:
        content, buffers = page.say({"kind": "get", "name": name, "begin": len(data)})
        assert content["kind"] == "part" and content["begin"] == len(data)
        assert len(buffers[0]) <= transport.PART
        data += bytes(buffers[0])
        if len(data) >= content["size"]:
            return data


def test_every_blob_of_the_traits_can_be_had(widget):
    """What the traits name comes with that sum and size."""
    page = Page(widget)
    model = widget._models[0]
    got = {name: pull(page, name) for name in model["sizes"]}
    for name, size in model["sizes"].items():
        assert (hashlib.sha256(got[name]).hexdigest(), len(got[name])) == (name, size)
    assert got[model["weights"][0]] == (FIXTURES / "hf_vit" / "model.safetensors").read_bytes()


def test_large_blobs_come_in_parts(widget):
    data = os.urandom(3 * transport.PART + 5)
    widget._blobs = {(blob := Blob.of_bytes(data)).name: blob}
    assert pull(Page(widget), blob.name) == data


def test_what_was_asked_while_a_cell_ran_is_sent_once(widget, monkeypatch):
    """The questions come all at once then, and their answers would be more than Jupyter forwards."""
    page = Page(widget)
    message = {"kind": "get", "name": widget._models[0]["config"], "begin": 0}
    assert page.say(message)[0]["kind"] == "part"
    assert page.say(message) is None
    monkeypatch.setattr(explorer, "AGAIN", 0)  # as after a while: it was lost
    assert page.say(message)[0]["kind"] == "part"


def test_a_page_that_was_loaded_anew_is_answered_at_once(widget):
    """It has nothing of what was sent a moment ago."""
    page = Page(widget)
    message = {"kind": "get", "name": widget._models[0]["config"], "begin": 0}
    assert page.say(message) and page.say(message) is None
    page.say({"kind": "hello"})
    assert page.say(message)[0]["kind"] == "part"


def test_what_is_not_there_is_gone(widget):
    page = Page(widget)
    for message in ({"name": "00", "begin": 0}, {"name": None, "begin": 0}, {"name": widget._models[0]["config"]}):
        content, buffers = page.say({"kind": "get", **message})
        assert (content["kind"], content["name"], buffers) == ("gone", message["name"], [])


def test_a_file_that_changed_is_gone(tmp_path):
    """Other bytes than those that were named are never sent."""
    path = tmp_path / "x"
    path.write_bytes(b"before")
    blob = Blob.of_file(path)
    assert bytes(blob.part(0, 9)) == b"before"
    path.write_bytes(b"afterwards")
    with pytest.raises(Changed):
        blob.part(0, 9)
    content, _ = transport.answer_get({blob.name if "name" in blob.__dict__ else "n": blob}, {"name": "n", "begin": 0})
    assert content["kind"] == "gone" and "written anew" in content["text"]
    path.unlink()
    assert transport.answer_get({"n": blob}, {"name": "n", "begin": 0})[0]["kind"] == "gone"


def answered(widget, data: bytes, order, sha: str | None = None, part: int = 4):
    """trace() with its answer's parts in this order; which were acknowledged."""
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.trace()
    id = page.asked()[0]["id"]
    meta = {"sha256": sha or hashlib.sha256(data).hexdigest()}
    taken = []
    for i in order:
        begin = i * part
        message = {
            "kind": "answer",
            "id": id,
            "begin": begin,
            "size": len(data),
            **({"meta": meta} if begin == 0 else {}),
        }
        said = page.say(message, data[begin : begin + part])
        if said and said[0]["kind"] == "taken":
            taken.append(said[0]["begin"] // part)
    return handle, taken


def file_of(values: list[float]) -> bytes:
    array = np.asarray(values, "<f4")
    return safetensors.write([safetensors.Tensor("logits", "F32", array.shape, array.tobytes)]).bytes()


def test_answers_come_in_parts(widget):
    data = file_of([1, 2, 3])
    handle, taken = answered(widget, data, range(-(-len(data) // 4)))
    assert handle.done and handle.result["logits"].tolist() == [1, 2, 3]
    assert taken == list(range(-(-len(data) // 4)))


def test_parts_that_come_twice_or_early_do_no_harm(widget):
    """A page that heard no acknowledgement sends again; one part ahead is not acknowledged, so it comes again."""
    data = file_of([1, 2, 3])
    last = -(-len(data) // 4) - 1
    order = [2, 0, 0, 2, 1, 0, 1, 2, *range(3, last + 1), last]
    handle, taken = answered(widget, data, order)
    assert handle.result["logits"].tolist() == [1, 2, 3]
    assert taken == [0, 0, 1, 0, 1, 2, *range(3, last + 1), last]


def test_another_answer_takes_the_place_of_the_first(widget):
    """Of a page that was loaded anew before its answer was all there."""
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.trace()
    (question,) = page.asked()
    old, new = file_of([1, 2, 3, 4]), file_of([5])
    first = {"kind": "answer", "id": question["id"], "begin": 0, "size": len(old), "meta": {"sha256": "0" * 64}}
    page.say(first, old[:10])
    page.answer(question, {"sha256": hashlib.sha256(new).hexdigest()}, new, part=9)
    assert handle.result["logits"].tolist() == [5]


def test_a_damaged_answer_is_refused(widget):
    data = file_of([1, 2, 3])
    handle, _ = answered(widget, data, range(-(-len(data) // 4)), sha="0" * 64)
    with pytest.raises(VitscopeError, match="damaged"):
        _ = handle.result


def test_failures_have_text_and_code(widget):
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.attribute("occlusion", target="nothing", hidden_states=True)
    question = page.asked()[0]
    assert question["options"] == {"method": "occlusion", "target": "nothing", "hiddenStates": True}
    page.say({"kind": "failed", "id": question["id"], "code": "invalid-argument", "text": "There is none."})
    with pytest.raises(VitscopeError, match=r"There is none\.") as caught:
        _ = handle.result
    assert caught.value.code == "invalid-argument"


def test_questions_wait_for_a_view(widget):
    """Asked before anything is displayed, or of a page that was loaded anew before it answered: asked again."""
    page = Page(widget)
    handle = widget.trace()
    assert page.asked() == []
    page.say({"kind": "hello"})
    page.say({"kind": "views", "count": 1})
    page.say({"kind": "views", "count": 2})
    assert len(page.asked()) == 1
    page.say({"kind": "hello"})
    page.say({"kind": "views", "count": 1})
    first, second = page.asked()
    assert first == second
    page.answer(second, {}, file_of([4]))
    page.answer(second, {}, file_of([5]))  # the other page's
    assert handle.result["logits"].tolist() == [4]


def test_unknown_messages_do_no_harm(widget):
    page = Page(widget)
    for content in ({}, {"kind": "what"}, {"kind": "failed", "id": "none"}):
        assert page.say(content) is None
