"""What comes of a question: read in the next cell, or awaited where the kernel hears the page meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

from vitscope import Handle, VitscopeError, frontend, handle


@pytest.fixture
def hears(monkeypatch):
    """As in a kernel that hears messages in another thread than cells run in."""
    monkeypatch.setattr(frontend, "deaf", lambda: None)


async def value(handle: Handle):
    return await handle


def test_it_is_not_there_before_it_comes():
    views = 0
    handle = Handle("widget.trace()", lambda: views)
    assert (handle.done, repr(handle)) == (False, "<widget.trace(): not here yet>")
    with pytest.raises(
        VitscopeError, match=r"has not come yet; read \.result in the next cell once the widget is displayed\."
    ):
        _ = handle.result
    views = 1
    with pytest.raises(VitscopeError, match=r"in the next cell\.$"):
        _ = handle.result
    assert handle.error is None  # at once
    handle.settle(lambda: 5)
    assert handle.error is None
    assert (handle.done, handle.result, repr(handle)) == (True, 5, "<widget.trace(): here, read .result>")


def test_the_first_answer_counts():
    """Of two pages that show a widget, say."""
    handle = Handle("it", lambda: 1)
    handle.settle(lambda: 1)
    handle.settle(lambda: 2)
    handle.fail(ValueError("late"))
    assert handle.result == 1


def test_what_cant_be_read_fails_the_handle_not_the_message():
    handle = Handle("it", lambda: 1)
    handle.settle(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        _ = handle.result
    assert isinstance(handle.error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(value(handle))


def test_awaiting_hears_another_thread(hears):
    handle = Handle("it", lambda: 1)
    threading.Timer(0.05, handle.settle, [lambda: 7]).start()
    assert asyncio.run(value(handle)) == 7
    assert asyncio.run(value(handle)) == 7  # and again


def test_awaiting_waits_for_a_view(hears):
    """The cell displays the widget itself, which the page opens a little later."""
    views: list[int] = []
    handle = Handle("it", lambda: len(views))
    threading.Timer(0.1, views.append, [1]).start()
    threading.Timer(0.2, handle.settle, [lambda: 7]).start()
    assert asyncio.run(value(handle)) == 7


def test_awaiting_what_nothing_displays_ends(hears, monkeypatch):
    monkeypatch.setattr(handle, "PATIENCE", 0.1)
    with pytest.raises(VitscopeError, match="Nothing displays this widget"):
        asyncio.run(value(Handle("it", lambda: 0)))


def test_who_stops_waiting_takes_nothing_back(hears):
    """An interrupted cell; the next one reads what came."""

    async def interrupted(handle: Handle) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(value(handle), 0.05)

    handle = Handle("it", lambda: 1)
    asyncio.run(interrupted(handle))
    handle.settle(lambda: 7)
    assert handle.result == 7


def test_where_nothing_is_heard_awaiting_ends_at_once(monkeypatch):
    """Outside of a kernel, and with ipykernel 6."""
    began = time.monotonic()
    monkeypatch.delitem(sys.modules, "ipykernel.kernelbase", raising=False)
    with pytest.raises(
        VitscopeError, match=r"not heard here while a cell runs; read \.result of it in the next cell\."
    ):
        asyncio.run(value(Handle("it", lambda: 0)))
    assert time.monotonic() - began < handle.PATIENCE


def test_the_installed_kernel_is_known():
    """6 hears nothing while a cell runs, 7 does in JupyterLab and from 7.4 everywhere."""
    kernel = pytest.importorskip("ipykernel")
    pytest.importorskip("ipykernel.kernelbase")
    version = tuple(map(int, kernel.__version__.split(".")[:2]))
    if version < (7, 0):
        assert f"ipykernel {kernel.__version__} hears no messages" in frontend.deaf()
    elif version >= (7, 4):
        assert frontend.deaf() is None
