"""Files that are there whole or not at all: written as downloads are."""

from chainrule.data.files import written_whole

__all__ = ["written_whole"]
