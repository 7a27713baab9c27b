"""Pages are read whole, in both forms, or refused with the file, the line and the cause."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from elastic_timer_spec.keyword_index import KeywordIndex, KeywordIndexError
from elastic_timer_spec.keyword_page import read_page, read_page_file

BARE = """\
# Keyword Index: `a/b.py`

## File Information

- **Original File**: [a/b.py](../../a/b.py)
- **Documentation**: [`b.py_docs.md`](./b.py_docs.md)
- **Folder**: `a`

## Keywords Extracted

Some prose.

### Classs

- **`Bird`**: [b.py_docs.md](./b.py_docs.md)
- **`Tree`**: [b.py_docs.md](./trees.md)

### Functions

- **`fly`**: [b.py_docs.md](./b.py_docs.md)

### Imports

- **`.nest`**: [b.py_docs.md](./b.py_docs.md)
- **`os.path`**: [b.py_docs.md](./b.py_docs.md)

## Keyword → Section Map

More prose.

- **Overview**: what it is
- **Birds & Trees**

---

*A footer.*
"""


def wrapped(block: str, size: int | None = None) -> str:
    size = len(block.encode()) if size is None else size
    return f"""\
# Documentation: `docs/a/b.py_kw.md`

## File Metadata

- **Path**: `docs/a/b.py_kw.md`
- **Size**: {size:,} bytes (some KB)
- **Type**: Markdown
- **Extension**: `.md`

## Original Source

```markdown
{block}
```

## Testing

```bash
## not a heading
```

## Related Files

### Related Files

Some prose:

- [`c.md`](./c.md)

## Cross-References

- **Folder Index**: `index.md`

