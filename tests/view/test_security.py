"""Who may ask the view's server, and what for."""

from __future__ import annotations

import socket

import pytest

from report.making import two_models
from umwelten.errors import UsageError
from umwelten.view import security
from umwelten.view.server import ViewServer
from viewkit import viewed

RATING = b'{"call": 268500993, "scale": "1-5", "value": 4}'
JSON = {"Content-Type": "application/json", "X-Umwelten": "1"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """One server for all tests: what is refused changes nothing."""
    folder = tmp_path_factory.mktemp("view")
    two_models(folder / "demo")
    with viewed(folder) as asked:
        yield asked
        assert not (folder / "demo" / "ratings.db").exists()


def test_the_token_becomes_a_cookie_and_leaves_the_address(asked):
    first = asked.raw("GET", asked.token_path.replace("/?", "/e/demo/calls?status=failed&"), {})
    assert (first.status, first.headers["Location"]) == (303, "/e/demo/calls?status=failed")
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert asked.token_path.split("token=")[1] not in cookie
    assert len(asked.token_path.split("token=")[1]) >= 43  # 256 bits
    assert asked.get("/").status == 200


def test_the_address_leads_nowhere_else(asked):
    token = asked.token_path.partition("?")[2]
    for path in (f"//example.org/?{token}", f"/%2Fexample.org/?{token}", f"/\\example.org/?{token}"):
        place = asked.raw("GET", path, {}).headers.get("Location", "/")
        assert place.startswith("/") and not place.startswith(("//", "/\\"))


def test_what_is_no_request_is_answered_and_told_to_no_terminal(asked, capfd):
    assert asked.raw("GET", "/", {"Cookie": asked.cookie.partition("=")[0] + "=\xff"}).status == 401
    assert asked.raw("GET", f"/?token={'a' * 9_000}", {}).status == 400
    for path, body in (
        ("ratings", b'{"call": 99999999999999999999, "scale": "1-5", "value": 4}'),
        (
            "control",
            b'{"verb": "set", "reason": "x", "pid": 1, "value": ' + b"[" * 9_000 + b"]" * 9_000 + b"}",
        ),
    ):
        said = asked.raw("POST", f"/api/e/demo/{path}", {"Cookie": asked.cookie, **JSON}, body)
        assert said.status == 400, said
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Cookie": ""}, 401),
        ({"Cookie": "umwelten-view=guess"}, 401),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/home", "/api/e/demo/events", "/assets/view/main.js"])
def test_strangers_are_refused_everywhere(asked, headers, status, path):
    assert asked.get(path, **headers).status == status
    assert (
        asked.raw("POST", "/api/e/demo/ratings", {"Cookie": asked.cookie, **JSON, **headers}, RATING).status
        == status
    )


def test_the_page_itself_is_answered(tmp_path, serve):
    two_models(tmp_path / "demo")
    asked = serve(tmp_path)
    same = {"Origin": f"http://{asked.host}", "Sec-Fetch-Site": "same-origin"}
    assert asked.get("/api/home", **same).status == 200
    assert asked.get("/api/home", Host=f"localhost:{asked.server.port}").status == 200
    assert (
        asked.raw("POST", "/api/e/demo/ratings", {"Cookie": asked.cookie, **JSON, **same}, RATING).status
        == 200
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"X-Umwelten": ""}, 403),
    ],
)
def test_a_form_of_another_page_changes_nothing(asked, headers, status):
    said = asked.raw("POST", "/api/e/demo/ratings", {"Cookie": asked.cookie, **JSON, **headers}, RATING)
    assert said.status == status
    assert asked.get("/api/e/demo/ratings").json["ratings"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(asked, method):
    said = asked.raw(method, "/api/home", {"Cookie": asked.cookie})
    assert said.status == 405
    assert not [name for name in said.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("token", ["", "x", "0" * 43])
def test_a_wrong_token_gets_no_cookie(asked, token):
    said = asked.raw("GET", f"/?token={token}", {})
    assert said.status == 401 and "Set-Cookie" not in said.headers


@pytest.mark.parametrize(
    "path",
    [
        "/api/e/..",
        "/api/e/..%2f..%2fetc",
        "/api/e/%2e%2e%2fdemo",
        "/api/e/.hidden",
        "/api/e/demo%00",
        "/api/e/demo/calls/..%2fx",
        "/api/e/demo/calls/-1",
        "/api/e/demo/calls/99999999999999999999",
        "/api/e/demo/calls/1",
        "/api/e/none/calls",
        "/api/e/demo/calls?after=x",
        "/api/e/demo/calls?at=2",
        "/api/e/demo/calls?sort=id;drop",
        "/api/e/demo/calls?limit=-5",
        "/api/e/demo/compare?with=..%2fdemo",
        "/assets/../server.py",
        "/assets/..%2f..%2fview%2fserver.py",
        "/assets/page/page.css",
    ],
)
def test_names_lead_nowhere_else(asked, path):
    said = asked.get(path)
    assert said.status in (400, 404), said
    assert "error" in said.json


def test_every_answer_has_the_headers(asked):
    for path in ("/", "/api/home", "/api/e/none", "/nowhere", "/assets/view/main.js"):
        headers = asked.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; frame-ancestors 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers
    assert asked.raw("GET", "/", {}).headers["X-Content-Type-Options"] == "nosniff"


def test_a_person_without_the_token_is_told_on_a_page(asked):
    said = asked.raw("GET", "/", {"Accept": "text/html,*/*"})
    assert (said.status, said.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b"open the address that umwelten view printed" in said.body
    said = asked.get("/<script>", Accept="text/html")
    assert said.status == 404 and b"<script>" not in said.body


def test_two_servers_do_not_take_each_others_cookie(asked, serve, tmp_path):
    other = serve(tmp_path)
    assert other.raw("GET", "/api/home", {"Cookie": asked.cookie}).status == 401


def test_it_listens_on_this_machine_alone(tmp_path):
    server = ViewServer(tmp_path)
    try:
        assert server._socket.getsockname()[0] == "127.0.0.1"
        with socket.socket() as other, pytest.raises(OSError):
            other.bind(("127.0.0.1", server.port))
    finally:
        server.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_need_a_token_and_an_origin(host):
    for origins, has_token_file in (((), False), ((), True), (("https://view.example",), False)):
        with pytest.raises(UsageError):
            security.check_address(host, origins, has_token_file=has_token_file)
    security.check_address(host, ("https://view.example",), has_token_file=True)


@pytest.mark.parametrize(
    "origin",
    [
        *("view.example", "https://view.example/x", "ftp://view.example", "https://"),
        *("http://[", "https://me@view.example", "https://view.example#x", "https://view.example:99999"),
        *("https:// view.example", "https://\xe9.example", "https://a\\b"),
    ],
)
def test_an_origin_is_scheme_and_host(origin):
    with pytest.raises(UsageError):
        security.check_address("127.0.0.1", (origin,), has_token_file=True)


def test_a_proxy_is_known_by_its_origin(tmp_path, serve):
    asked = serve(tmp_path, token="t" * 40, origins=("https://view.example",))
    assert asked.server.url("a") == f"https://view.example/e/a?token={'t' * 40}"
    there = {"Host": "view.example", "Origin": "https://view.example"}
    first = asked.raw("GET", asked.token_path, there)
    assert first.status == 303 and "Secure" in first.headers["Set-Cookie"]
    assert asked.get("/api/home", **there).status == 200
    assert asked.get("/api/home", Host="view.example", Origin="http://view.example").status == 403


def test_read_only_keeps_no_rating(tmp_path, serve):
    two_models(tmp_path / "demo")
    asked = serve(tmp_path, read_only=True)
    assert asked.post("/api/e/demo/ratings", {"call": 268500993, "scale": "1-5", "value": 4}).status == 403
    assert not (tmp_path / "demo" / "ratings.db").exists()
