"""Take keyword index pages into the folder of normalised indexes, one file each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elastic_timer_spec.atomic_file import write_atomically
from elastic_timer_spec.keyword_index import KeywordIndex, KeywordIndexError
from elastic_timer_spec.keyword_page import read_page_file
from elastic_timer_spec.keyword_toml import file_name, read_keywords, to_toml

__all__ = ["Ingested", "ingest"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one page: its index and the file written, or the error.

    `new_keywords` are those that no index of the folder held before.
    """

    page: Path
    index: KeywordIndex | None = None
    file: Path | None = None
    new_keywords: tuple[str, ...] = ()
    error: str | None = None


def ingest(pages: Sequence[Path], output: Path) -> list[Ingested]:
    """Write the index of each page to the folder `output`, which is made if need be.

    A page that cannot be taken is reported and keeps no other from being taken. Raises
    KeywordIndexError or OSError when the folder itself is unsound: nothing is written then.
    """
    output.mkdir(parents=True, exist_ok=True)
    held = {index.path: index for index in read_keywords(output)}
    pages_of: dict[str, Path] = {}
    results = []
    for page in pages:
        try:
            index = read_page_file(page)
            file = output / file_name(index)
            _refuse_loss(index, page, held, pages_of)
            write_atomically(file, to_toml(index))
        except (KeywordIndexError, OSError) as error:
            results.append(Ingested(page, error=str(error)))
            continue
        known = {keyword for other in held.values() for keyword in other.keywords}
        new = tuple(keyword for keyword in index.keywords if keyword not in known)
        held[index.path] = index
        pages_of[index.path] = page
        results.append(Ingested(page, index, file, new))
    return results


def _refuse_loss(
    index: KeywordIndex, page: Path, held: dict[str, KeywordIndex], pages_of: dict[str, Path]
) -> None:
    """Refuse an index that would take the place of another one that is not its older self."""
    if (earlier := pages_of.get(index.path)) and held[index.path] != index:
        cause = f"{earlier} holds another index of the same file, {index.path}"
        raise KeywordIndexError(cause, file=str(page))
    for path in held:
        if path != index.path and file_name(held[path]) == file_name(index):
            cause = f"{index.path} would take the file of {path}"
            raise KeywordIndexError(cause, file=str(page))