---
"""


def names(index: KeywordIndex, kind: str) -> list[str]:
    return [keyword.name for keyword in getattr(index, kind)]


def test_everything_of_a_bare_index_is_read() -> None:
    index = read_page(BARE)
    assert (index.path, index.original_file.target) == ("a/b.py", "../../a/b.py")
    assert (index.documentation.text, index.documentation.target) == (
        "b.py_docs.md",
        "./b.py_docs.md",
    )
    assert index.folder == "a"
    assert names(index, "classes") == ["Bird", "Tree"]
    assert names(index, "functions") == ["fly"]
    assert names(index, "imports") == [".nest", "os.path"]
    assert index.classes[1].link.target == "./trees.md"
    assert index.sections == ("Overview", "Birds & Trees")
    assert index.page is None
    assert len(index.digest) == 64
    assert index.keywords == (".nest", "Bird", "Tree", "fly", "os.path")


def test_a_wrapped_page_gives_the_same_index_and_its_own_facts() -> None:
    index = read_page(wrapped(BARE))
    bare = read_page(BARE)
    assert index.page is not None
    assert index.page.path == "docs/a/b.py_kw.md"
    assert index.page.size == len(BARE.encode())
    assert (index.page.type, index.page.extension) == ("Markdown", ".md")
    assert [link.target for link in index.page.related] == ["./c.md"]
    assert index.page.cross_references == (("Folder Index", "index.md"),)
    assert index != bare
    for kind in ("original_file", "documentation", "folder", "classes", "functions", "imports"):
        assert getattr(index, kind) == getattr(bare, kind)


def garbled(text: str) -> str:
    return text.encode().decode("cp1252")


def test_a_garbled_heading_is_read_past() -> None:
    heading = "## Keyword → Section Map"
    block = BARE.replace(heading, garbled(heading))
    assert block != BARE
    assert read_page(block) == read_page(BARE)
    # The page states the size that the index had before it was garbled.
    assert read_page(wrapped(block, len(BARE.encode()))) == read_page(wrapped(BARE))


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_any_line_end_will_do(line_end: str) -> None:
    assert read_page(BARE.replace("\n", line_end).encode()) == read_page(BARE)
    assert read_page(wrapped(BARE).replace("\n", line_end)) == read_page(wrapped(BARE))


def test_a_page_with_long_line_ends_may_state_a_size_with_or_without_them() -> None:
    size = len(BARE.encode())
    for stated in (size, size + BARE.count("\n")):
        page = wrapped(BARE, stated).replace("\n", "\r\n")
        assert read_page(page) == read_page(wrapped(BARE))
    with pytest.raises(KeywordIndexError, match="truncated or changed"):
        read_page(wrapped(BARE, size + BARE.count("\n")))


def test_a_byte_order_mark_does_not_matter() -> None:
    assert read_page(BARE.encode("utf-8-sig")) == read_page(BARE)


def test_lists_come_out_sorted_and_may_be_left_out() -> None:
    lines = BARE.split("\n")
    lines[14], lines[15] = lines[15], lines[14]
    assert read_page("\n".join(lines)) == read_page(BARE)
    start, end = BARE.index("### Functions"), BARE.index("### Imports")
    assert read_page(BARE[:start] + BARE[end:]).functions == ()


BIRD = "- **`Bird`**: [b.py_docs.md](./b.py_docs.md)"
FLY = "- **`fly`**: [b.py_docs.md](./b.py_docs.md)"


@pytest.mark.parametrize(
    ("old", "new", "line", "cause"),
    [
        ("# Keyword Index: `a/b.py`", "# Something else", 1, "no keyword index"),
        ("# Keyword Index: `a/b.py`", "# Keyword Index: `b.py`", 5, "the title names 'b.py'"),
        ("- **Folder**: `a`", "- **Folder**: a", 7, "expected `code`"),
        ("- **Folder**: `a`\n", "", 3, "does not tell: Folder"),
        ("- **Folder**: `a`", "- **Folder", 7, "cannot be read"),
        ("## File Information\n", "", 1, "'File Information' is missing"),
        ("## Keywords Extracted", "## Words", 1, "'Keywords Extracted' is missing"),
        ("## Keywords Extracted", "## File Information", 9, "is there twice"),
        ("### Classs\n", "", 14, "before the first list"),
        ("### Classs", "### Sorts", 13, "unknown list 'Sorts'"),
        ("### Functions", "### Classes", 18, "two lists of classes"),
        (FLY, "", 18, "the list '### Functions' is empty"),
        (BIRD, f"{BIRD}\n{BIRD}", 16, "'Bird' is there twice"),
        (BIRD, "- **`Bi rd`**: [b](./b)", 15, "'Bi rd' is not a name"),
        (BIRD, "- **`Bird`**", 15, "cannot be read"),
        (BIRD, "- **`Bird`**: [b.py_docs.md](./b.py", 15, "a link that cannot be read"),
        (BIRD, "stray words", 15, "cannot be read"),
        ("- **Overview**: what it is", "- **Birds & Trees**", 32, "is there twice"),
        ("## Keyword → Section Map", "## Other", 37, "section map is missing"),
        ("---", "", 37, "no rule '---'"),
    ],
)
def test_a_broken_index_is_refused_with_its_line(old: str, new: str, line: int, cause: str) -> None:
    assert BARE.count(old) == 1
    with pytest.raises(KeywordIndexError) as caught:
        read_page(BARE.replace(old, new), file="page.md")
    assert cause in caught.value.cause
    assert caught.value.line == line
    assert str(caught.value).startswith(f"page.md:{line}: ")


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("```\n\n## Testing", "\n## Testing", "the block is not closed"),
        ("```markdown", "```python", "no block of Markdown"),
        ("## Original Source", "## Source", "no heading 'Original Source'"),
        (" bytes (some KB)", " bits", "expected a size in bytes"),
        ("- **Path**: `docs/a/b.py_kw.md`", "- **Path**: `b.md`", "is not the title's"),
        ("## Cross-References", "## References", "'Cross-References' is missing"),
        ("- [`c.md`](./c.md)", "- [`c.md`](./c", "a link that cannot be read"),
        ("- **Folder Index**: `index.md`", "- **Folder Index**: index.md", "expected `code`"),
        (f"{FLY}\n", "", "truncated or changed"),
    ],
)
def test_a_broken_wrapping_is_refused(old: str, new: str, cause: str) -> None:
    page = wrapped(BARE)
    assert page.count(old) == 1
    with pytest.raises(KeywordIndexError) as caught:
        read_page(page.replace(old, new), file="page.md")
    assert cause in caught.value.cause


@pytest.mark.parametrize(
    ("content", "line", "cause"),
    [
        (b"", 0, "the page is empty"),
        ("\n \n", 0, "the page is empty"),
        (BARE.encode("utf-16"), 1, "encoded in UTF-16"),
        ("# Title".encode("utf-16-be"), 1, "control character"),
        (BARE.replace("Overview", "\xdcbersicht").encode("latin-1", "replace"), 31, "byte 0xdc"),
        (b"\x7fELF\x02\x01", 1, "control character"),
        ("# Title\n\ud800", 2, "half a character"),
        (wrapped("").replace("```markdown\n\n", "```markdown\n"), 13, "the block is empty"),
    ],
)
def test_what_is_no_page_is_refused(content: bytes | str, line: int, cause: str) -> None:
    with pytest.raises(KeywordIndexError, match=cause) as caught:
        read_page(content)
    if line:
        assert caught.value.line == line


def test_a_wrapped_page_that_lost_any_line_of_its_index_is_refused(page: str) -> None:
    lines = page.split("\n")
    start, end = lines.index("```markdown"), lines.index("```")
    for lost in range(start + 1, end):
        with pytest.raises(KeywordIndexError):
            read_page("\n".join(lines[:lost] + lines[lost + 1 :]))


def test_a_page_that_ends_early_is_refused_wherever_it_ends(page: str) -> None:
    complete = page.rindex("---") + len("---")
    # Every thirteenth place: cuts through each kind of line without taking a minute.
    for end in range(0, complete, 13):
        with pytest.raises(KeywordIndexError):
            read_page(page[:end])


def test_a_file_is_read_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(BARE, encoding="utf-8")
    assert read_page_file(file) == read_page(BARE)
    file.write_bytes(b"\xff")
    with pytest.raises(KeywordIndexError, match=r"page\.md:1: is not UTF-8"):
        read_page_file(file)


def test_an_error_travels_between_processes() -> None:
    error = KeywordIndexError("cause", file="page.md", line=3)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.line) == ("page.md:3: cause", 3)
