"""Whether a branch is still there: no run tells that somebody deleted it."""

from typing import Final
from urllib.parse import quote

from providers._base import ProviderError
from providers._github.client import Client, Reply

_NO_BRANCH: Final = "branch not found"  # what else answers 404 is a repository that we may not see


def is_branch_gone(client: Client, key: str, branch: str) -> bool:
    """Whether neither a branch nor a tag has this name any more; at most two requests, none when few are left.

    `key` is that of a pipeline: `owner/name/<path of the workflow>`. Raises what `Client.get` raises.
    """
    owner, _, rest = key.partition("/")
    repository, name = f"/repos/{owner}/{rest.partition('/')[0]}", quote(branch, safe="")
    client.insist_on_room()
    reply = client.get(f"{repository}/branches/{name}", may_be_gone=True)
    if reply.found:
        return _text(reply, "name") not in {None, branch}  # redirected to the name that the branch has now
    if (_text(reply, "message") or "").casefold() != _NO_BRANCH:
        return False
    return not client.get(f"{repository}/git/ref/tags/{name}", may_be_gone=True).found


def _text(reply: Reply, name: str) -> str | None:
    try:
        found = reply.json()
    except ProviderError:
        return None
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else None
