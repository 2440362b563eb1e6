"""Jobs of a simulated run: steps, what GitHub writes at them, logs; and the archives that a run leaves behind."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_STEP: Mapping[str, str] = {"timed_out": "cancelled", "cancelled": "cancelled"}
_SAID: Mapping[str, str] = {
    "failure": "Process completed with exit code 2.",
    "timed_out": "The job has exceeded the maximum execution time of 6h0m0s",
    "cancelled": "The operation was canceled.",
}
_LINE_TAKES = timedelta(milliseconds=37)
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True, kw_only=True)
class Step:
    """A step of a job; all steps share its time."""

    name: str
    conclusion: str | None = "success"


@dataclass(slots=True, kw_only=True, eq=False)
class WorkJob:
    """A job of an attempt. Its id is also that of its check run."""

    id: int
    name: str
    conclusion: str
    steps: list[Step]
    log: bytes = b""
    log_state: str = "kept"  # kept, expired (410), lost (404)
    annotations: list[dict[str, object]] = field(default_factory=list)
    started_at: datetime | None = None  # default: with its attempt
    completed_at: datetime | None = None
    runner: str = "GitHub Actions 1"
    runner_group: str = "GitHub Actions"
    labels: Sequence[str] = ("ubuntu-latest",)


@dataclass(slots=True, kw_only=True, eq=False)
class RunArtifact:
    """A zip archive that a run left behind."""

    id: int
    name: str
    content: bytes
    created_at: datetime
    expired: bool = False


def made_job(
    id_: int,
    name: str,
    conclusion: str,
    *,
    failing_step: str | None = None,
    steps: Sequence[str] = (),
    annotation: str | None = None,
    annotations: Sequence[Mapping[str, object]] = (),
    log: bytes = b"",
    runner: str | None = None,
    begun: bool = True,
) -> WorkJob:
    """A job whose steps end as its conclusion says.

    Args:
        id_: Also of its check run.
        name: As people see it: `test (3.12)`.
        conclusion: In GitHub's words.
        failing_step: Where a failure breaks (default: the main one).
        steps: Their names, between the first and the last.
        annotation: What GitHub says about it (default: what it always says).
        annotations: What else stands there, as arguments of `remark`.
        log: As it lies in the storage.
        runner: The name of a machine of one's own (default: one of GitHub's).
        begun: False when it found no runner: it has no steps.
    """
    main = f"Run make {name}"
    names = ["Set up job", *(steps or ("Checkout", main)), "Complete job"]
    if failing_step is not None and failing_step not in names:
        names.insert(len(names) - 1, failing_step)
    breaks_at = failing_step or (main if main in names else names[-2])
    broken = names.index(breaks_at) if conclusion not in ("success", "skipped", "neutral") else len(names)
    words = ["success"] * broken + [_STEP.get(conclusion, "failure")] + ["skipped"] * len(names)
    made = WorkJob(
        id=id_,
        name=name,
        conclusion=conclusion,
        steps=[Step(name=n, conclusion=w) for n, w in zip(names, words, strict=False)],
        log=log,
    )
    if conclusion == "skipped" or not begun:
        made.steps = []
    if runner is not None:
        made.runner, made.runner_group, made.labels = runner, "Default", ("self-hosted", "linux")
    text = annotation or _SAID.get(conclusion)
    made.annotations = [remark(text)] if text is not None else []
    made.annotations += [remark(**dict(each)) for each in annotations]  # type: ignore[arg-type]
    return made


def remark(
    message: str, *, level: str = "failure", path: str = ".github", line: int = 42, title: str = ""
) -> dict[str, object]:
    """An annotation. level: notice, warning, failure. What the runner itself writes has the path `.github`."""
    return {
        "path": path,
        "blob_href": "",
        "start_line": line,
        "start_column": None,
        "end_line": line,
        "end_column": None,
        "annotation_level": level,
        "title": title,
        "message": message,
        "raw_details": "",
    }


def stamped(lines: Sequence[str], at: datetime) -> bytes:
    """Lines of a job's log as GitHub writes them: a BOM, and a time before each line."""
    stamps = ((at + _LINE_TAKES * index).strftime("%Y-%m-%dT%H:%M:%S.%f0Z") for index in range(len(lines)))
    return _BOM + "".join(f"{stamp} {line}\n" for stamp, line in zip(stamps, lines, strict=True)).encode()


def default_log(job: WorkJob, at: datetime) -> bytes:
    """The log of a job that was given none: groups, colours, and an error when it failed."""
    lines = ["##[group]Run make " + job.name, "make " + job.name, "##[endgroup]", "\x1b[32mcompiled 214 files\x1b[0m"]
    if job.conclusion == "failure":
        lines += ["src/cart.ts(41,7): error TS2322: Type 'string' is not assignable to type 'number'.",
                  "make: *** [Makefile:12] Error 2", "##[error]Process completed with exit code 2."]  # fmt: skip
    return stamped(lines, at)


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A zip archive of these files; the same for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
