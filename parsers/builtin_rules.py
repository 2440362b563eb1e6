"""The causes that buildwatch knows by itself, in the words of the tools that report them.

First match wins within a line, so what is more particular stands first: a name that cannot be resolved is a network
failure whatever was being fetched, while a refused pull is the registry's. `sureness` decides between lines: what a
compiler calls an error is a cause, `connection refused` may be a server that was not up yet.
"""

from functools import cache

from parsers.builtin_checks import checks, tools, weaker
from parsers.rules import BucketRule, builtin

_SOURCE = (
    r"(?<![\w@~$./\\+-])(?P<file>[\w@~$./\\+-]{1,300}\.(?:c|cc|cpp|cxx|h|hh|hpp|cu|m|mm|java|kt|kts|scala|groovy|go"
    r"|rs"
    r"|swift|cs|fs|vb|tsx?|jsx?|vue|f90|pas|hs|ml|sv|vhd|v|zig|dart|proto))"
)


def _environment() -> tuple[BucketRule, ...]:
    return (
        builtin(
            "Superseded",
            "env",
            3,
            "supersede|higher priority waiting|newer build",
            r"higher priority waiting request|superseded by|because of a newer build|newer build (?:is|was|has)",
        ),
        builtin(
            "Out of Memory",
            "infra",
            3,
            "memory|oom|heap|137|killed|bad_alloc|daemon disappeared",
            r"OutOfMemory|out of memory|heap limit allocation failed|\bOOM[- ]?kill|\bMemoryError\b"
            r"|cannot allocate memory|\bbad_alloc\b"
            r"|virtual memory exhausted|not enough memory|insufficient memory|memory limit"
            r"|gradle build daemon disappeared|signal: killed|killed signal terminated"
            r"|java heap space|gc overhead limit|(?:exit(?:ed)?(?: with)?"
            r"|return(?:ed)?)(?: an?)?(?: non-zero)?[ -](?:code|status|value):? ?\(?137\b|\berror 137\b"
            r"|^(?:.*: line \d+: +\d+ )?killed(?:\s|$)",
        ),
        builtin(
            "Disk Full",
            "infra",
            3,
            "space|enospc|quota|disk",
            r"no space left on device|\benospc\b|disk quota exceeded"
            r"|not enough (?:free )?(?:disk )?space(?! to allocate)|no (?:free|more) space|insufficient (?:disk"
            r"|free) space"
            r"|out of disk space(?!\. The runner will)|\bdisk (?:is )?full|not enough disk|DiskPressure",
        ),
        builtin(
            "Agent Lost",
            "infra",
            3,
            "offline|agent|slave|runner|channel|node|remoting|evict|preempt|containersnotready|shutdown signal",
            r"(?:agent|slave|node) (?:\S+ )?(?:went|was marked|has gone|is) offline|cannot contact \S+: "
            r"|removednodeexception|channelclosedexception|closedchannelexception"
            r"|requestabortedexception|the runner has received a shutdown signal|lost communication with the server"
            r"|(?:agent|node) (?:\S+ )?was (?:deleted|removed)"
            r"|unable to create live filepath|backing channel .{0,80} (?:is )?(?:disconnected|closed)"
            r"|containersnotready|\bpod .{0,80}\b(?:evicted|preempted|deleted)"
            r"|agent (?:disconnected|was disconnected)|runner .{0,40}(?:is|went) offline|connection (?:to"
            r"|with) (?:the )?(?:agent|node|runner) (?:was )?lost|issue with creating launcher for agent",
        ),
        builtin(
            "Certificate Error",
            "env",
            2.8,
            "certificate|x509|pkix|ssl|cert_",
            r"certificate verify failed|x509: |pkix path|ssl certificate problem|self[- ]signed certificate"
            r"|certificate (?:has|is) (?:expired|not (?:yet )?valid|not trusted)"
            r"|sslhandshakeexception|unable to get (?:local )?issuer certificate|cert_has_expired"
            r"|unable to verify the first certificate|server certificate verification failed",
        ),
        builtin(
            "License Error",
            "env",
            2.9,
            "licen[sc]e|license|licence|flexlm|flexnet",
            r"licen[sc]es? (?:has |have |is |are |was )?(?:expired|invalid|not (?:found|available|valid)|denied)"
            r"|(?:no|invalid|missing|expired) (?:valid |floating )?licen[sc]es?\b(?! header)"
            r"|(?:check(?:ing)?[ -]?out|obtain|acquire|get) (?:a |an |the )?(?:\w+ )?licen[sc]e|licen[sc]e (?:server"
            r"|checkout|error|manager)|flex(?:lm|net)|licensed number of users",
        ),
        builtin(
            "Rate Limited",
            "infra",
            2.7,
            "rate limit|ratelimit|429|too many requests|throttl|secondary rate|quota exceeded",
            r"(?:api )?rate limit (?:exceeded|reached|hit)|rate[- ]?limited|\b429\b.{0,20}too many requests|(?:http"
            r"|status|code|error)\D{0,12}429\b|secondary rate limit"
            r"|throttling(?:exception|:)|request was throttled|resource_exhausted.{0,40}quota|(?<!pull )rate limit",
        ),
        builtin(
            "Network or DNS Failure",
            "infra",
            2.8,
            "resolve|resolution|not known|getaddrinfo|eai_|enotfound|unknownhost|no such host|nodename|misbehaving"
            "|nxdomain|resolving",
            r"could(?:n.t| not) resolve (?:host|proxy|hostname)|(?:temporary )?failure in name resolution"
            r"|name or service not known|getaddrinfo|\beai_(?:again|fail|noname)|\benotfound\b"
            r"|unknownhostexception|no such host|nameresolutionerror|failed to resolve '|nodename nor servname"
            r"|server misbehaving|nxdomain|temporary failure resolving"
            r"|could not resolve '[\w.-]+'|hostname could not be resolved|unable to resolve host"
            r"|no address associated with hostname",
            detail="DNS",
        ),
        builtin(
            "Registry Pull Failed",
            "infra",
            3,
            "toomanyrequests|pull rate",
            r"toomanyrequests|pull rate limit",
            detail="pull rate limit",
        ),
        builtin(
            "Registry Pull Failed",
            "infra",
            3,
            "manifest|pull|image|registry|daemon|docker|resolve",
            r"manifest (?:for (?P<image>\S+) )?(?:unknown|not found)|manifest_unknown"
            r"|pull access denied(?: for (?P<denied>[\w./:@-]+))?"
            r"|errimagepull|imagepullbackoff|error response from daemon: (?:get|head|unauthorized"
            r"|received unexpected http|error parsing http|denied|unknown: )|no matching manifest for"
            r"|requested access to the resource is denied|failed to resolve (?:source metadata|reference)"
            r"|failed to pull(?: and unpack)?(?: docker)? image|error pulling image|(?:docker "
            r"|image )pull (?:of \S+ )?(?:from \S+ )?failed"
            r"|failed to do request: (?:head|get)|initializing source docker:|failed to copy: httpreadseeker"
            r"|unable to pull|docker pull failed|error: image .{0,120} not found"
            r"|cannot pull|couldn't pull|failed to authorize: .{0,60}(?:registry|auth\.docker|token)"
            r"|/v2/.{0,200}(?:unauthorized|denied|timeout|not found)",
            detail="{image}{denied}",
        ),
    )


