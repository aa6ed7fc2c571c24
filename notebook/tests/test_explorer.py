"""The widget's traits, values and questions, as Python has them."""

from __future__ import annotations

import gc
import json
import re
import struct
import weakref

import numpy as np
import pytest
import traitlets
from conftest import FIXTURES, ROOT, Page

import vitscope
from vitscope import VitscopeError, images
from vitscope.labels import class_named


@pytest.mark.parametrize(
    "group", json.loads((ROOT / "tests" / "class_names.json").read_text("utf-8")), ids=lambda group: group["about"]
)
def test_names_mean_what_they_mean_elsewhere(group):
    """The table that the package and the command line are held to as well."""
    for name, expected in group["names"].items():
        if isinstance(expected, int):
            assert class_named(group["labels"], name) == expected, name
        elif expected is None:
            with pytest.raises(ValueError, match=r"is called|names no classes"):
                class_named(group["labels"], name)
        else:
            with pytest.raises(ValueError, match=re.escape(": " + ", ".join(map(str, expected)))):
                class_named(group["labels"], name)


def test_traits_take_what_people_give(widget):
    widget.layer, widget.head, widget.query = np.int64(2), 1, (np.int32(3), 0)
    widget.view, widget.target = "logit-lens", "hen"
    state = widget.get_state()
    assert [state[name] for name in ("layer", "head", "query", "view", "target", "index")] == [
        2,
        1,
        [3, 0],
        "logit-lens",
        7,
        0,
    ]
    json.dumps([state["layer"], state["query"]])
    widget.layer = widget.query = widget.target = None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("layer", -1, "counts from 0"),
        ("head", "first", "counts from 0"),
        ("head", True, "counts from 0"),
        ("index", 1, "among 1 images"),
        ("index", None, "counts from 0"),
        ("query", 3, r"\[row, col\]"),
        ("query", [1, -1], r"\[row, col\]"),
        ("view", "head", "did you mean 'heads'"),
        ("view", "xyz", "there are heads, rollout"),
        ("target", 11, "from 0 among 11"),
        ("target", "zebra", "11 classes is called 'zebra'"),
    ],
)
def test_traits_refuse_in_one_sentence(widget, name, value, says):
    """And stay as they were."""
    before = getattr(widget, name)
    with pytest.raises((traitlets.TraitError, ValueError), match=says):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


def test_explore_takes_the_view(photo):
    widget = vitscope.explore(FIXTURES / "hf_vit", photo, view="class", target="cock", layer=1)
    assert (widget.view, widget.target, widget.layer) == ("class", 6, 1)
    with pytest.raises(TypeError, match="no 'heads'"):
        vitscope.explore(FIXTURES / "hf_vit", photo, heads=1)
    with pytest.raises(ValueError, match="dtype is"):
        vitscope.explore(FIXTURES / "hf_vit", photo, dtype="int4")


def shown(rows: int = 2, cols: int = 3, channels: int = 1) -> dict:
    data = struct.pack(f"<{rows * cols * channels}f", *range(rows * cols * channels))
    map = {"rows": rows, "cols": cols, "channels": channels, "signed": False, "text": "", "data": memoryview(data)}
    return {"top": [[7, "hen", 0.5], [0, "tench", 0.25]], "map": map}


def test_map_and_top_are_those_of_the_open_view(widget):
    for read in (lambda: widget.map, lambda: widget.top):
        with pytest.raises(VitscopeError, match="Nothing is shown yet"):
            read()
    widget._shown = [shown()]
    assert widget.map.dtype == np.float32
    assert widget.map.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert widget.top == [("hen", 0.5), ("tench", 0.25)]
    widget._shown = [shown(channels=3)]
    assert widget.map.shape == (2, 3, 3)
    widget._shown = [{"top": [], "map": None}]
    with pytest.raises(VitscopeError, match="no map"):
        _ = widget.map


def test_the_page_sets_traits_by_a_message(widget):
    """Python's observers hear it, and the page is not told its own again, which by then may be old."""
    page = Page(widget)
    heard = []
    widget.observe(lambda change: heard.append((change.name, change.new)), ["layer", "query"])
    sent = []
    widget.send_state = lambda key=None: sent.append(key)
    values = {**shown(), "map": {**shown()["map"], "data": {"buffer": 0}}}
    page.say(
        {"kind": "state", "state": {"layer": 2, "query": [1, 0], "_shown": [values], "_rate": 1}},
        shown()["map"]["data"],
    )
    assert (widget.layer, widget.query, heard) == (2, [1, 0], [("layer", 2), ("query", [1, 0])])
    assert widget.map.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (sent, widget._rate) == ([], None)
    widget.layer = 1
    assert sent == ["layer"]


def test_two_models_have_two_of_each(photo):
    widget = vitscope.explore({"before": FIXTURES / "hf_vit", "after": FIXTURES / "timm_vit"}, photo)
    assert [model["title"] for model in widget._models] == ["before", "after"]
    widget._shown = [shown()]
    with pytest.raises(VitscopeError, match="Nothing is shown yet"):
        _ = widget.map
    widget._shown = [shown(), shown(3, 1)]
    assert [map.shape for map in widget.map] == [(2, 3), (3, 1)]
    assert len(widget.top) == 2
    with pytest.raises(ValueError, match="counts from 0 among 2"):
        widget.trace(model=2)


