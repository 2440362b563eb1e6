"""More of the causes that buildwatch knows by itself: checks, tools, deployments, and what is said in many voices."""

from parsers.rules import BucketRule, builtin


def checks() -> tuple[BucketRule, ...]:
    """What looks at the code: linters, tests, gates, and the clock."""
    return (
        builtin(
            "Coverage Below Gate",
            "test",
            2.9,
            "coverage|quality gate|mutation",
            r"coverage (?:failure|threshold|for \w+ \(\d).{0,80}(?:not met|less than|below|\()"
            r"|coverage (?:of )?.{0,40}(?:is )?(?:below|less than|under|does not meet|not reached)"
            r"|required (?:test )?coverage .{0,40}not (?:reached|met)|coverage checks? (?:have"
            r"|has) (?:not )?(?:been )?(?:met|failed)"
            r"|fail[- ]under|quality gate (?:status: )?(?:failed|failure|error)|coverage: total of|mutation (?:score"
            r"|threshold)",
        ),
        builtin(
            "Lint or Format",
            "code",
            2.8,
            "reformat|lint|flake8|ruff|mypy|pylint|rubocop|offense|gofmt|clippy|checkstyle|spotless|prettier"
            "|code style|shellcheck|hadolint|pre-commit|problems (|problem (|modified by this hook|not formatted"
            "|stylelint|isort|pmd|phpcs|violation|incorrectly|needs formatting|pycodestyle|type errors|errors in"
            "|: error: |license header|trailing whitespace| e| f| w",
            r"would (?:be )?reformat|files? would be reformatted|oh no!|\d+ problems? \(\d+ errors?"
            r"|^\s*\d+:\d+\s+error\s+\S|\.pyi?:\d+:(?:\d+:)? (?:\[?[A-Z]{1,4}\d{3,4}\]?:? |error: )"
            r"|found \d+ errors? in \d+ files?|\d+ offenses? detected|files were modified by this hook"
            r"|code style issues|\[warn\] code style|run (?:prettier|spotless|black|gofmt|cargo fmt)"
            r"|checkstyle.{0,60}(?:violation|error)|you have \d+ (?:checkstyle|pmd|spotbugs)"
            r"|the following files (?:had format violations|are not (?:properly )?formatted|need formatting)"
            r"|incorrectly sorted"
            r"|(?:is|are) not (?:gofmt|formatted)|file is not `?gofmt|diff in .{1,200} at line \d+"
            r"|\bsc\d{4}\b.{0,10}(?:error)|golangci-lint.{0,40}(?:issues|exit)|lint(?:ing)? (?:errors?|failed"
            r"|failure|found errors)|\blint(?:er)? .{0,40}failed|format violations|missing license header|hook id: "
            r"|error: .{1,160}\s{1,2}\[[a-z][a-z-]+\]$|-d warnings",
        ),
        builtin(
            "Test Failed",
            "test",
            3,
            "assert|expect|comparisonfailure|differs",
            r"assertionerror|assertionfailed|assertion (?:failed|`|error|violated)|^\W{0,4}e\s+assert\b"
            r"|^>?\s+assert .{1,200}(?:error|failed)|expect\(.{0,60}\)\.|expected:? ?<.{0,200}> but was"
            r"|comparisonfailure|multiplefailureserror"
            r"|expected .{1,120}(?: to (?:be|equal|have|contain|match|include)| but (?:was|got|found|received)"
            r"|, got\b)|assert(?:ion)? .{1,120} failed|\bassert\w*\(.{0,120}\) failed|panicked at .{0,20}assert",
        ),
        builtin(
            "Timeout",
            "infra",
            3,
            "time|deadline",
            r"exceeded the maximum execution time|timeout has been exceeded|build timed out"
            r"|the action .{1,200} has timed out|panic: test timed out|job (?:was )?timed? ?out"
            r"|exceeded (?:the )?(?:maximum )?(?:job |step )?(?:time ?limit|timeout of)"
            r"|cancelling nested steps due to timeout|hudson\.util\.timeout|step timed out|failed: timeout >"
            r"|timeouts? \(?>\d",
        ),
    )


