"""Pages of images: the public gallery, and everything of an account or a user.

Each page walks one index in its order from where the last page ended, so the thousandth costs what the first does. What an
index does not know (a content type, a tag beside a size) is looked for among SCANNED entries at most: a page may then have
fewer images than were asked for, even none, and still say where the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.metadata.images import COLUMNS, image
from gateway.metadata.lists import batches
from gateway.metadata.port import Reader
from gateway.model.images import ImageRow, Visibility

SCANNED = 2_000
"""Entries of an index that one page looks at, at most."""


class Sort(StrEnum):
    CREATED = "created"
    SIZE = "size"


Place = tuple[int, str]
"""Where a page ended: what it is sorted by, and the image id."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images, and in what order. Times in milliseconds, sizes in bytes, both ends included but `before_ms`.

    `public`: what everybody may find. Of `account_id` and `user_id` at most one is given.
    """

    public: bool = False
    account_id: int | None = None
    user_id: int | None = None
    tag: str | None = None
    content_type: str | None = None
    visibility: Visibility | None = None
    from_ms: int | None = None
    before_ms: int | None = None
    min_size: int | None = None
    max_size: int | None = None
    min_width: int | None = None
    min_height: int | None = None
    sort: Sort = Sort.CREATED
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """`end` is where the next page begins; None: nothing more comes."""

    images: tuple[ImageRow, ...]
    end: Place | None


# A subquery with a value, which no planner turns into a join of whole tables: it is asked for the rows of the page only.
_CURRENT = (
    "(SELECT 1 FROM versions v JOIN heads h ON h.bucket_id = v.bucket_id AND h.key = v.key AND h.seq = v.seq "
    "WHERE v.seq = i.seq) = 1"
)
_ENABLED = (
    "(SELECT 1 FROM buckets b JOIN accounts a ON a.id = b.account_id AND a.enabled = 1 WHERE b.id = i.bucket_id) = 1"
)


async def page(reader: Reader, wanted: Wanted, after: Place | None, limit: int) -> Page:
    """At most `limit` images behind `after`, current versions only."""
    walk = _Walk(wanted, by_tag=_is_by_tag(wanted))
    if after is not None:
        walk.beyond(after)
    # How far this page looks. Where nearly every entry is shown that is not far.
    scanned = SCANNED if walk.filtered else min(SCANNED, 1 << (2 * limit).bit_length())
    far = await reader.one(
        f"SELECT {walk.place} FROM {walk.index} WHERE {walk.where} ORDER BY {walk.order} LIMIT 1 OFFSET ?",
        (*walk.values, scanned - 1),
    )
    shown = _shown(wanted)
    if reader.engine == "sqlite":
        if far is not None:
            walk.until((far[0], far[1]))
        walk.filter()
        source, condition = walk.index, f"{walk.where} AND {shown}"
    else:
        # A planner that guesses how many entries pass finds reasons to fetch and sort a tenth of the table. It sees the
        # walk alone here, and how long that is: a number, as it takes a parameter for a tenth of the table, too.
        source, condition = walk.entries(scanned), " AND ".join((*walk.filters(), shown))
    rows = await reader.all(
        f"SELECT {COLUMNS} FROM {source}{walk.images} WHERE {condition} ORDER BY {walk.order} LIMIT ?",
        (*walk.values, limit + 1),
    )
    found = tuple(image(row) for row in rows[:limit])
    if len(rows) > limit:
        last = found[-1]
        return Page(found, (last.created_ms if wanted.sort is Sort.CREATED else last.size, last.image_id))
    return Page(found, None if far is None else (far[0], far[1]))


async def confirmed(reader: Reader, wanted: Wanted, page: Page) -> Page:
    """A page that came from a replica, without what is not wanted, not shown or not there any more; the rows as of now."""
    if not page.images:
        return page
    ((marks, ids),) = batches([row.image_id for row in page.images])
    walk = _Walk(wanted, by_tag=False)
    walk.filter()
    # Looked up by their ids first, whatever a planner thinks of the other conditions.
    source = f"(SELECT * FROM images i WHERE i.image_id IN ({marks}) LIMIT {len(ids)}) i"
    rows = await reader.all(
        f"SELECT {COLUMNS} FROM {source} WHERE {' AND '.join((*walk.conditions, _shown(wanted)))}", (*ids, *walk.values)
    )
    now = {row.image_id: row for row in map(image, rows)}
    return Page(tuple(now[row.image_id] for row in page.images if row.image_id in now), page.end)


def _shown(wanted: Wanted) -> str:
    return f"{_CURRENT} AND {_ENABLED}" if wanted.public else _CURRENT


def _is_by_tag(wanted: Wanted) -> bool:
    """Whether tags have an index in the wanted order."""
    of_everybody = wanted.public and wanted.account_id is None and wanted.user_id is None
    return wanted.tag is not None and (of_everybody or (wanted.account_id is not None and wanted.sort is Sort.CREATED))


class _Walk:
    """An index and the conditions of a page: first those that the index knows, then the others.

    What is walked is `images`, or `image_tags` where that has an index with the tag in the wanted order.
    """

    def __init__(self, wanted: Wanted, *, by_tag: bool) -> None:
        self._wanted = wanted
        self._by_tag = by_tag
        by_time = wanted.sort is Sort.CREATED
        of_everybody = wanted.public and wanted.account_id is None and wanted.user_id is None
        self._w = w = "t" if self._by_tag else "i"
        self.index = "image_tags t" if self._by_tag else "images i"
        self.images = " JOIN images i ON i.image_id = t.image_id" if self._by_tag else ""
        self._column = column = f"{w}.created_ms" if by_time else f"{w}.size"
        self.place = f"{column}, {w}.image_id"
        direction = "DESC" if wanted.descending else "ASC"
        self.order = f"{column} {direction}, {w}.image_id {direction}"
        self.conditions: list[str] = []
        self.values: list[object] = []
        self._add(f"{w}.account_id = ?", wanted.account_id)
        self._add(f"{w}.user_id = ?", wanted.user_id)
        if self._by_tag:
            self._add("t.tag = ?", wanted.tag)
        if of_everybody:
            self.conditions.append(f"{w}.listed = 1")
        for condition, value in self._times() if by_time else self._sizes():
            self._add(condition, value)

    @property
    def filtered(self) -> bool:
        """Whether there are conditions that the index does not know."""
        before, values = list(self.conditions), list(self.values)
        self.filter()
        more = set(self.conditions) - set(before) - {"i.listed = 1"}
        of_one = self._wanted.public and (self._wanted.account_id, self._wanted.user_id) != (None, None)
        self.conditions, self.values = before, values
        return bool(more) or of_one

    @property
    def where(self) -> str:
        return " AND ".join(self.conditions)

    def _add(self, condition: str, value: object) -> None:
        if value is not None:
            self.conditions.append(condition)
            self.values.append(value)

    def _times(self) -> tuple[tuple[str, int | None], ...]:
        w, wanted = self._w, self._wanted
        return (f"{w}.created_ms >= ?", wanted.from_ms), (f"{w}.created_ms < ?", wanted.before_ms)

    def _sizes(self) -> tuple[tuple[str, int | None], ...]:
        w, wanted = self._w, self._wanted
        return (f"{w}.size >= ?", wanted.min_size), (f"{w}.size <= ?", wanted.max_size)

    def beyond(self, place: Place) -> None:
        """Begin behind it."""
        self._bound("<" if self._wanted.descending else ">", place)

    def until(self, place: Place) -> None:
        """End with it."""
        self._bound(">=" if self._wanted.descending else "<=", place)

    def _bound(self, sign: str, place: Place) -> None:
        self.conditions.append(f"({self.place}) {sign} (?, ?)")
        self.values += place

    def entries(self, count: int) -> str:
        """The first `count` of the index as something to select from."""
        alias = f" {self._w}"
        table = self.index.removesuffix(alias)
        return f"(SELECT * FROM {table}{alias} WHERE {self.where} ORDER BY {self.order} LIMIT {count}){alias}"

    def filters(self) -> list[str]:
        """The conditions that the index does not know, alone; their values are behind those of the walk."""
        known = len(self.conditions)
        self.filter()
        return self.conditions[known:]

    def filter(self) -> None:
        """The conditions that the index does not know."""
        wanted = self._wanted
        if wanted.public:
            self.conditions.append("i.listed = 1")
        if not self._by_tag:
            self._add("EXISTS (SELECT 1 FROM image_tags t WHERE t.image_id = i.image_id AND t.tag = ?)", wanted.tag)
        self._add("i.content_type = ?", wanted.content_type)
        self._add("i.visibility = ?", None if wanted.visibility is None else wanted.visibility.value)
        self._add("i.width >= ?", wanted.min_width)
        self._add("i.height >= ?", wanted.min_height)
        for condition, value in self._sizes() if wanted.sort is Sort.CREATED else self._times():
            self._add(condition, value)
