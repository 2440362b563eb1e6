"""The elements of an XML file that nobody vouches for, one after the other, in bounded memory.

defusedxml's parser with its refusals, driven without its tree: iterparse makes an object of every element before anyone
can say that it is not wanted, gigabytes of output included, and takes longer only to count cases than this to read
them (bench/junit.py). Refused beyond defusedxml: any document type declaration that says more than a name, tags of
megabytes, deep nesting, thousands of different names.
"""

from collections.abc import Callable, Iterable
from typing import Protocol
from xml.parsers.expat import ErrorString, ExpatError, XMLParserType, errors

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from parsers.unreadable import Unreadable

_SIP = 512  # bytes that expat gets at once until the root has begun, see `_Reading.feed`
_BITE = 1 << 16
_LARGEST_TAG = 2 << 20  # some tools write the whole text of a failure into an attribute
_MOST_ATTRIBUTES = 1000
_MOST_NAMES = 10_000
_DEEPEST = 200
_LONGEST_TEXT = 1 << 14  # characters; nobody reads on
_REPAIRABLE = frozenset(
    errors.codes[message]
    for message in (
        errors.XML_ERROR_INVALID_TOKEN,
        errors.XML_ERROR_BAD_CHAR_REF,
        errors.XML_ERROR_PARTIAL_CHAR,
        errors.XML_ERROR_UNKNOWN_ENCODING,
        errors.XML_ERROR_INCORRECT_ENCODING,
    )
)
_IN_WORDS = {
    errors.XML_ERROR_NO_ELEMENTS: "it ends too early",
    errors.XML_ERROR_UNCLOSED_TOKEN: "it ends too early",
    errors.XML_ERROR_UNCLOSED_CDATA_SECTION: "it ends too early",
    errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "a second document begins in the same file",
    errors.XML_ERROR_SYNTAX: "it is not XML",
    errors.XML_ERROR_INVALID_TOKEN: "it is not well-formed",
}


class Visitor(Protocol):
    """Who is told of the elements. Names come without their namespace."""

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """An element begins. True: its text is wanted."""

    def end(self, tag: str, text: str) -> None:
        """An element ends. `text` is its own and its children's, cut, and empty where it was not wanted."""


class Malformed(Unreadable):
    """The text is not XML. `repairable`: the characters are to blame, not the structure."""

    def __init__(self, reason: str, *, repairable: bool) -> None:
        super().__init__(reason)
        self.repairable = repairable


def read_events(pieces: Iterable[bytes], choose: Callable[[str], Visitor], *, encoding: str | None = None) -> None:
    """Tell a visitor of every element.

    Args:
        pieces: the file. A piece is bounded by who makes it.
        choose: the visitor by the name of the root; what it and the visitor raise ends the reading.
        encoding: overrules what the file says about itself.

    Raises:
        Malformed: it is not well-formed, or ends too early.
        Unreadable: it is hostile.
    """
    reading = _Reading(choose, encoding)
    try:
        for piece in pieces:
            reading.feed(piece)
        reading.close()
    except Unreadable:
        raise
    except ExpatError as error:
        words = ErrorString(error.code)
        reason = f"line {error.lineno}: {_IN_WORDS.get(words, words)}"
        raise Malformed(reason, repairable=error.code in _REPAIRABLE) from None
    except DefusedXmlException:
        raise Unreadable("it declares entities, as only attacks do") from None
    except (LookupError, ValueError) as error:  # of pyexpat, for an encoding that has more than one byte a character
        raise Malformed(f"its encoding: {error}", repairable=True) from None


class _Reading:
    """One run of expat over one file."""

    def __init__(self, choose: Callable[[str], Visitor], encoding: str | None) -> None:
        self._choose = choose
        self._visitor: Visitor | None = None
        self._expat = self._defused(encoding)
        self._depth = 0
        self._fed = 0
        self._open_tag = 0  # bytes of a tag, or of whatever else is not complete, that expat has
        self._waiting = bytearray()
        self._text: list[str] = []
        self._text_room = 0
        self._text_depth = 0  # of the element whose text is wanted; 0: none

    def _defused(self, encoding: str | None) -> XMLParserType:
        expat = DefusedXMLParser(encoding=encoding).parser
        expat.StartDoctypeDeclHandler = self._doctype
        expat.DefaultHandlerExpand = None  # it would be told of every line and comment
        expat.StartElementHandler = self._start
        expat.EndElementHandler = self._end
        expat.CharacterDataHandler = None
        expat.CommentHandler = None
        expat.ProcessingInstructionHandler = None
        expat.ordered_attributes = False
        return expat

    def feed(self, piece: bytes) -> None:
        """Read on. After a refusal expat still runs through what it has been given, hence sips before the root.

        Of a tag that is not complete more is handed over once it has doubled: expat begins it anew each time.
        """
        self._waiting += piece
        given = 0
        while len(self._waiting) - given >= (size := max(_BITE if self._visitor else _SIP, self._open_tag)):
            self._give(self._waiting[given : given + size])
            given += size
        del self._waiting[:given]

    def _give(self, bite: bytes | bytearray) -> None:
        self._expat.Parse(bite, False)  # noqa: FBT003  (it takes no keywords)
        self._fed += len(bite)
        self._open_tag = self._fed - self._expat.CurrentByteIndex
        if self._open_tag > _LARGEST_TAG:
            raise Unreadable(f"it has a tag of more than {_LARGEST_TAG >> 20} MiB")
        if len(self._expat.intern) > _MOST_NAMES:
            raise Unreadable(f"it has more than {_MOST_NAMES:,} different names of elements and attributes")

    def close(self) -> None:
        """The file has ended."""
        while self._waiting:
            size = len(self._waiting) if self._visitor else max(_SIP, self._open_tag)
            self._give(self._waiting[:size])
            del self._waiting[:size]
        self._expat.Parse(b"", True)  # noqa: FBT003

    def _doctype(self, _name: str, system_id: str | None, public_id: str | None, has_subset: object) -> None:
        if system_id or public_id or has_subset:
            raise Unreadable("it has a document type declaration, as only attacks do")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST or len(attributes) > _MOST_ATTRIBUTES:
            raise Unreadable(
                f"it nests deeper than {_DEEPEST} or has tags with more than {_MOST_ATTRIBUTES} attributes"
            )
        if "}" in tag:
            tag = tag.rpartition("}")[2]
        visitor = self._visitor
        if visitor is None:
            visitor = self._visitor = self._choose(tag)
        if visitor.start(tag, attributes) and not self._text_depth:
            self._text_depth, self._text_room = self._depth, _LONGEST_TEXT
            self._expat.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        if self._text_room > 0:  # the handler stays: to take it away here would call it again
            self._text.append(text[: self._text_room])
            self._text_room -= len(text)

    def _end(self, tag: str) -> None:
        text = ""
        if self._text_depth == self._depth:
            text = "".join(self._text)
            self._text_depth = 0
            self._text.clear()
            self._expat.CharacterDataHandler = None
        self._depth -= 1
        if "}" in tag:
            tag = tag.rpartition("}")[2]
        if self._visitor is not None:
            self._visitor.end(tag, text)
