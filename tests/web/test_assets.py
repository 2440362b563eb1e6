"""Style sheets, scripts and vendored libraries."""

import gzip
import hashlib
import re
from importlib.resources import files

from fastapi.testclient import TestClient

STATIC = files("web").joinpath("static")


def asset(client: TestClient, name: str) -> str:
    """The address of a file, as a page names it."""
    page = client.get("/analysis", headers={"Accept": "text/html"}).text
    found = re.search(rf'"(/assets/[0-9a-f]+/{re.escape(name)})"', page)
    assert found is not None
    return found[1]


def test_a_file_under_its_hash_never_has_to_be_asked_for_again(client: TestClient) -> None:
    answer = client.get(asset(client, "style.css"))
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]


def test_without_the_hash_it_is_asked_for_and_sent_when_it_differs(client: TestClient) -> None:
    answer = client.get("/assets/vendor/preact.js")
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get("/assets/vendor/preact.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_modules_find_each_other_beside_them(client: TestClient) -> None:
    root = asset(client, "app.js").removesuffix("app.js")
    seen, todo = set(), ["app.js"]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = client.get(root + name)
        assert answer.status_code == 200, name
        folder = name.rpartition("/")[0]
        todo += [
            f"{folder}/{found}" if folder else found
            for found in re.findall(r"""(?:from|import\()\s*["']\./([\w./-]+)["']""", answer.text)
        ]
    assert {"live.js", "charts.js", "vendor/preact.js", "vendor/hooks.js", "vendor/uplot.js"} <= seen


def test_nothing_else_of_the_machine_is_served(client: TestClient) -> None:
    for path in (
        "/assets/../pages.py",
        "/assets/vendor/README.md",
        "/assets/%2e%2e/app.py",
        "/assets/0000/style.css",
        "/assets/",
    ):
        assert client.get(path).status_code == 404


def test_vendored_files_are_those_of_the_list() -> None:
    vendor = STATIC.joinpath("vendor")
    listed = dict(
        re.findall(r"^\| `([\w.-]+)` .* `([0-9a-f]{64})` \|$", vendor.joinpath("README.md").read_text(), re.MULTILINE)
    )
    there = {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in vendor.iterdir()
        if each.name.endswith((".js", ".css"))
    }
    assert there == listed
    assert len(list(vendor.joinpath("licences").iterdir())) == 5


def test_all_scripts_together_are_small_and_evaluate_nothing() -> None:
    scripts = [
        each.read_bytes()
        for folder in (STATIC, STATIC.joinpath("vendor"))
        for each in folder.iterdir()
        if each.name.endswith(".js")
    ]
    assert sum(len(gzip.compress(each)) for each in scripts) < 60_000
    assert not [each[:60] for each in scripts if re.search(rb"\beval\(|new Function|document\.write", each)]


def test_our_own_scripts_make_no_markup_of_text() -> None:
    ours = [each.read_text() for each in STATIC.iterdir() if each.name.endswith(".js")]
    assert not [each[:60] for each in ours if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|dangerously", each)]
