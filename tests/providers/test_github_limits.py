"""Rate limits, credentials and the connection: obeyed by coming back later, never by sleeping."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers._base import Allowance, ProviderError, Refused, Trouble, Unavailable
from providers._github.auth import AppToken, fingerprint
from providers._github.quota import POINTS_PER_MINUTE, Quota
from providers._http import Answer, Http
from providers.github import PUBLIC_API
from tests.support.fault_server import FaultServer, answering, delayed, dripping, gzip_bomb, html, resetting
from tests.support.github_api import GitHubApi, failing, ok, run
from tests.support.github_provider import Watcher, provider

RUNS = "/repos/acme/web/actions/runs"
DATE = "Fri, 20 Nov 2026 18:00:00 GMT"
AT_DATE = int(datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp())


def refusal(watcher: Watcher) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        watcher.poll()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (failing(429, {"Retry-After": "30"}), 30),
        (failing(403, {"Retry-After": "60"}), 60),
        (failing(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(AT_DATE + 600), "Date": DATE}), 601),
        (failing(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(AT_DATE - 5), "Date": DATE}), 1),
        (failing(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}), 60),
        (failing(403, {}, "You have exceeded a secondary rate limit."), 60),
        (failing(429), 60),
    ],
)
def test_a_limit_holds_for_the_whole_provider_until_its_end_without_further_requests(
    api: GitHubApi, answer: Callable[[], tuple[int, dict[str, str], str]], wait: float
) -> None:
    """G15."""
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.others[RUNS] = answer
    error = refusal(watcher)
    assert isinstance(error, Unavailable)
    assert (error.trouble, error.retry_after, error.provider_wide) == (Trouble.RATE_LIMIT, wait, True)
    api.asked.clear()
    again = refusal(watcher)
    assert isinstance(again, Unavailable)
    assert again.retry_after == pytest.approx(wait, abs=1)
    assert api.asked == []


def test_a_plain_403_is_a_missing_permission_and_no_limit(api: GitHubApi) -> None:
    """G15: polling goes on for the other repositories."""
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.others[RUNS] = failing(403, {"X-RateLimit-Remaining": "4711"}, "Resource not accessible by integration")
    error = refusal(watcher)
    assert isinstance(error, Refused)
    assert error.trouble is Trouble.AUTH
    assert "Actions: read" in str(error)
    del api.others[RUNS]
    watcher.poll()


def test_401_names_the_token_and_never_shows_it(api: GitHubApi) -> None:
    api.others["/repos/acme/web"] = failing(401, {}, "Bad credentials ghp_s3cret")
    error = refusal(Watcher())
    assert isinstance(error, Refused)
    assert error.trouble is Trouble.AUTH
    assert "s3cret" not in str(error)


def answer(status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=b"rate limit exceeded", url="u", asked="u")


def test_the_last_point_of_an_hour_is_the_last_request() -> None:
    now = [0.0]
    quota = Quota(limited=True, clock=lambda: now[0])
    quota.spend()
    last = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(AT_DATE + 99), "Date": DATE}
    quota.learn(Answer(status=200, headers=last, body=b"", url="u", asked="u"))
    with pytest.raises(Unavailable) as caught:
        quota.spend()
    assert caught.value.retry_after == 100
    now[0] = 100
    quota.spend()


def test_limits_without_a_time_wait_longer_each_time_up_to_15_minutes() -> None:
    quota = Quota(limited=True, clock=lambda: 0.0)
    waits = []
    for _ in range(6):
        with pytest.raises(Unavailable) as caught:
            quota.learn(answer(403))
        waits.append(caught.value.retry_after)
    assert waits == [60, 120, 240, 480, 900, 900]
    quota.learn(answer(200))
    with pytest.raises(Unavailable) as caught:
        quota.learn(answer(429))
    assert caught.value.retry_after == 60


def test_no_minute_holds_more_than_900_requests() -> None:
    now = [0.0]
    quota = Quota(limited=True, clock=lambda: now[0])
    for _ in range(POINTS_PER_MINUTE):
        quota.spend()
    now[0] = 59.0
    with pytest.raises(Unavailable) as caught:
        quota.spend()
    assert (caught.value.trouble, caught.value.retry_after) == (Trouble.PACED, 1.0)
    assert caught.value.provider_wide is False
    now[0] = 60.0
    quota.spend()


def test_a_server_without_limits_is_not_paced_until_it_names_one() -> None:
    quota = Quota(limited=False, clock=lambda: 0.0)
    for _ in range(POINTS_PER_MINUTE + 1):
        quota.spend()
    quota.learn(Answer(status=200, headers={"X-RateLimit-Remaining": "9"}, body=b"", url="u", asked="u"))
    with pytest.raises(Unavailable):
        quota.spend()


# ---- real faults


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (html(), Trouble.NOT_JSON),
        (answering("oops", status=502), Trouble.SERVER_ERROR),
        (resetting(), Trouble.CONNECTION),
        (gzip_bomb(64 << 20), Trouble.TOO_LARGE),
        (delayed(9, answering("{}")), Trouble.TIMEOUT),
        (dripping(b"{" + b" " * 99, every=0.05), Trouble.TIMEOUT),
    ],
)
def test_a_server_that_misbehaves_ends_the_poll_in_bounded_time_and_keeps_the_cursor(
    fault: Callable[..., bool | None], expected: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers._github.polling.POLL_SECONDS", 1.5)
    with FaultServer() as server:
        server.on("*", fault)
        watcher = Watcher(provider(api_url=server.url))
        assert refusal(watcher).trouble is expected
        assert watcher.cursors == {}
        watcher.github.close()


# ---- GitHub App


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Tokens:
    """The App's side of GitHub: numbered tokens of one hour."""

    def __init__(self, mock: responses.RequestsMock, key: rsa.RSAPrivateKey) -> None:
        self.now = 1_763_600_000.0
        self.issued: list[dict[str, object]] = []
        self._key = key
        mock.add_callback("POST", f"{PUBLIC_API}/app/installations/99/access_tokens", callback=self._issue)

    def _issue(self, request: object) -> tuple[int, dict[str, str], str]:
        signed = str(request.headers["Authorization"]).removeprefix("Bearer ")  # type: ignore[attr-defined]
        options = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(signed, self._key.public_key(), algorithms=["RS256"], options=options)  # type: ignore[arg-type]
        self.issued.append(claims)
        expires = datetime.fromtimestamp(self.now + 3600, UTC)
        token = f"ghs_{len(self.issued)}_eyJ.x-y.z"  # stateless tokens: long, with dots
        return 201, {}, ok({"token": token, "expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}"})[2]