def test_attributions_and_curves_are_arrays(widget):
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.attribute(target="hen")
    meta = {"rows": 2, "cols": 2, "channels": 1, "signed": True, "text": "so", "target": {"index": 7, "label": "hen"}}
    page.answer(page.asked()[0], meta, np.arange(4, dtype="<f4").tobytes())
    found = handle.result
    assert found.map.tolist() == [[0, 1], [2, 3]]
    assert (found.target.index, found.target.label, found.signed, found.text) == (7, "hen", True, "so")

    handle = widget.curves(found, steps=1)
    question = page.asked()[1]
    assert question["options"] == {"map": {"rows": 2, "cols": 2, "data": [0, 1, 2, 3]}, "target": 7, "steps": 1}
    curve = {"fractions": [0, 1], "probabilities": [0.5, 0.25], "area": 0.375}
    page.answer(question, {"deletion": curve, "insertion": {**curve, "area": None}, "target": meta["target"]})
    assert handle.result.deletion.probabilities.tolist() == [0.5, 0.25]
    assert (handle.result.deletion.area, handle.result.insertion.area) == (0.375, None)


def test_curves_takes_whatever_has_a_map(widget):
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.attribute()
    with pytest.raises(VitscopeError, match="has not come yet"):
        widget.curves(handle)
    meta = {"rows": 1, "cols": 2, "target": {"index": 7, "label": "hen"}}
    page.answer(page.asked()[0], meta, np.arange(2, dtype="<f4").tobytes())
    for given in (handle, handle.result, np.arange(2)[None], [[0, 1]]):
        widget.curves(given)
        assert page.asked()[-1]["options"]["map"] == {"rows": 1, "cols": 2, "data": [0, 1]}
    for given in (np.zeros(3), "map", [[1], [2, 3]], None, {}):
        with pytest.raises(ValueError, match=r"\[rows, cols\].*\.$"):
            widget.curves(given)
    torch = pytest.importorskip("torch")
    widget.curves(torch.ones(1, 2, dtype=torch.bfloat16, requires_grad=True))
    assert page.asked()[-1]["options"]["map"]["data"] == [1, 1]


def test_what_json_cant_carry_is_refused_before_it_is_asked(widget):
    """It would break each later question, too, when a page opens."""
    for ask in (
        lambda: widget.trace(layers={1}),
        lambda: widget.attribute(target=b"hen"),
        lambda: widget.attribute(baseline=float("inf")),
        lambda: widget.curves([[np.nan, 1]]),
    ):
        with pytest.raises(
            ValueError, match=r"^The (layers|target|baseline|map) of widget\.\w+\(.*can't be sent: .*\.$"
        ):
            ask()
    page = Page(widget)
    widget.trace(model=np.int64(0), layers=np.arange(2))
    page.say({"kind": "views", "count": 1})
    (question,) = page.asked()
    assert json.loads(json.dumps(question))["options"] == {"layers": [0, 1]}


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """A shell whose cells can show pictures."""
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    yield shell.instance()
    shell.clear_instance()


def test_a_snapshot_is_of_the_model_that_is_meant(photo, cell):
    widget = vitscope.explore([FIXTURES / "hf_vit", FIXTURES / "timm_vit"], photo)
    page = Page(widget)
    page.say({"kind": "views", "count": 1})
    handle = widget.snapshot(model=1)
    assert (page.asked()[0]["method"], page.asked()[0]["model"]) == ("snapshot", 1)
    png = images.png(np.zeros((2, 2, 3), np.uint8))
    page.answer(page.asked()[0], {}, png)
    assert handle.result == png


def test_closing_frees_and_ends(widget):
    handle = widget.trace()
    widget.close()
    with pytest.raises(VitscopeError, match="closed"):
        _ = handle.result
    for ask in (widget.trace, lambda: widget.to_html("x.html")):
        with pytest.raises(VitscopeError, match="was closed"):
            ask()
    assert "hf_vit" in repr(widget)


def test_closing_frees_what_was_sent(photo):
    """Whoever keeps the widget: ipywidgets, and a name in the notebook."""
    widget = vitscope.explore(FIXTURES / "hf_vit", photo)
    held = [weakref.ref(blob) for each in (*widget._of_models, *widget._of_images) for blob in each.blobs()]
    assert all(blob() for blob in held)
    widget.close()
    gc.collect()
    assert [blob() for blob in held] == [None] * len(held)


def test_its_text_is_one_line(widget):
    assert repr(widget).count("\n") == 0
    assert "hf_vit" in repr(widget)
    assert "hf_vit" in widget._repr_mimebundle_()[0]["text/plain"]


def test_the_page_asks_as_fast_as_parts_come_unless_told(photo, monkeypatch):
    assert vitscope.explore(FIXTURES / "hf_vit", photo)._rate is None
    monkeypatch.setattr(vitscope, "rate", 5e6)
    assert vitscope.explore(FIXTURES / "hf_vit", photo)._rate == 5e6
