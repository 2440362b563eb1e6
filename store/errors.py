"""What can go wrong with the store, in words for the person who has to act."""


class StoreError(Exception):
    """The store cannot be used. The text names the file or URL (never the password) and the cure."""


class StoreUnavailable(StoreError):
    """Locked by somebody else for too long, or PostgreSQL is down: the same call may succeed later."""


class StoreFull(StoreError):
    """The disk is full. Reads go on working; nothing was half written."""


class StoreCorrupt(StoreError):
    """The file is not a healthy database. It is never recreated: a person restores a backup."""


class StoreAbsent(StoreError):
    """There is no store yet, and it was not to be made."""
