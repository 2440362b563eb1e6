"""Consoles as pipelines write them, with all that stands around the lines that matter."""

from collections.abc import Iterator
from dataclasses import dataclass

_NOTE = "\x1b[8mha:////4AAAAXx+LCAAAAAAAAP9b85aBtbiIQTGjNKU4P08vOT+vOD8nVc83PyU1x6OyILUoJzMv2y+/JJUBAhiZGA==\x1b[0m"
_AGENT = "agent-2"
_GOOD = {
    "Build": ("make build", "python -m compileall -q src\nmypy src\n\x1b[32mSuccess:\x1b[0m no issues in 214 files\n"),
    "Test": (
        "./mvnw -B verify",
        "[INFO] Running checkout.CartTest\n[INFO] Tests run: 12, Failures: 0, Skipped: 1\n[INFO] BUILD SUCCESS\n",
    ),
    "Deploy": (
        "helm upgrade --install checkout ./chart",
        'Release "checkout" has been upgraded. Happy Helming!\nSTATUS: deployed\n',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a console is about."""

    job: str
    remote: str
    commit: str
    title: str
    stages: tuple[str, ...]
    stop: tuple[str, ...] = ()  # the stage, the script and the output that ended it
    exit_code: int = 0


def console(scene: Scene) -> str:
    """The console of a pipeline build, hidden notes and the messages of Pipeline itself included."""
    return "\n".join(_lines(scene)) + "\n"


def _lines(scene: Scene) -> Iterator[str]:
    yield f"{_NOTE}Started by an SCM change"
    yield from (_own("Start of Pipeline"), _own("node"))
    yield f"Running on {_AGENT} in /var/jenkins/workspace/{scene.job}"
    yield _own("{")
    failed = False
    for name in scene.stages:
        yield from (_own("stage"), _own(f"{{ ({name})"))
        if failed:
            yield f'Stage "{name}" skipped due to earlier failure(s)'
        else:
            failed = name == scene.stop[0] if scene.stop else False
            yield from _stage(name, scene, failed=failed)
        yield from (_own("}"), _own("// stage"))
    yield from (_own("}"), _own("// node"), _own("End of Pipeline"))
    if failed:
        yield f"ERROR: script returned exit code {scene.exit_code}"
    yield f"Finished: {'FAILURE' if failed else 'SUCCESS'}"


def _own(words: str) -> str:
    return f"{_NOTE}[Pipeline] {words}"


def _stage(name: str, scene: Scene, *, failed: bool) -> Iterator[str]:
    if name == "Checkout":
        yield _own("checkout")
        yield "Selected Git installation does not exist. Using Default"
        yield f" > git fetch --tags --force --progress -- {scene.remote} +refs/heads/*:refs/remotes/origin/*"
        if not failed:
            yield f"Checking out Revision {scene.commit} (refs/remotes/origin/main)"
            yield f'Commit message: "{scene.title}"'
            return
    script, output = scene.stop[1:] if failed else _GOOD[name]
    yield from (_own("sh"), f"+ {script}", *output.rstrip("\n").split("\n"))
    if name == "Test":
        yield from (_own("junit"), "Recording test results")
