"""The causes that buildwatch knows by itself, in the words of the tools that report them.

First match wins within a line, so what is more particular stands first: a name that cannot be resolved is a network
failure whatever was being fetched, while a refused pull is the registry's. `sureness` decides between lines: a compiler's
error is a cause, `connection refused` may be a server that was not up yet.
"""

from functools import cache

import regex

from parsers.rules import BucketRule, Kind


def _rule(name: str, kind: Kind, sureness: float, contains: str, pattern: str, detail: str | None = None) -> BucketRule:
    """`contains`: words parted by `|`, of which a line must have one before the slower expression is tried."""
    return BucketRule(
        name=name,
        kind=kind,
        sureness=sureness,
        contains=tuple(contains.split("|")),
        regex=regex.compile(pattern, regex.IGNORECASE | regex.VERSION0),
        detail=detail,
    )


_SOURCE = r"(?P<file>[\w@~$./\\+-]+\.(?:c|cc|cpp|cxx|h|hh|hpp|cu|m|mm|java|kt|kts|scala|groovy|go|rs|swift|cs|fs|vb|tsx?|jsx?|vue|f90|pas|hs|ml|sv|vhd|v|zig|dart|proto))"


def _environment() -> tuple[BucketRule, ...]:
    return (
        _rule(
            "Superseded",
            "env",
            3,
            "supersede|higher priority waiting|newer build",
            r"higher priority waiting request|superseded by|because of a newer build|newer build (?:is|was|has)",
        ),
        _rule(
            "Out of Memory",
            "infra",
            3,
            "memory|oom|heap|137|killed|bad_alloc|daemon disappeared",
            r"OutOfMemory|out of memory|heap limit allocation failed|\bOOM[- ]?kill|\bMemoryError\b|cannot allocate memory|\bbad_alloc\b"
            r"|virtual memory exhausted|not enough memory|insufficient memory|memory limit|gradle build daemon disappeared|signal: killed|killed signal terminated"
            r"|java heap space|gc overhead limit|(?:exit(?:ed)?(?: with)?|return(?:ed)?)(?: an?)?(?: non-zero)?[ -](?:code|status|value):? ?\(?137\b|\berror 137\b"
            r"|^(?:.*: line \d+: +\d+ )?killed(?:\s|$)",
        ),
        _rule(
            "Disk Full",
            "infra",
            3,
            "space|enospc|quota|disk",
            r"no space left on device|\benospc\b|disk quota exceeded|not enough (?:free )?(?:disk )?space(?! to allocate)|no (?:free|more) space|insufficient (?:disk|free) space"
            r"|out of disk space(?!\. The runner will)|\bdisk (?:is )?full|not enough disk|DiskPressure",
        ),
        _rule(
            "Agent Lost",
            "infra",
            3,
            "offline|agent|slave|runner|channel|node|remoting|evict|preempt|containersnotready|shutdown signal",
            r"(?:agent|slave|node) (?:\S+ )?(?:went|was marked|has gone|is) offline|cannot contact \S+: |removednodeexception|channelclosedexception|closedchannelexception"
            r"|requestabortedexception|the runner has received a shutdown signal|lost communication with the server|(?:agent|node) (?:\S+ )?was (?:deleted|removed)"
            r"|unable to create live filepath|backing channel .{0,80} (?:is )?(?:disconnected|closed)|containersnotready|\bpod .{0,80}\b(?:evicted|preempted|deleted)"
            r"|agent (?:disconnected|was disconnected)|runner .{0,40}(?:is|went) offline|connection (?:to|with) (?:the )?(?:agent|node|runner) (?:was )?lost|issue with creating launcher for agent",
        ),
        _rule(
            "Certificate Error",
            "env",
            2.8,
            "certificate|x509|pkix|ssl|cert_",
            r"certificate verify failed|x509: |pkix path|ssl certificate problem|self[- ]signed certificate|certificate (?:has|is) (?:expired|not (?:yet )?valid|not trusted)"
            r"|sslhandshakeexception|unable to get (?:local )?issuer certificate|cert_has_expired|unable to verify the first certificate|server certificate verification failed",
        ),
        _rule(
            "License Error",
            "env",
            2.9,
            "licen[sc]e|license|licence|flexlm|flexnet",
            r"licen[sc]es? (?:has |have |is |are |was )?(?:expired|invalid|not (?:found|available|valid)|denied)|(?:no|invalid|missing|expired) (?:valid |floating )?licen[sc]es?\b(?! header)"
            r"|(?:check(?:ing)?[ -]?out|obtain|acquire|get) (?:a |an |the )?(?:\w+ )?licen[sc]e|licen[sc]e (?:server|checkout|error|manager)|flex(?:lm|net)|licensed number of users",
        ),
        _rule(
            "Rate Limited",
            "infra",
            2.7,
            "rate limit|ratelimit|429|too many requests|throttl|secondary rate|quota exceeded",
            r"(?:api )?rate limit (?:exceeded|reached|hit)|rate[- ]?limited|\b429\b.{0,20}too many requests|(?:http|status|code|error)\D{0,12}429\b|secondary rate limit"
            r"|throttling(?:exception|:)|request was throttled|resource_exhausted.{0,40}quota|(?<!pull )rate limit",
        ),
        _rule(
            "Network or DNS Failure",
            "infra",
            2.7,
            "resolve|resolution|not known|getaddrinfo|eai_|enotfound|unknownhost|no such host|nodename|misbehaving|nxdomain|resolving",
            r"could(?:n.t| not) resolve (?:host|proxy|hostname)|(?:temporary )?failure in name resolution|name or service not known|getaddrinfo|\beai_(?:again|fail|noname)|\benotfound\b"
            r"|unknownhostexception|no such host|nameresolutionerror|failed to resolve '|nodename nor servname|server misbehaving|nxdomain|temporary failure resolving"
            r"|could not resolve '[\w.-]+'|hostname could not be resolved|unable to resolve host|no address associated with hostname",
            "DNS",
        ),
        _rule(
            "Registry Pull Failed",
            "infra",
            3,
            "toomanyrequests|pull rate",
            r"toomanyrequests|pull rate limit",
            "pull rate limit",
        ),
        _rule(
            "Registry Pull Failed",
            "infra",
            3,
            "manifest|pull|image|registry|daemon|docker|resolve",
            r"manifest (?:for (?P<image>\S+) )?(?:unknown|not found)|manifest_unknown|pull access denied(?: for (?P<denied>[\w./:@-]+))?"
            r"|errimagepull|imagepullbackoff|error response from daemon: (?:get|head|unauthorized|received unexpected http|error parsing http|denied|unknown: )|no matching manifest for"
            r"|requested access to the resource is denied|failed to resolve (?:source metadata|reference)|failed to pull(?: and unpack)?(?: docker)? image|error pulling image|(?:docker |image )pull (?:of \S+ )?(?:from \S+ )?failed"
            r"|failed to do request: (?:head|get)|initializing source docker:|failed to copy: httpreadseeker|unable to pull|docker pull failed|error: image .{0,120} not found"
            r"|cannot pull|couldn't pull|failed to authorize: .{0,60}(?:registry|auth\.docker|token)|/v2/.{0,200}(?:unauthorized|denied|timeout|not found)",
            "{image}{denied}",
        ),
    )


