"""Many uploads: at once, and several files in one form."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import images
from tests.functional.api.client import Api, File, multipart
from tests.functional.api.uploading import JPEG, mine


def test_bursts_lose_nothing(api: Api) -> None:
    """Some at once more than there are slots, of several users; all are there, each with its own bytes."""
    _burst(api, 120, at_once=24)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_thousand_in_bursts_lose_nothing(api: Api) -> None:
    _burst(api, 1000, at_once=50)


def _burst(api: Api, count: int, *, at_once: int) -> None:
    users = [api.as_user(api.register()) for _ in range(4)]
    # Each different, some smaller than a pack takes and some larger.
    small, large = images.jpeg((200, 150)), images.jpeg((900, 700), quality=92)
    bodies = [(small if number % 2 else large) + number.to_bytes(4) for number in range(count)]
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(lambda n: users[n % 4].upload(bodies[n], visibility="private"), range(count)))
    assert [answer.status for answer in answers] == [201] * count
    ids = [answer.json["id"] for answer in answers]
    assert len(set(ids)) == count

    def fetched(number: int) -> bytes:
        return users[number % 4].get(f"images/{ids[number]}/file").body

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fetched, range(count)))
    assert found == bodies


def test_a_batch_takes_each_file_by_itself(me: Api) -> None:
    files = [JPEG, b"no image", images.png((30, 20)), JPEG + bytes(10_000_000)]
    form = [("visibility", "unlisted"), *(("files", File(data, f"{n}.jpg")) for n, data in enumerate(files))]
    answer = me.post("images/batch/upload", form=[*form, ("metadata", '{"trip": 1}')])
    assert answer.status == 200, answer.body
    made, failed = answer.json["images"], answer.json["failed"]
    assert [(image["filename"], image["visibility"], image["metadata"]) for image in made] == [
        ("0.jpg", "unlisted", {"trip": 1}),
        ("2.jpg", "unlisted", {"trip": 1}),
    ]
    assert [(one["index"], one["filename"], one["code"]) for one in failed] == [
        (1, "1.jpg", "INVALID_FILE_FORMAT"),
        (3, "3.jpg", "FILE_TOO_LARGE"),
    ]
    assert [me.get(f"images/{image['id']}/file").body for image in made] == [files[0], files[2]]


def test_a_batch_that_is_broken_leaves_nothing(api: Api) -> None:
    dora = api.as_user(api.register())
    body, content_type = multipart([("files", File(JPEG)), ("files", File(JPEG))])
    answer = dora.post("images/batch/upload", body=body[:-10], headers={"Content-Type": content_type})
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
    assert dora.post("images/batch/upload", form=[("files", File(JPEG)), ("metadata", "x")]).status == 422
    assert dora.post("images/batch/upload", form=[("files", File(JPEG))] * 21).status == 422
    assert dora.post("images/batch/upload", form=[("metadata", "{}")]).status == 422
    assert mine(dora) == []
