"""Keep freed memory in the process between training steps."""

from __future__ import annotations

import numpy as np


def keep_freed_memory(size: int = 2**24) -> None:
    """Let the C library keep up to about twice ``size`` bytes of freed memory instead of returning it at once.

    glibc returns the top of its heap as soon as 128 KiB of it are free, so each step of a small net would get its
    arrays back page by page, at up to three times the cost of the step. Freeing one block of ``size`` raises that
    limit (mallopt(3), M_MMAP_THRESHOLD); the block is never touched, so it costs no memory. Elsewhere this does
    nothing.
    """
    np.empty(size, np.uint8)