def _sources() -> tuple[BucketRule, ...]:
    return (
        _rule(
            "Merge Conflict",
            "code",
            3,
            "conflict|merge failed|could not apply|does not apply|not mergeable|unmerged",
            r"^conflict \(|automatic merge failed|merge conflict|could not apply [0-9a-f]{7}|patch does not apply|(?:is )?not mergeable|unmerged (?:files|paths)|fix conflicts and",
        ),
        _rule(
            "Missing Credential",
            "env",
            2.9,
            "credential|secret|token|not supplied|password|api key|api_key",
            r"could not find credentials|credentialnotfound|input required and not supplied: \S*(?:token|key|secret|password)|unable to locate credentials|no credential ?providers|nocredentialproviders"
            r"|credentials? (?:could not be (?:loaded|found)|not found|(?:is|are) missing|required)|no (?:valid )?credentials?\b|secrets? \S{0,60} ?(?:(?:is|was|are) )?(?:not (?:found|set|defined|provided)|missing|empty)"
            r"|\b[A-Z_]*(?:TOKEN|SECRET|PASSWORD|API_?KEY)\b(?: environment variable)?(?: is| was| must be)? ?(?:not set|missing|required|undefined|not provided|unset|empty)|missing (?:required )?(?:secret|credential|api key|token)",
        ),
        _rule("Permission Denied", "env", 2.6, "publickey", r"permission denied \(publickey", "SSH key refused"),
        _rule(
            "Checkout Failed",
            "infra",
            2.9,
            "remote|revision|fatal:|git|checkout|pathspec|rebase|svn:|rpc failed|submodule|host key|repository|clone|branch or tag",
            r"error (?:fetching|cloning) remote repo|couldn't find any revision to build|fatal: (?:couldn't find remote ref|reference is not a tree|unable to access|could not read|repository .{1,200} not found|authentication failed"
            r"|remote error|the remote end hung up|early eof|invalid refspec|bad object|unable to (?:read tree|checkout|create '.{0,200}\.lock')|remote branch .{1,200} not found|ambiguous argument|not in a git directory|detected dubious ownership|clone of|fetch-pack|protocol error|'.{1,200}' does not appear to be a git repository)"
            r"|the process '\S*git(?:\.exe)?' failed with exit code|error: pathspec|\bgitexception\b|remote: repository not found|maximum checkout retry attempts|a branch or tag with the name .{1,200} could not be found"
            r"|cannot rebase: |svn: e\d+|rpc failed; (?:curl|http|result)|no submodule mapping|failed to (?:clone|fetch|checkout)\b(?! http)|host key verification failed|cannot lock ref|ssh_dispatch_run_fatal|could not read from remote repository"
            r"|unable to find remote helper|unable to update (?:url|local ref)|your local changes to the following files would be overwritten|shallow file has changed|error: rpc failed|smudge filter lfs failed|git-lfs.{0,40}(?:fail|error)|is not a commit and a branch",
        ),
        _rule(
            "Pipeline Script Error",
            "code",
            3,
            "workflowscript|dsl method|missingproperty|missingmethod|compilationerrors|invalid workflow|required context|unsupportedoperationexception|rejectedaccess|not permitted to use|workflow is not valid|startup failed",
            r"^workflowscript: \d+: (?P<what>.{3,120})|no such dsl method (?P<method>'\w+')|groovy\.lang\.missing(?:property|method)exception: (?P<groovy>.{3,120})|multiplecompilationerrorsexception|invalid workflow file"
            r"|required context class|rejectedaccessexception|scripts not permitted to use|workflow is not valid",
            "{what}{method}{groovy}",
        ),
        _rule(
            "Compile Error",
            "code",
            3,
            "error|undefined|syntaxerror|indentationerror|cannot find symbol|.go:|.kt:|does not compile|failed to compile|undeclared|can't resolve|unresolved",
            rf"{_SOURCE}[:(]\[?\d+(?:[,:]\d+)?\]?\)?:?\s*(?:(?:fatal |syntax |build )?errors?\b(?! (?:boundary|handl))|cannot find symbol|package \S+ does not exist)(?P<w>)"
            rf"|(?:error|e:)\s.{{0,10}}{_SOURCE.replace('?P<file>', '?P<at>')}:\[?\(?\d+|{_SOURCE.replace('?P<file>', '?P<go>')}:\d+:\d+: (?!warning|note|info)\S|error(?:: )?\[e\d{{4}}\]|\berror (?:ts|cs|fs|bc|c|lnk|msb|nu)\d{{3,5}}\b"
            r"|undefined reference to|undefined symbols? (?:for|in)|^(?:indentation|syntax|tab)error:|collect2: error|ld: (?:symbol|library|cannot find)|linker command failed|cmake error|module not found: error|failed to compile|error: could not compile"
            r"|(?<!\w)error: (?:cannot find symbol|incompatible types|package \S+ does not exist|linking with|expected (?:[\[\]'‘’`\"(){};,]|expression|unqualified|identifier|one of|type|declaration)|undeclared|unresolved|no member named|invalid conversion|use of undeclared)|^.{0,20}(?:php )?parse error:|unresolved reference:"
            r"|compilation (?:error|failed|failure)\b(?! *:? *$)",
            "{file}{at}{go}",
        ),
        _rule(
            "Compile Error",
            "code",
            2.4,
            "compilation|compile",
            r"compilation (?:error|failed|failure)|compil(?:e|ation) .{0,60}failed",
        ),
    )


