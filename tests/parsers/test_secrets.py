"""Secrets go, whatever else a log says stays."""

import pytest

from parsers.secrets import redacted

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("ghp_" + "a1B2" * 9, "a1B2"),
        (f"ghs_1_{JWT}", "eyJ"),
        ("github_pat_11ABCDEFG0abcdefghijklm_" + "x1" * 25, "11ABC"),
        ("id AKIA" + "IOSFODNN7EXAMPLE used", "IOSFODNN7"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY", "wJalr"),
        ("aws_secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCY", "wJalr"),
        (JWT, "eyJ"),
        ("xoxb-" + "123456789012-abcdefGHIJ", "abcdef"),
        ("curl https://hooks.slack.com/services/" + "T0/B0/abcdef012345", "abcdef"),
        ("password=hunter2hunter", "hunter2"),
        ("DB_PASSWORD='s3cr3t!x' ./run", "s3cr3t"),
        ("token: 9f86d081884c7d659a2f", "9f86"),
        ("Authorization: Bearer abc.def-123456", "abc.def"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNl"),
        ("curl -H 'Authorization: token 0123456789abcdef'", "0123"),
        ("got Bearer 0123456789abcdefghij0", "0123"),
        ("https://ada:pa55word@git.example.com/x.git", "pa55"),
        ("https://0123456789abcdefghij@git.example.com/x.git", "0123"),
        ("mysql --password hunter2x", "hunter2"),
        ('{"password": "hunter22"}', "hunter"),
        ("PASSWORD = hunter2", "hunter"),
        ("Set-Cookie: session=abcdef123456; Path=/", "abcdef"),
        ("npm_" + "a1B2" * 9, "a1B2"),
    ],
)
def test_what_has_the_form_of_a_secret_is_gone(text: str, secret: str) -> None:
    assert secret not in redacted(text)
    assert "[redacted]" in redacted(text)
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "password: missing",
        "password=changing(",
        "token: expected ')'",
        "SyntaxError: Unexpected token < in JSON at position 0",
        "Error: Input required and not supplied: token",
        "password=***",
        "password=${PASSWORD} token=$TOKEN",
        "secrets: inherit",
        "Permission denied (publickey,password).",
        "git@github.com:acme/web.git",
        "https://example.com:8080/a@b",
        "tests/test_password.py::test_token PASSED",
        "bearer token required",
        "token: str | None = None",
        "access_token: Optional[str]",
        "token = tokenizer.next()",
        "num_tokens: 131072 kv_token=0.95545",
        'password authentication failed for user "ada"',
        "cache-key: node-cache-Linux-x64-npm-0f3a",
        "Authorization: ***",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


def test_a_key_goes_and_its_lines_stay_lines() -> None:
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    body = "MIIEpAIBAAKCAQEAabcdefgh\nabc/+=0123456789abcdefgh"
    whole = redacted(f"a\n{begin}\n{body}\n{end}\nb")
    assert "MIIE" not in whole
    assert "abc/" not in whole
    assert whole.count("\n") == 5
    cut = redacted(f"{body}\n{end}\nb")
    assert "MIIE" not in cut
    assert cut.endswith(f"{end}\nb")
    open_end = redacted(f"{begin}\n{body}")
    assert "MIIE" not in open_end
