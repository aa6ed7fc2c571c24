"""Files of the web, by the standard library alone."""

from __future__ import annotations

import http.client
import string
import urllib.error
import urllib.parse
import urllib.request

LARGEST = 100_000_000
"""Bytes of a file that is fetched."""
TIMEOUT = 30
"""Seconds that a server may be silent."""


class Missing(OSError):
    """The server has no such file."""


def fetch(url: str) -> bytes:
    """Raises OSError with one sentence; `Missing` where the server has no such file."""
    try:
        quoted = urllib.parse.quote(url, safe=string.punctuation)  # (as browsers do: blanks, letters beyond ASCII)
        request = urllib.request.Request(quoted, headers={"User-Agent": "vitscope (https://pypi.org/project/vitscope)"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            data = answer.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        kind = Missing if error.code in (404, 410) else OSError
        raise kind(f"{url} answered with HTTP status {error.code}.") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)).strip() or type(error).__name__
        raise OSError(f"{url} can't be fetched ({reason}); download it, and give it.") from None
    if len(data) > LARGEST:
        raise OSError(f"{url} has more than {LARGEST // 1_000_000} MB; give a smaller one.")
    return data