def _checks() -> tuple[BucketRule, ...]:
    return (
        _rule(
            "Coverage Below Gate",
            "test",
            2.9,
            "coverage|quality gate|mutation",
            r"coverage (?:failure|threshold|for \w+ \(\d).{0,80}(?:not met|less than|below|\()|coverage (?:of )?.{0,40}(?:is )?(?:below|less than|under|does not meet|not reached)|required (?:test )?coverage|coverage checks? (?:have|has) (?:not )?(?:been )?(?:met|failed)"
            r"|fail[- ]under|quality gate (?:status: )?(?:failed|failure|error)|coverage: total of|mutation (?:score|threshold)",
        ),
        _rule(
            "Lint or Format",
            "code",
            2.8,
            "reformat|lint|flake8|ruff|mypy|pylint|rubocop|offense|gofmt|clippy|checkstyle|spotless|prettier|code style|shellcheck|hadolint|pre-commit|problems (|problem (|modified by this hook|not formatted|stylelint|isort|pmd|phpcs|violation|incorrectly|needs formatting|pycodestyle|type errors|errors in|: error: |license header|trailing whitespace| e| f| w",
            r"would (?:be )?reformat|files? would be reformatted|oh no!|\d+ problems? \(\d+ errors?|^\s*\d+:\d+\s+error\s+\S|\.pyi?:\d+:(?:\d+:)? (?:\[?[A-Z]{1,4}\d{3,4}\]?:? |error: )|found \d+ errors? in \d+ files?|\d+ offenses? detected|files were modified by this hook"
            r"|code style issues|\[warn\] code style|run (?:prettier|spotless|black|gofmt|cargo fmt)|checkstyle.{0,60}(?:violation|error)|you have \d+ (?:checkstyle|pmd|spotbugs)|the following files (?:had format violations|are not (?:properly )?formatted|need formatting)|incorrectly sorted"
            r"|(?:is|are) not (?:gofmt|formatted)|file is not `?gofmt|diff in .{1,200} at line \d+|\bsc\d{4}\b.{0,10}(?:error)|golangci-lint.{0,40}(?:issues|exit)|lint(?:ing)? (?:errors?|failed|failure|found errors)|\blint(?:er)? .{0,40}failed|format violations|missing license header|hook id: |error: .{1,160}\s{1,2}\[[a-z][a-z-]+\]$|-d warnings",
        ),
        _rule(
            "Test Failed",
            "test",
            3,
            "assert|expect|comparisonfailure|differs",
            r"assertionerror|assertionfailed|assertion (?:failed|`|error|violated)|^\W{0,4}e\s+assert\b|^>?\s+assert .{1,200}(?:error|failed)|expect\(.{0,60}\)\.|expected:? ?<.{0,200}> but was|comparisonfailure|multiplefailureserror"
            r"|expected .{1,120}(?: to (?:be|equal|have|contain|match|include)| but (?:was|got|found|received)|, got\b)|assert(?:ion)? .{1,120} failed|\bassert\w*\(.{0,120}\) failed|panicked at .{0,20}assert",
        ),
        _rule(
            "Timeout",
            "infra",
            3,
            "time|deadline",
            r"exceeded the maximum execution time|timeout has been exceeded|build timed out|the action .{1,200} has timed out|panic: test timed out|job (?:was )?timed? ?out|exceeded (?:the )?(?:maximum )?(?:job |step )?(?:time ?limit|timeout of)|cancelling nested steps due to timeout|hudson\.util\.timeout|step timed out|failed: timeout >|timeouts? \(?>\d",
        ),
    )