def tools() -> tuple[BucketRule, ...]:
    """What a build needs, and where it goes."""
    return (
        builtin(
            "Missing Tool",
            "env",
            2.8,
            "not found|not recognized|locate executable|cannot run program|no such file|no tool named|acceptable c"
            "|not installed|java_home|not on path|on your path|no module named|requires |could not find|compiler",
            r"(?:^|[\s:'\"`])(?P<tool>[\w./+-]{1,60})['\"`]?: (?:command )?not found\b(?!:)"
            r"|command not found: (?P<zsh>\S{1,60})"
            r"|exec: \"?(?P<exec>[\w./-]{1,80})\"?: (?:executable file not found|stat .{0,80}no such file)"
            r"|executable file not found|'(?P<cmd>[^']{1,80})' is not recognized as (?:an internal|the name)"
            r"|the term '(?P<term>[^']{1,80})' is not recognized"
            r"|unable to locate executable file: (?P<located>[\w./-]{1,60})"
            r"|cannot run program \"(?P<program>[^\"]{1,120})\""
            r"|env: [\u2018'\"]?(?P<env>[\w.-]{1,40})[\u2019'\"]?: no such file"
            r"|no such file or directory: '(?P<popen>[\w-]{1,40})'"
            r"|no tool named (?P<named>\S{1,60})|no acceptable c\W{0,2}(?:\+\+)? compiler"
            r"|no cmake_\w+_compiler could be found|(?P<missing>[\w.-]{2,40}) is not installed"
            r"|java_home is (?:not (?:set|defined)|set to an invalid)|could not find (?:a |an "
            r"|the )?(?:required )?(?:tool|program|executable|command) ?['\"]?(?P<program2>[\w.-]{0,40})"
            r"|no module named ['\"]?(?P<module>pip|pytest|tox|build|venv|setuptools)\b|not found (?:in"
            r"|on) (?:your )?\$?path|no such command: (?P<c>\S{1,40})|spawn (?P<spawn>[\w./-]{1,60}) enoent",
            detail="{tool}{zsh}{exec}{cmd}{term}{located}{program}{env}{popen}{named}{missing}{program2}{module}{spawn}",
        ),
        builtin(
            "Stack Creation Failed",
            "infra",
            3,
            "helm|installation failed|upgrade failed|release ",
            r"installation failed: (?P<why>.{0,160})|upgrade failed: (?P<whyup>.{0,160})|helm (?P<verb>install"
            r"|upgrade|template|dependency|test)\b.{0,120}(?:fail|error)"
            r"|release \S+ failed, and has been (?:uninstalled|rolled back)|helm.{0,40}(?:failed|error:)",
            detail="Helm install failed: {why}{whyup}",
        ),
        builtin(
            "Stack Creation Failed",
            "infra",
            3,
            "stack|error: creating|error: error creating|error: applying|error: waiting for|create_failed|rollback"
            "|terraform|heat|cloudformation|pulumi",
            r"\bcreate_failed\b|\bupdate_failed\b|rollback_(?:complete|in_progress|failed)|(?:failed to create"
            r"|creat(?:e|ion of|ing)) .{0,40}\bstack\b.{0,60}(?:fail|error)?|stack (?:\S+ )?(?:creation|create"
            r"|deployment|update) failed|stack \S+ (?:failed|is in \w*fail)|resource creation (?:cancelled|failed)"
            r"|error: (?:creating|error creating|applying|waiting for) \S|terraform.{0,60}(?:error|failed)"
            r"|no valid host was found",
        ),
        builtin(
            "Deployment Failed",
            "infra",
            2.9,
            "fatal: [|unreachable|failed!|rollout|progress deadline|error from server|crashloop|failedscheduling"
            "|deploy|kubectl|backoff|insufficient cpu|readiness",
            r"^fatal: \[(?P<host>[^\]]{1,80})\]: (?P<how>failed|unreachable)!?|exceeded its progress deadline"
            r"|error from server(?: \((?P<k8s>\w+)\))?|crashloopbackoff|failedscheduling|back-?off restarting failed"
            r"|rollout .{0,80}failed|deploy(?:ment|ing)?\b.{0,80}\b(?:failed|error)|failed to deploy"
            r"|readiness probe failed|insufficient (?:cpu|memory|nvidia)|createcontainer(?:config)?error"
            r"|backofflimitexceeded|error: unable to (?:recognize|connect to the server)"
            r"|error: timed out waiting for the condition",
            detail="{host} {how}{k8s}",
        ),
        builtin(
            "Dependency Resolution Failed",
            "env",
            2.8,
            "[ip|packagesnotfound|packagenotfound|unsatisfiable|eresolve|eusage|eintegrity|enolock|notarget|e404|etarget"
            "|dependenc|artifact|no matching|satisfies"
            "|no module named|importerror|cannot find module|resolutionimpossible|could not find|no required module"
            "|go.sum|select a version|unable to locate package|broken packages|installation candidate|lockfile"
            "|lock file|frozen|package-lock|not in gor|not in std|could not resolve|unresolvable|cannot find package"
            "|checksum|version solving|no such module|peer dep|no versions|conflict",
            r"packagesnotfounderror|resolvepackagenotfound|unsatisfiableerror|npm (?:err!"
            r"|error) (?:code )?(?:eresolve|e404|etarget|eintegrity|eusage|enolock|notarget)"
            r"|could not resolve (?:all )?(?:dependenc|files|artifacts|[\w.-]+:[\w.-]+)|could(?:n.t| not) (?:find"
            r"|transfer) (?:artifact|gem|module|package)\b|could not find a version that satisfies"
            r"|no matching (?:distribution|version|package)|\bmodulenotfounderror: .{0,30}named '?(?P<module>[\w.]+)"
            r"|^(?:e\s+)?importerror|cannot find module '?(?P<node>[^'\s]{1,100})"
            r"|resolutionimpossible|no required module provides|missing go\.sum|failed to select a version"
            r"|unable to locate package (?P<apt>\S{1,60})|held broken packages|has no installation candidate"
            r"|(?:lockfile|lock file|package-lock\.json).{0,80}(?:out of|not up|needs|outdated|does not satisfy"
            r"|not in sync)|frozen[- ]lockfile|is not in (?:goroot|std)|could not find \S+:\S+:\S+|unresolvable"
            r"|cannot find package|checksum mismatch|version solving failed|unmet (?:peer )?dependenc"
            r"|dependency (?:resolution|conflict)|conflicting dependencies|no versions? (?:of|matching)"
            r"|failed to (?:resolve|collect) dependencies|could not find com\.|404\s+not found \[ip|hash mismatch"
            r"|hash sum mismatch",
            detail="{module}{node}{apt}",
        ),
        builtin(
            "Crash",
            "code",
            2.9,
            "segmentation|core dumped|sigsegv|sigabrt|panic:|sigbus|unexpected signal|illegal instruction"
            "|access violation|stack overflow|addresssanitizer|sanitizer|0xc0000005|stack smashing|double free"
            "|corrupted",
            r"segmentation fault|core dumped|\bsig(?:segv|abrt|bus|ill)\b|^panic: |unexpected signal"
            r"|illegal instruction|access violation|stackoverflowerror|addresssanitizer: |threadsanitizer: "
            r"|undefinedbehaviorsanitizer|0xc0000005|stack smashing detected|double free or corruption"
            r"|corrupted size vs",
        ),
    )


