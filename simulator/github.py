"""A GitHub on the loopback interface: the part of the REST API that concerns Actions, over a `GithubWorld`."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlencode

from typing_extensions import override

from simulator.github_actions import ActionsRoutes
from simulator.github_answers import DOCS, Refusal, listed
from simulator.github_export import Writer
from simulator.github_quota import App, Identity, Meter
from simulator.github_storage import BlobStorage
from simulator.github_world import GithubWorld, Repository
from simulator.moments import whole_seconds
from simulator.server import Answer, Request, Server, json_answer


class GithubServer(Server):
    """github.com, or a GitHub Enterprise Server with `prefix="/api/v3"`.

    `tokens` say who is asking; without a token one is anonymous (60 requests an hour, public repositories).
    `link_base` is what Link headers start with (default: this server). `index_lag` is how far filtered lists are
    behind. `rate_limits=False` is a GHES as it comes. `strong_etags` writes `"…"` instead of `W/"…"`.
    """

    def __init__(
        self,
        world: GithubWorld,
        *,
        prefix: str = "",
        tokens: Mapping[str, Identity] | None = None,
        app: App | None = None,
        link_base: str | None = None,
        limit: int = 5000,
        **options: Any,
    ) -> None:
        super().__init__(now=world.now, lock=world.lock, **options)
        self.world = world
        self.prefix = prefix
        self.tokens = dict(tokens if tokens is not None else {"github-token": Identity(login="buildwatch-bot")})
        self.app = app
        self.link_base = link_base
        self.limit = limit
        self.anonymous_limit = 60
        self.rate_limits = True
        self.index_lag = timedelta(0)
        self.strong_etags = False
        self.html = "https://github.com"
        self.storage: BlobStorage = BlobStorage(now=world.now, lock=world.lock)
        self.points: Counter[str] = Counter()  # what each token has spent
        self.meters: dict[str, Meter] = {}

    @property
    def url(self) -> str:
        """The `api_url`, without a slash at the end."""
        return self.origin + self.prefix

    @override
    def start(self) -> Self:
        self.storage.start()
        return super().start()

    @override
    def stop(self) -> None:
        super().stop()
        self.storage.stop()

    def issue(self, installation: int = 1, *, lives: timedelta = timedelta(hours=1)) -> str:
        """A new installation token, as POST …/access_tokens hands out."""
        token = f"ghs_{installation}_{secrets.token_urlsafe(12)}.{secrets.token_urlsafe(24)}"
        login = f"{self.app.slug}[bot]" if self.app else "app[bot]"
        self.tokens[token] = Identity(
            login=login, kind="installation", expires_at=self.now() + lives, installation=installation
        )
        return token

    @override
    def answer(self, request: Request) -> Answer:
        """Identity, rate limit, then the resource; a 304 is free for those who are known."""
        base = {"X-GitHub-Request-Id": secrets.token_hex(8).upper(), "X-GitHub-Media-Type": "github.v3; format=json",
                "Server": "GitHub.com", "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP"}  # fmt: skip
        try:
            who, token = self._identify(request)
            base |= self._about(who)
            meter = self._meter(who, token)
            path = self._path(request)
            if path == ["rate_limit"]:
                return json_answer(self._rate_limit(meter), headers=base | self._limits(meter))
            self._admit(who, meter)
        except Refusal as refusal:
            return _with_headers(refusal.answer(), base)
        try:
            found = self._conditional(request, self._resource(request, path, who), token)
        except Refusal as refusal:
            found = refusal.answer()
        if found.status != HTTPStatus.NOT_MODIFIED or who is None:
            meter.used += 1
            self.points[token] += 1
        return _with_headers(found, base | self._limits(meter))

    def _identify(self, request: Request) -> tuple[Identity | None, str]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return None, ""
        if self.app is not None and request.path.startswith(f"{self.prefix}/app"):
            refusal = self.app.refusal(token, self.now())
            if refusal:
                raise Refusal(401, refusal)
            return Identity(login=self.app.slug, kind="app"), "app"
        who = self.tokens.get(token) if scheme.lower() in ("bearer", "token") else None
        if who is None or (who.expires_at is not None and who.expires_at <= self.now()):
            raise Refusal(401, "Bad credentials")
        return who, token

    def _about(self, who: Identity | None) -> dict[str, str]:
        headers = {"X-GitHub-Api-Version-Selected": "2022-11-28"}
        if who is None:
            return headers
        if who.kind == "classic":
            headers |= {"X-OAuth-Scopes": who.scopes, "X-Accepted-OAuth-Scopes": ""}
        else:
            headers["X-Accepted-GitHub-Permissions"] = "actions=read"
        if who.expires_at is not None and who.kind != "installation":
            headers["GitHub-Authentication-Token-Expiration"] = who.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        return headers

    def _meter(self, who: Identity | None, token: str) -> Meter:
        limit = self.anonymous_limit if who is None else who.limit or self.limit
        meter = self.meters.setdefault(token, Meter(limit))
        meter.limit = limit
        meter.begin(self.now())
        return meter

    def _admit(self, who: Identity | None, meter: Meter) -> None:
        if self.rate_limits and meter.remaining == 0:
            raise Refusal(403, self._exceeded(who), self._limits(meter))

    def _limits(self, meter: Meter) -> dict[str, str]:
        return meter.headers() if self.rate_limits else {}

    def _rate_limit(self, meter: Meter) -> dict[str, object]:
        if not self.rate_limits:
            raise Refusal(404, "Rate limiting is not enabled.")
        core = {"limit": meter.limit, "used": meter.used, "remaining": meter.remaining, "reset": meter.reset_seconds,
                "resource": "core"}  # fmt: skip
        return {"resources": {"core": core}, "rate": core}

    def _exceeded(self, who: Identity | None) -> str:
        name = f"user ID {who.login}" if who else "127.0.0.1"
        return f"API rate limit exceeded for {name}. If you reach out to GitHub Support, please include the request ID."

    def _path(self, request: Request) -> list[str]:
        if not request.path.startswith(self.prefix + "/"):
            raise Refusal(404, "Not Found")
        return list(request.segments[len([p for p in self.prefix.split("/") if p]) :])

    def _conditional(self, request: Request, found: Answer, token: str) -> Answer:
        """Give a 200 its ETag, which depends on the token; answer 304 when the client has it already."""
        if found.status != HTTPStatus.OK or request.method not in ("GET", "HEAD"):
            return found
        digest = hashlib.sha256(token.encode() + b"\0" + found.body).hexdigest()
        etag = f'"{digest}"' if self.strong_etags else f'W/"{digest}"'
        headers = {**found.headers, "ETag": etag, "Cache-Control": "private, max-age=60, s-maxage=60"}
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if f'"{digest}"' in known:
            return Answer(status=304, headers={k: v for k, v in headers.items() if k != "Content-Type"})
        return Answer(status=200, headers=headers, body=found.body)

    def writer(self, seen_at: datetime) -> Writer:
        """Writes what was there at a moment."""
        return Writer(self.url, self.html, seen_at)

    def _resource(  # noqa: C901, PLR0911  (a table of routes)
        self, request: Request, path: Sequence[str], who: Identity | None
    ) -> Answer:
        match path:
            case []:
                return json_answer({"current_user_url": f"{self.url}/user"})
            case ["meta"]:
                return json_answer({"installed_version": "3.18.1"} if self.prefix else {"domains": {}})
            case ["user"]:
                return self._user(who)
            case ["user", "repos"] if who is not None:
                return self._page(request, self._repositories(self.world.repositories.values(), who))
            case ["orgs", org, "repos"]:
                return self._owned(request, org, who, organization=True)
            case ["users", user, "repos"]:
                return self._owned(request, user, who, organization=False)
            case ["app", *rest]:
                return self._app(request, rest, who)
            case ["installation", "repositories"]:
                return self._installation(request, who)
            case ["repos", owner, name, *rest]:
                return self._named(request, f"{owner}/{name}", rest, who)
            case ["repositories", number, *rest] if number.isdigit():
                found = self.world.by_id(int(number))
                if found is not None:
                    return self._repository(request, found, rest, who)
        raise Refusal(404, "Not Found")

    def _user(self, who: Identity | None) -> Answer:
        if who is None:
            raise Refusal(401, "Requires authentication")
        if who.kind == "installation":
            raise Refusal(403, "Resource not accessible by integration")
        return json_answer(self.writer(self.now()).owner(who.login))

    def _repositories(self, found: Iterable[Repository], who: Identity | None) -> list[dict[str, object]]:
        seen = [r for r in found if not r.private or (who is not None and who.private)]
        newest = sorted(seen, key=lambda r: r.pushed_at, reverse=True)
        return [self.writer(self.now()).repository(r, organization=r.owner not in self.world.users) for r in newest]

    def _owned(self, request: Request, owner: str, who: Identity | None, *, organization: bool) -> Answer:
        found = self.world.owned(owner)
        if not found or (organization and owner in self.world.users):
            raise Refusal(404, "Not Found")
        return self._page(request, self._repositories(found, who))

    def _app(self, request: Request, rest: Sequence[str], who: Identity | None) -> Answer:
        if self.app is None or who is None or who.kind != "app":
            raise Refusal(401, "A JSON web token could not be decoded")
        match request.method, rest:
            case "GET", []:
                return json_answer({"id": int(self.app.id), "slug": self.app.slug, "name": self.app.slug})
            case "GET", ["installations"]:
                owners = self.app.installations.items()
                return json_answer([{"id": n, "account": self.writer(self.now()).owner(o)} for n, o in owners])
            case "POST", ["installations", number, "access_tokens"] if (
                number.isdigit() and int(number) in self.app.installations
            ):
                token = self.issue(int(number))
                ends = whole_seconds(self.now() + timedelta(hours=1))
                grants = {"actions": "read", "checks": "read", "metadata": "read"}
                body = {"token": token, "expires_at": ends, "permissions": grants, "repository_selection": "all"}
                return json_answer(body, status=201)
        raise Refusal(404, "Not Found")

    def _installation(self, request: Request, who: Identity | None) -> Answer:
        if who is None or who.kind != "installation":
            raise Refusal(403, "You must authenticate with an installation access token")
        owner = self.app.installations.get(who.installation or 0) if self.app else None
        found = self.world.owned(owner) if owner else self.world.repositories.values()
        return self._page(request, self._repositories(found, who), "repositories")

    def _named(self, request: Request, full_name: str, rest: Sequence[str], who: Identity | None) -> Answer:
        found = self.world.repositories.get(full_name.lower())
        moved = self.world.renamed.get(full_name.lower())
        if found is None and moved is not None:
            location = "/".join([f"{self.url}/repositories/{moved.id}", *rest])
            location += f"?{urlencode(request.query)}" if request.query else ""
            body = {"message": "Moved Permanently", "url": location, "documentation_url": DOCS}
            return json_answer(body, status=301, headers={"Location": location})
        if found is None:
            raise Refusal(404, "Not Found")
        return self._repository(request, found, rest, who)

    def _repository(
        self, request: Request, repository: Repository, rest: Sequence[str], who: Identity | None
    ) -> Answer:
        if repository.private and (who is None or not who.private):
            raise Refusal(404, "Not Found")
        if rest and who is not None and not _may_read(who, rest[0]):
            raise Refusal(403, "Resource not accessible by personal access token")
        return ActionsRoutes(self, request, repository).answer(rest)

    def _page(self, request: Request, values: Sequence[object], key: str | None = None) -> Answer:
        base = (self.link_base or self.url) + request.path.removeprefix(self.prefix)
        return listed(request, values, base, key)


def _may_read(who: Identity, what: str) -> bool:
    granted = {"actions": who.actions, "check-runs": who.checks, "compare": who.contents, "commits": who.contents}
    return granted.get(what, True)


def _with_headers(found: Answer, headers: Mapping[str, str]) -> Answer:
    return Answer(status=found.status, headers={**headers, **found.headers}, body=found.body)