def _tools() -> tuple[BucketRule, ...]:
    return (
        _rule(
            "Missing Tool",
            "env",
            2.8,
            "not found|not recognized|locate executable|cannot run program|no such file|no tool named|acceptable c|not installed|java_home|not on path|on your path|no module named|requires |could not find|compiler",
            r"(?:^|[\s:'\"`])(?P<tool>[\w./+-]{1,60})['\"`]?: (?:command )?not found\b(?!:)|command not found: (?P<zsh>\S{1,60})|exec: \"?(?P<exec>[\w./-]{1,80})\"?: (?:executable file not found|stat .{0,80}no such file)|executable file not found|'(?P<cmd>[^']{1,80})' is not recognized as (?:an internal|the name)"
            r"|the term '(?P<term>[^']{1,80})' is not recognized|unable to locate executable file: (?P<located>[\w./-]{1,60})|cannot run program \"(?P<program>[^\"]{1,120})\"|env: [‘'\"]?(?P<env>[\w.-]{1,40})[’'\"]?: no such file|no such file or directory: '(?P<popen>[\w-]{1,40})'"
            r"|no tool named (?P<named>\S{1,60})|no acceptable c\W{0,2}(?:\+\+)? compiler|no cmake_\w+_compiler could be found|(?P<missing>[\w.-]{2,40}) is not installed|java_home is (?:not (?:set|defined)|set to an invalid)|could not find (?:a |an |the )?(?:required )?(?:tool|program|executable|command) ?['\"]?(?P<program2>[\w.-]{0,40})"
            r"|no module named ['\"]?(?P<module>pip|pytest|tox|build|venv|setuptools)\b|not found (?:in|on) (?:your )?\$?path|no such command: (?P<c>\S{1,40})|spawn (?P<spawn>[\w./-]{1,60}) enoent",
            "{tool}{zsh}{exec}{cmd}{term}{located}{program}{env}{popen}{named}{missing}{program2}{module}{spawn}",
        ),
        _rule(
            "Stack Creation Failed",
            "infra",
            3,
            "helm|installation failed|upgrade failed|release ",
            r"installation failed: (?P<why>.{0,160})|upgrade failed: (?P<whyup>.{0,160})|helm (?P<verb>install|upgrade|template|dependency|test)\b.{0,120}(?:fail|error)|release \S+ failed, and has been (?:uninstalled|rolled back)|helm.{0,40}(?:failed|error:)",
            "Helm install failed: {why}{whyup}",
        ),
        _rule(
            "Stack Creation Failed",
            "infra",
            3,
            "stack|create_failed|rollback|terraform|heat|cloudformation|pulumi",
            r"\bcreate_failed\b|\bupdate_failed\b|rollback_(?:complete|in_progress|failed)|(?:failed to create|creat(?:e|ion of|ing)) .{0,40}\bstack\b.{0,60}(?:fail|error)?|stack (?:\S+ )?(?:creation|create|deployment|update) failed|stack \S+ (?:failed|is in \w*fail)|resource creation (?:cancelled|failed)|error: (?:creating|error creating|applying|waiting for) \S|terraform.{0,60}(?:error|failed)|no valid host was found",
        ),
        _rule(
            "Deployment Failed",
            "infra",
            2.9,
            "fatal: [|unreachable|failed!|rollout|progress deadline|error from server|crashloop|failedscheduling|deploy|kubectl|backoff|insufficient cpu|readiness",
            r"^fatal: \[(?P<host>[^\]]{1,80})\]: (?P<how>failed|unreachable)!?|exceeded its progress deadline|error from server(?: \((?P<k8s>\w+)\))?|crashloopbackoff|failedscheduling|back-?off restarting failed|rollout .{0,80}failed|deploy(?:ment|ing)?\b.{0,80}\b(?:failed|error)|failed to deploy|readiness probe failed|insufficient (?:cpu|memory|nvidia)|createcontainer(?:config)?error|backofflimitexceeded|error: unable to (?:recognize|connect to the server)|error: timed out waiting for the condition",
            "{host} {how}{k8s}",
        ),
        _rule(
            "Dependency Resolution Failed",
            "env",
            2.8,
            "eresolve|eusage|eintegrity|enolock|notarget|e404|etarget|dependenc|artifact|no matching|satisfies|no module named|importerror|cannot find module|resolutionimpossible|could not find|no required module|go.sum|select a version|unable to locate package|broken packages|installation candidate|lockfile|lock file|frozen|package-lock|not in gor|not in std|could not resolve|unresolvable|cannot find package|checksum|version solving|no such module|peer dep|no versions|conflict",
            r"npm (?:err!|error) (?:code )?(?:eresolve|e404|etarget|eintegrity|eusage|enolock|notarget)|could not resolve (?:all )?(?:dependenc|files|artifacts|[\w.-]+:[\w.-]+)|could(?:n.t| not) (?:find|transfer) (?:artifact|gem|module|package)\b|could not find a version that satisfies|no matching (?:distribution|version|package)|\bmodulenotfounderror: .{0,30}named '?(?P<module>[\w.]+)|^(?:e\s+)?importerror|cannot find module '?(?P<node>[^'\s]{1,100})"
            r"|resolutionimpossible|no required module provides|missing go\.sum|failed to select a version|unable to locate package (?P<apt>\S{1,60})|held broken packages|has no installation candidate|(?:lockfile|lock file|package-lock\.json).{0,80}(?:out of|not up|needs|outdated|does not satisfy|not in sync)|frozen[- ]lockfile|is not in (?:goroot|std)|could not find \S+:\S+:\S+|unresolvable|cannot find package|checksum mismatch|version solving failed|unmet (?:peer )?dependenc|dependency (?:resolution|conflict)|conflicting dependencies|no versions? (?:of|matching)|failed to (?:resolve|collect) dependencies|could not find com\.|404 not found \[ip|hash mismatch|hash sum mismatch",
            "{module}{node}{apt}",
        ),
        _rule(
            "Crash",
            "code",
            2.9,
            "segmentation|core dumped|sigsegv|sigabrt|panic:|sigbus|unexpected signal|illegal instruction|access violation|stack overflow|addresssanitizer|sanitizer|0xc0000005|stack smashing|double free|corrupted",
            r"segmentation fault|core dumped|\bsig(?:segv|abrt|bus|ill)\b|^panic: |unexpected signal|illegal instruction|access violation|stackoverflowerror|addresssanitizer: |threadsanitizer: |undefinedbehaviorsanitizer|0xc0000005|stack smashing detected|double free or corruption|corrupted size vs",
        ),
    )


