"""What will come of a question to the widget."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from . import frontend

T = TypeVar("T")

PATIENCE = 10
"""Seconds for the page to open a widget that the running cell displays."""


class VitscopeError(RuntimeError):
    """What the widget says went wrong; `code` as the npm package's."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class Handle(Generic[T]):
    """`.result` once it is `.done`; or `await` it, where the kernel hears the page while a cell runs."""

    def __init__(self, what: str, views: Callable[[], int]) -> None:
        """what: the call that asked, for sentences; views: how many views of the widget are open."""
        self._what = what
        self._views = views
        self._future: Future[T] = Future()
        self._lock = threading.Lock()

    @property
    def done(self) -> bool:
        """Whether it has come, or failed."""
        return self._future.done()

    @property
    def result(self) -> T:
        """The value; raises `VitscopeError` where it is not there yet, or failed."""
        if not self._future.done():
            where = "" if self._views() else " once the widget is displayed"
            raise VitscopeError(f"{self._what} has not come yet; read .result in the next cell{where}.", "pending")
        return self._future.result()

    def __await__(self) -> Generator[Any, None, T]:
        return self._come().__await__()

    async def _come(self) -> T:
        if not self._future.done():
            if why := frontend.deaf():
                raise VitscopeError(f"{why}; read .result of {self._what} in the next cell.", "pending")
            until = time.monotonic() + PATIENCE
            while not self._views() and not self._future.done():
                if time.monotonic() > until:
                    text = f"Nothing displays this widget, so {self._what} can't come; display it, and read .result."
                    raise VitscopeError(text, "pending")
                await asyncio.sleep(0.05)
        # Who stops waiting (an interrupted cell) does not take back the question.
        return await asyncio.shield(asyncio.wrap_future(self._future))

    def __repr__(self) -> str:
        return f"<{self._what}: {'here, read .result' if self.done else 'not here yet'}>"

    @property
    def error(self) -> BaseException | None:
        """Why it failed; None where it did not, or has not come yet."""
        return self._future.exception() if self.done else None

    # For who asks

    def then(self, tell: Callable[[Handle[T]], object]) -> None:
        """Calls `tell` with this handle once it is done, in the thread that heard so."""
        self._future.add_done_callback(lambda _: tell(self))

    def fail(self, error: BaseException) -> None:
        def make() -> T:
            raise error

        self.settle(make)

    def settle(self, make: Callable[[], T]) -> None:
        """Takes what `make` returns or raises; the first time."""
        with self._lock:
            if self._future.done():
                return
            try:
                value = make()
            except Exception as error:
                self._future.set_exception(error)
            else:
                self._future.set_result(value)