def weaker() -> tuple[BucketRule, ...]:
    """What may be the cause, and may be said in passing."""
    return (
        builtin(
            "Checkout Failed",
            "infra",
            2.4,
            "remote repo|git|failed to clone|failed to fetch|failed to checkout",
            r"error (?:fetching|cloning) remote repo|the process '\S*git(?:\.exe)?' failed with exit code"
            r"|\bgitexception\b"
            r"|could not read from remote repository|failed to (?:clone|fetch|checkout)\b(?! http)",
        ),
        builtin(
            "Permission Denied",
            "env",
            2.5,
            "denied|eacces|eperm|not permitted|forbidden|not accessible|not authorized|unauthorized|insufficient"
            "|permissionerror|admin rights|401|403",
            r"permission (?:to \S+ )?denied|permission_denied|\beacces\b|\beperm\b|operation not permitted"
            r"|access ?denied|403 forbidden|status(?: code)?:? ?403|\b403\b.{0,30}(?:forbidden|denied)"
            r"|resource not accessible by|not authorized to|insufficient (?:permission|privilege|scope)"
            r"|is forbidden: |permissionerror|unauthorized\b|401 unauthorized|access is denied"
            r"|must have admin rights|denied to \S+|requires? .{0,40}permission|protected branch|hook declined",
        ),
        builtin(
            "Network or DNS Failure",
            "infra",
            2.4,
            "connection|connect|econn|etimedout|unreachable|no route|max retries|i/o timeout|tls|502|503|504"
            "|bad gateway|read timed|remotedisconnected|hang up|transfer artifact|failed to fetch|unexpected eof"
            "|broken pipe|curl: (|network|sockettimeout|socket",
            r"\beconn(?:refused|reset|aborted)\b|\betimedout\b"
            r"|connection (?:to \S+(?: port \d+)? ?:? ?)?(?:was )?(?:refused|reset|timed ?out|aborted|closed|broken"
            r"|failed)|connect(?:ion)? timed out|(?:network|host) is unreachable|\benetunreach|\behostunreach"
            r"|no route to host|max retries exceeded|i/o timeout|tls handshake timeout"
            r"|tls connection was non-properly terminated"
            r"|\b50[234]\b.{0,6}(?:bad gateway|service (?:temporarily )?unavailable|gateway time-?out)|(?:http"
            r"|status|error|code)\D{0,14}50[234]\b|read timed out|readtimeout|connecttimeout|remotedisconnected"
            r"|socket hang up|could not transfer artifact|failed to fetch https?:|failed to connect to"
            r"|couldn't connect to (?:server|host)|unexpected eof|broken pipe|curl: \((?:5|6|7|18|28|35|52|55|56"
            r"|92)\)|network (?:timeout|error|request failed)|sockettimeoutexception|connectexception"
            r"|gnutls_handshake|unable to (?:connect|establish)|connectionerror|newconnectionerror|err_socket"
            r"|could not connect to",
        ),
        builtin(
            "Timeout",
            "infra",
            2.5,
            "time|deadline",
            r"context deadline exceeded|deadline ?exceeded|timed[ -]?out (?:after|waiting|while|when|in)"
            r"|timeouterror|timeoutexception|timeoutexpired|(?:test|exceeded|script|navigation|hook) timeout of"
            r"|exceeded timeout|waiting .{1,80} timed out|operation timed out|\btimed out\b|\btimeout (?:of|after"
            r"|exceeded|reached|expired|waiting|detected|error|\d)|^timeout:|^timeout\b|exceeded .{0,40}time ?limit"
            r"|time limit exceeded|(?:code|status) 124\b",
        ),
        builtin(
            "Bad Command Line",
            "code",
            2.4,
            "unrecognized|unknown|invalid|usage|no such option",
            r"error: unrecognized (?:arguments|option)|unrecognized (?:arguments|option):? ?(?P<a>\S{0,60})"
            r"|unknown (?:option|flag|shorthand flag|argument|command|subcommand):? ?(?P<b>\S{0,60})"
            r"|no such option:? ?(?P<c>\S{0,60})|(?:invalid|illegal) option"
            r"|error: the following arguments are required",
            detail="{a}{b}{c}",
        ),
        builtin(
            "Test Failed",
            "test",
            2.8,
            "fail|not ok|error!|●|#test_|error: ",
            r"^failed \S+::(?P<pytest>[^\s]{1,160}) - |^\s*--- fail: (?P<go>\S{1,160})"
            r"|^\s*not ok \d+ (?:- )?(?P<tap>.{1,120})|<<< (?:failure|error)!"
            r"|^\[ +failed +\] (?P<gtest>[\w/.]{1,120})|^\s*● (?P<jest>.{3,160})"
            r"|^fail:? +(?P<file>[\w./-]{1,120}\.\w{1,5}\b.{0,20}|test\w{1,80})|^(?:fail"
            r"|error): (?P<unittest>\w{1,120}) \("
            r"|^\S+ > \S.{0,120} failed$|^\S+\.(?:cc|cpp|cxx):\d+: failure$|^e {3,}\S|^\s*failure/error:"
            r"|^(?P<minitest>[\w:]{1,120}#test_\w{1,120})",
            detail="{pytest}{go}{tap}{gtest}{jest}{file}{unittest}{minitest}",
        ),
        builtin(
            "Test Failed",
            "test",
            2.2,
            "fail|error|✕|✗|\u00d7 ",
            r"^failed \S+::|^\S+::\S+ (?:failed|error)\b|^test \S{1,120} \.\.\. failed|^\s*[✕✗\u00d7✖] \S"
            r"|^tests? failed: |tests run: \d+, +(?:failures: [1-9]|failures: \d+, +errors: [1-9])|there (?:were"
            r"|are) (?:failing tests|test failures)|test result: failed|=+ .{0,40}\b[1-9]\d* failed"
            r"|[1-9]\d* tests? (?:completed, [1-9]\d* )?failed|^tests?:? +.{0,20}[1-9]\d* failed|[1-9]\d* failing\b"
            r"|^failures?:? ?[1-9]|failed: *[1-9]\d*\b|\btests? failed\b|^=+ failures =+|failed \(?(?:failures"
            r"|errors)=[1-9]|unstable .{0,30}test|[1-9]\d* examples?, [1-9]\d* failures?",
        ),
        builtin(
            "Cancelled",
            "env",
            1.3,
            "cancel|abort|interrupt|terminat",
            r"the operation was cancell?ed|^aborted by|build was (?:aborted|cancell?ed)|flowinterruptedexception"
            r"|sending interrupt signal|^aborted$|run was cancell?ed|cancelled by",
        ),
    )
