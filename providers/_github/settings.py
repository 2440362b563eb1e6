"""The keys of config.yaml for GitHub: `kind: github` under `providers:`, and its entries under `pipelines:`."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from typing_extensions import override

from providers._base import PipelineEntry, ProviderSettings
from providers._labels import ARTIFACT, BUILT_ON, PARAMETER

PUBLIC_API = "https://api.github.com"


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        message = "write it like https://github.example.com/api/v3"
        raise ValueError(message)
    return text.rstrip("/")


class GitHubSettings(ProviderSettings):
    """`kind: github` under `providers:`."""

    kind: Literal["github"]
    api_url: Annotated[str, AfterValidator(_base_url)] = PUBLIC_API
    token: SecretStr | None = None  # a personal access token; none: public repositories, 60 requests an hour
    app_id: str | int | None = None  # or a GitHub App, with the two keys below
    private_key: SecretStr | None = None  # PEM
    installation_id: int | None = None
    ca_file: Path | None = None  # certificates of an own authority, PEM
    verify: bool = True
    proxy: SecretStr | None = None
    trust_env: bool = False  # whether ~/.netrc and *_PROXY count

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        app = (self.app_id, self.private_key, self.installation_id)
        if any(part is not None for part in app) and None in app:
            message = "a GitHub App needs all three: app_id, private_key and installation_id"
            raise ValueError(message)
        if self.token is not None and self.app_id is not None:
            message = "either token, or app_id with private_key and installation_id, not both"
            raise ValueError(message)
        return self

    @property
    def web_url(self) -> str:
        """Where people look at what the API shows."""
        if self.api_url == PUBLIC_API:
            return "https://github.com"
        parts = urlsplit(self.api_url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/api/v3').removesuffix('/api')}"


class GitHubEntry(PipelineEntry):
    """An entry of `pipelines:` on GitHub."""

    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            PARAMETER: "GitHub tells nobody the inputs of a workflow: put them into `run-name:` of the workflow, "
            'and read the label off `title`, like {title: "on (?P<value>.*)"}',
            "description": "runs on GitHub have no description; `title` is what they show",
        }
    )

    late: ClassVar[frozenset[str]] = frozenset({ARTIFACT, BUILT_ON})

    repo: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9._*?-]+$")]  # owner/name; * and ? in the name
    workflow: str | None = None  # file name (ci.yml), path, or a glob of either; default: all

    @property
    def owner(self) -> str:
        """The organisation or person."""
        return self.repo.partition("/")[0]

    @property
    def is_glob(self) -> bool:
        """Whether the repositories have to be looked up."""
        return "*" in self.repo or "?" in self.repo

    @property
    def is_one_workflow(self) -> bool:
        """Whether `workflow` names one."""
        return self.workflow is not None and not set("*?[") & set(self.workflow)

    def matches_repository(self, repository: str) -> bool:
        """Whether this entry watches workflows of `owner/name`. GitHub's names ignore case."""
        return fnmatchcase(repository.casefold(), self.repo.casefold())

    @override
    def matches(self, key: str) -> bool:
        """`acme/web/.github/workflows/ci.yml` is watched by `repo: acme/*` with `workflow: ci.yml`."""
        owner, _, rest = key.partition("/")
        name, _, path = rest.partition("/")
        if not path or not self.matches_repository(f"{owner}/{name}"):
            return False
        if self.workflow is None:
            return True
        subject = path if "/" in self.workflow else path.rpartition("/")[2]
        return fnmatchcase(subject, self.workflow.removeprefix("/"))