@pytest.fixture
def tokens(key: rsa.RSAPrivateKey) -> Iterator[Tokens]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Tokens(mock, key)


def app(tokens: Tokens, pem: str, installation: int = 99) -> AppToken:
    return AppToken(
        Http(),
        api_url=PUBLIC_API,
        app_id="4711",
        private_key=lambda: pem,
        installation_id=installation,
        clock=lambda: tokens.now,
    )


def test_an_app_signs_for_itself_and_renews_its_token_after_55_minutes(tokens: Tokens, pem: str) -> None:
    credentials = app(tokens, pem)
    assert credentials.token() == credentials.token() == "ghs_1_eyJ.x-y.z"
    assert tokens.issued == [{"iat": 1_763_599_940, "exp": 1_763_600_540, "iss": "4711"}]
    tokens.now += 54 * 60
    assert credentials.token() == "ghs_1_eyJ.x-y.z"
    tokens.now += 60
    assert credentials.token() == "ghs_2_eyJ.x-y.z"


def test_many_threads_ask_for_one_token(tokens: Tokens, pem: str) -> None:
    credentials = app(tokens, pem)
    threads = [threading.Thread(target=credentials.token) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.issued) == 1


def test_a_token_that_was_revoked_is_replaced_once(tokens: Tokens, pem: str) -> None:
    credentials = app(tokens, pem)
    first = credentials.token()
    assert first
    assert credentials.forget(first)
    assert credentials.token() == "ghs_2_eyJ.x-y.z"
    assert credentials.forget(first)  # another thread found out later
    assert credentials.token() == "ghs_2_eyJ.x-y.z"


@pytest.mark.parametrize(
    "broken", ["no key", "", "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----"]
)
def test_a_private_key_that_is_none_is_refused_without_showing_it(tokens: Tokens, broken: str) -> None:
    with pytest.raises(Refused) as caught:
        app(tokens, broken).token()
    assert "private_key" in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (401, "{}", "check `app_id`"),
        (404, "{}", "no installation 98"),
        (201, "{}", "without a token"),
        (201, "[]", "token"),
    ],
)
def test_an_app_that_gets_no_token_says_why(tokens: Tokens, pem: str, status: int, body: str, text: str) -> None:
    responses_url = f"{PUBLIC_API}/app/installations/98/access_tokens"
    with responses.RequestsMock() as mock:
        mock.post(responses_url, status=status, body=body)
        with pytest.raises(Refused, match=text) as caught:
            app(tokens, pem, 98).token()
    assert caught.value.trouble is Trouble.AUTH


def test_a_provider_polls_as_an_app_and_survives_a_revoked_token(api: GitHubApi, pem: str) -> None:
    issued = []

    def issue() -> tuple[int, dict[str, str], str]:
        issued.append(1)
        expires = datetime.now(UTC) + timedelta(hours=1)
        status, headers, body = ok({"token": f"ghs_{len(issued)}", "expires_at": expires.isoformat()})
        return 201 if status == 200 else status, headers, body

    api.others["/app/installations/99/access_tokens"] = issue
    api.put(run(1))
    watcher = Watcher(provider(token=None, app_id=4711, private_key=pem, installation_id=99))
    watcher.poll()
    assert api.asked[-1].headers["Authorization"] == "Bearer ghs_1"
    answers = iter([failing(401)()])
    api.others[RUNS] = lambda: next(answers, None) or api._list({"per_page": "100"})
    watcher.poll()
    assert api.asked[-1].headers["Authorization"] == "Bearer ghs_2"


def test_no_token_asks_anonymously(api: GitHubApi) -> None:
    api.put(run(1))
    Watcher(provider(token=None)).poll()
    assert all("Authorization" not in each.headers for each in api.asked)


def test_tags_belong_to_a_token_and_a_url() -> None:
    names = {fingerprint(token, url) for token in ("a", "b", None) for url in ("x", "y")}
    assert len(names) == 6


def test_a_token_that_changes_costs_one_full_read(api: GitHubApi) -> None:
    """G16: ETags depend on the token, so they are kept for a token and sent with no other."""
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    watcher.github = provider(token="ghp_another")
    api.asked.clear()
    for _ in range(3):
        watcher.poll()
    assert [(each.status, each.tag is None) for each in api.asked] == [(200, True), (304, False), (304, False)]


def test_what_is_left_is_what_the_last_answer_told() -> None:
    quota = Quota(limited=True)
    assert quota.left is None
    for limit, remaining in (("5000", "4321"), ("", ""), ("x", "-1")):
        headers = {"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": remaining}
        quota.learn(Answer(status=200, headers=headers, body=b"", url="u", asked="u"))
        assert quota.left == Allowance(limit=5000, remaining=4321)
    assert provider().quota() is None
