"""What is said of a file that cannot be read."""


class Unreadable(ValueError):
    """A file that is broken, too large or hostile. Its text is the reason, in words for people."""


class NotAReport(Unreadable):
    """A sound file that holds something else than test results."""