def _sources() -> tuple[BucketRule, ...]:
    return (
        builtin(
            "Merge Conflict",
            "code",
            3,
            "conflict|merge failed|could not apply|does not apply|not mergeable|unmerged",
            r"^conflict \(|automatic merge failed|merge conflict|could not apply [0-9a-f]{7}|patch does not apply"
            r"|(?:is )?not mergeable|unmerged (?:files|paths)|fix conflicts and",
        ),
        builtin(
            "Missing Credential",
            "env",
            2.9,
            "credential|secret|token|not supplied|password|api key|api_key",
            r"could not find credentials|credentialnotfound|input required and not supplied: \S*(?:token|key|secret"
            r"|password)|unable to locate credentials|no credential ?providers|nocredentialproviders"
            r"|credentials? (?:could not be (?:loaded|found)|not found|(?:is|are) missing|required)"
            r"|no (?:valid )?credentials?\b|secrets? \S{0,60} ?(?:(?:is|was|are) )?(?:not (?:found|set|defined"
            r"|provided)|missing|empty)"
            r"|\b[A-Z_]*(?:TOKEN|SECRET|PASSWORD|API_?KEY)\b(?: environment variable)?(?: is| was"
            r"| must be)? ?(?:not set|missing|required|undefined|not provided|unset|empty)"
            r"|missing (?:required )?(?:secret|credential|api key|token)",
        ),
        builtin(
            "Permission Denied", "env", 2.6, "publickey", r"permission denied \(publickey", detail="SSH key refused"
        ),
        builtin(
            "Checkout Failed",
            "infra",
            2.9,
            "remote|revision|fatal:|git|checkout|pathspec|rebase|svn:|rpc failed|submodule|host key|repository|clone"
            "|branch or tag",
            r"couldn't find any revision to build"
            r"|fatal: (?:couldn't find remote ref|reference is not a tree|unable to access|could not read (?!from)"
            r"|repository .{1,200} not found|authentication failed|remote error|the remote end hung up|early eof"
            r"|invalid refspec|bad object|unable to (?:read tree"
            r"|checkout|create '.{0,200}\.lock')|remote branch .{1,200} not found|ambiguous argument"
            r"|not in a git directory|detected dubious ownership|clone of|fetch-pack|protocol error"
            r"|'.{1,200}' does not appear to be a git repository)"
            r"|error: pathspec|remote: repository not found|maximum checkout retry attempts"
            r"|a branch or tag with the name .{1,200} could not be found"
            r"|cannot rebase: |svn: e\d+|rpc failed; (?:curl|http|result)|no submodule mapping"
            r"|host key verification failed|cannot lock ref|ssh_dispatch_run_fatal"
            r"|unable to find remote helper|unable to update (?:url|local ref)"
            r"|your local changes to the following files would be overwritten|shallow file has changed"
            r"|error: rpc failed|smudge filter lfs failed|git-lfs.{0,40}(?:fail|error)|is not a commit and a branch",
        ),
        builtin(
            "Pipeline Script Error",
            "code",
            3,
            "workflowscript|jenkinsfile|dsl method|missingproperty|missingmethod|compilationerrors|invalid workflow"
            "|required context|unsupportedoperationexception|rejectedaccess|not permitted to use"
            "|workflow is not valid|startup failed",
            r"unable to find \S*jenkinsfile|jenkinsfile.{0,80} not found|^workflowscript: \d+: (?P<what>.{3,120})"
            r"|no such dsl method (?P<method>'\w+')"
            r"|groovy\.lang\.missing(?:property|method)exception: (?P<groovy>.{3,120})"
            r"|multiplecompilationerrorsexception|invalid workflow file"
            r"|required context class|rejectedaccessexception|scripts not permitted to use|workflow is not valid",
            detail="{what}{method}{groovy}",
        ),
        builtin(
            "Compile Error",
            "code",
            3,
            "error|custom build|undefined|syntaxerror|indentationerror|cannot find symbol|.go:|.kt:|does not compile"
            "|failed to compile|undeclared|can't resolve|unresolved|no rule to make",
            rf"{_SOURCE}[:(]\[?\d+(?:[,:]\d+)?\]?\)?:?\s*(?:(?:fatal |syntax |build )?errors?\b(?! (?:boundary"
            rf"|handl))|cannot find symbol|package \S+ does not exist)(?P<w>)"
            rf"|(?:error|e:)\s.{{0,10}}{_SOURCE.replace('?P<file>', '?P<at>')}:\[?\(?\d+"
            rf"|{_SOURCE.replace('?P<file>', '?P<go>')}:\d+:\d+: (?!warning|note|info)\S|error(?:: )?\[e\d{{4}}\]"
            rf"|\berror (?:ts|cs|fs|bc|c|lnk|msb|nu)\d{{3,5}}\b"
            r"|undefined reference to|undefined symbols? (?:for|in)|^(?:indentation|syntax|tab)error:"
            r"|no rule to make target|collect2: error|ld: (?:symbol|library|cannot find)"
            r"|linker command failed|cmake error"
            r"|module not found: error|failed to compile|error: could not compile|failed to run custom build command"
            r"|(?<!\w)error: (?:cannot find symbol|incompatible types|package \S+ does not exist|linking with"
            r"|expected (?:[\[\]'\u2018\u2019`\"(){};,]|expression|unqualified|identifier|one of|type|declaration)"
            r"|undeclared|unresolved|no member named|invalid conversion|use of undeclared)"
            r"|^.{0,20}(?:php )?parse error:|unresolved reference:"
            r"|compilation (?:error|failed|failure)\b(?! *:? *$)",
            detail="{file}{at}{go}",
        ),
        builtin(
            "Compile Error",
            "code",
            2.4,
            "compilation|compile",
            r"compilation (?:error|failed|failure)|compil(?:e|ation) .{0,60}failed",
        ),
    )


@cache
def builtin_rules() -> tuple[BucketRule, ...]:
    """In their order. They are made when they are first asked for: most commands never do."""
    return (*_environment(), *_sources(), *checks(), *tools(), *weaker())
