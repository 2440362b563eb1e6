"""Logs that nobody on this project wrote: their bucket, and the line that a person would point at."""

from pathlib import Path

import pytest

from domain.details import Log
from parsers.buckets import explain
from parsers.builtin_rules import builtin_rules

LOGS = Path(__file__).parents[3] / "shared" / "data" / "logs"
MEGABYTE = 1 << 20

SIGNATURE = None
EXPECTED = [
    ("tenstorrent/samples/infra_network_dns.txt", "Network or DNS Failure", "Temporary failure in name resolution"),
    ("tenstorrent/samples/infra_docker_pull_failure.txt", "Registry Pull Failed", "manifest unknown"),
    ("tenstorrent/samples/app_cli_argparse.txt", "Bad Command Line", "error: unrecognized arguments: --num-scheduler"),
    ("tenstorrent/samples/pytest_failed_adjacent_skip.txt", "Test Failed", "AssertionError: Some performance metrics"),
    ("tenstorrent/samples/tt_metal_dispatch_timeout.txt", "Timeout", "TIMEOUT: device timeout in fetch queue wait"),
    ("tenstorrent/samples/tt_metal_fabric_timeout.txt", "Timeout", "Timeout waiting for Ethernet core service"),
    ("tenstorrent/samples/tt_metal_memory_oom.txt", "Out of Memory", "Out of Memory: Not enough space to allocate"),
    ("tenstorrent/samples/tt_metal_trace_fatal.txt", SIGNATURE, "TT_FATAL: Creating trace buffers of size"),
    ("tenstorrent/samples/vllm_config_error.txt", SIGNATURE, "do not support max_model_len greater than 32768"),
    ("tenstorrent/samples/model_load_failure.txt", SIGNATURE, "KeyError: (1, 4)"),
    ("tenstorrent/samples/unknown_lmms_eval.txt", SIGNATURE, "ValueError: Tasks not found: librispeech_test_other"),
    ("tenstorrent/samples/model_evals_below_target.txt", SIGNATURE, "ImageGenerationEvalsTest ACCURACY_CHECK failed"),
    ("nodejs/git-failure-1/*.txt", "Checkout Failed", "ssh_dispatch_run_fatal: Connection to"),
    ("nodejs/git-failure-2/console.txt", "Checkout Failed", "Cannot rebase: You have unstaged changes."),
    ("nodejs/js-flake-1/*.txt", "Test Failed", "not ok 2178 sequential/test-inspector-port-zero-cluster"),
    ("nodejs/no-compiler-error/*.txt", "Missing Tool", "ERROR: No acceptable C compiler found!"),
]
GREEN = [
    "tenstorrent/samples/success_healthy.txt",
    "nodejs/benchmark-buffer/*.txt",
    "jenkins-rest/build-consoleText.txt",
    "jenkins-rest/progressive-text.txt",
]


def _recorded(pattern: str) -> Log:
    found = list(LOGS.glob(pattern))
    if not found:
        pytest.skip(f"{LOGS / pattern} is not here")
    with found[0].open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - MEGABYTE, 0))
        return Log(name=None, text=file.read().decode(errors="replace"), whole=size <= MEGABYTE)


@pytest.mark.parametrize(("pattern", "bucket", "cause"), EXPECTED, ids=[pattern for pattern, *_ in EXPECTED])
def test_the_cause_is_in_the_excerpt_of_a_recorded_failure(pattern: str, bucket: str | None, cause: str) -> None:
    found = explain(builtin_rules(), provider="ci", job="x", stage=None, logs=[_recorded(pattern)])
    assert found.bucket is not None
    assert found.bucket.reason == bucket or (bucket is SIGNATURE and found.bucket.rule is None)
    assert found.excerpt is not None
    assert any(cause in line for line in found.excerpt.lines)
    assert 1 <= len(found.excerpt.lines) <= 15


@pytest.mark.parametrize("pattern", GREEN)
def test_no_builtin_rule_hits_a_recorded_build_that_passed(pattern: str) -> None:
    log = _recorded(pattern)
    found = explain(builtin_rules(), provider="ci", job="x", stage=None, logs=[log], signatures=False)
    assert found.bucket is None