def _weaker() -> tuple[BucketRule, ...]:
    return (
        _rule(
            "Permission Denied",
            "env",
            2.5,
            "denied|eacces|eperm|not permitted|forbidden|not accessible|not authorized|unauthorized|insufficient|permissionerror|admin rights|401|403",
            r"permission (?:to \S+ )?denied|permission_denied|\beacces\b|\beperm\b|operation not permitted|access ?denied|403 forbidden|status(?: code)?:? ?403|\b403\b.{0,30}(?:forbidden|denied)|resource not accessible by|not authorized to|insufficient (?:permission|privilege|scope)|is forbidden: |permissionerror|unauthorized\b|401 unauthorized|access is denied|must have admin rights|denied to \S+|requires? .{0,40}permission|protected branch|hook declined",
        ),
        _rule(
            "Network or DNS Failure",
            "infra",
            2.4,
            "connection|connect|econn|etimedout|unreachable|no route|max retries|i/o timeout|tls|502|503|504|bad gateway|read timed|remotedisconnected|hang up|transfer artifact|failed to fetch|unexpected eof|broken pipe|curl: (|network|sockettimeout|socket",
            r"\beconn(?:refused|reset|aborted)\b|\betimedout\b|connection (?:to \S+(?: port \d+)? ?:? ?)?(?:was )?(?:refused|reset|timed ?out|aborted|closed|broken|failed)|connect(?:ion)? timed out|(?:network|host) is unreachable|\benetunreach|\behostunreach|no route to host|max retries exceeded|i/o timeout|tls handshake timeout|tls connection was non-properly terminated"
            r"|\b50[234]\b.{0,6}(?:bad gateway|service (?:temporarily )?unavailable|gateway time-?out)|(?:http|status|error|code)\D{0,14}50[234]\b|read timed out|readtimeout|connecttimeout|remotedisconnected|socket hang up|could not transfer artifact|failed to fetch https?:|failed to connect to|couldn't connect to (?:server|host)|unexpected eof|broken pipe|curl: \((?:5|6|7|18|28|35|52|55|56|92)\)|network (?:timeout|error|request failed)|sockettimeoutexception|connectexception|gnutls_handshake|unable to (?:connect|establish)|connectionerror|newconnectionerror|err_socket|could not connect to",
        ),
        _rule(
            "Timeout",
            "infra",
            2.5,
            "time|deadline",
            r"context deadline exceeded|deadline ?exceeded|timed[ -]?out (?:after|waiting|while|when|in)|timeouterror|timeoutexception|timeoutexpired|(?:test|exceeded|script|navigation|hook) timeout of|exceeded timeout|waiting .{1,80} timed out|operation timed out|\btimed out\b|\btimeout (?:of|after|exceeded|reached|expired|waiting|detected|error|\d)|^timeout:|^timeout\b|exceeded .{0,40}time ?limit|time limit exceeded|(?:code|status) 124\b",
        ),
        _rule(
            "Bad Command Line",
            "code",
            2.4,
            "unrecognized|unknown|invalid|usage|no such option",
            r"error: unrecognized (?:arguments|option)|unrecognized (?:arguments|option):? ?(?P<a>\S{0,60})|unknown (?:option|flag|shorthand flag|argument|command|subcommand):? ?(?P<b>\S{0,60})|no such option:? ?(?P<c>\S{0,60})|(?:invalid|illegal) option|error: the following arguments are required",
            "{a}{b}{c}",
        ),
        _rule(
            "Test Failed",
            "test",
            2.8,
            "fail|not ok|error!|●|#test_|error: ",
            r"^failed \S+::(?P<pytest>[^\s]{1,160}) - |^\s*--- fail: (?P<go>\S{1,160})|^\s*not ok \d+ (?:- )?(?P<tap>.{1,120})|<<< (?:failure|error)!"
            r"|^\[ +failed +\] (?P<gtest>[\w/.]{1,120})|^\s*● (?P<jest>.{3,160})|^fail:? +(?P<file>[\w./-]{1,120}\.\w{1,5}\b.{0,20}|test\w{1,80})|^(?:fail|error): (?P<unittest>\w{1,120}) \("
            r"|^\S+ > \S.{0,120} failed$|^\S+\.(?:cc|cpp|cxx):\d+: failure$|^e {3,}\S|^\s*failure/error:|^(?P<minitest>[\w:]{1,120}#test_\w{1,120})",
            "{pytest}{go}{tap}{gtest}{jest}{file}{unittest}{minitest}",
        ),
        _rule(
            "Test Failed",
            "test",
            2.2,
            "fail|error|✕|✗|× ",
            r"^failed \S+::|^\S+::\S+ (?:failed|error)\b|^test \S{1,120} \.\.\. failed|^\s*[✕✗×✖] \S|^tests? failed: |tests run: \d+, +(?:failures: [1-9]|failures: \d+, +errors: [1-9])|there (?:were|are) (?:failing tests|test failures)|test result: failed|=+ .{0,40}\b[1-9]\d* failed|[1-9]\d* tests? (?:completed, [1-9]\d* )?failed|^tests?:? +.{0,20}[1-9]\d* failed|[1-9]\d* failing\b|^failures?:? ?[1-9]|failed: *[1-9]\d*\b|\btests? failed\b|^=+ failures =+|failed \(?(?:failures|errors)=[1-9]|unstable .{0,30}test|[1-9]\d* examples?, [1-9]\d* failures?",
        ),
        _rule(
            "Cancelled",
            "env",
            1.3,
            "cancel|abort|interrupt|terminat",
            r"the operation was cancell?ed|^aborted by|build was (?:aborted|cancell?ed)|flowinterruptedexception|sending interrupt signal|^aborted$|run was cancell?ed|cancelled by",
        ),
    )


@cache
def builtin_rules() -> tuple[BucketRule, ...]:
    """In their order. They are made when they are first asked for: most commands never do."""
    return (*_environment(), *_sources(), *_checks(), *_tools(), *_weaker())
