#!/usr/bin/env bash
# The pages speak of types, members, files and scripts: each must be there.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/names.sh [DIRECTORY]

Checks that what the pages of DIRECTORY (this repository) name in backticks is there: README.md, .github/CONTRIBUTING.md,
Sources/RabbitMQ/RabbitMQ.docc/*.md and Sources/RabbitMQTesting/RabbitMQTesting.docc/*.md. Blocks of code are passed over; of those without a language each `Type.member`
counts.

  `Type`, `Type.member`, `Type.member(label:)`   declared in Sources or Tests; a folder of theirs will do for a single word
  `someMember`, `.someMember`, `member()`        a word in the code of Sources or Tests; plain words don't count
  `shim_name`                                    in Sources/CRabbitMQ/shim.h
  `File.swift`, `script.sh`, `Sources/...`       a file, or a folder; what follows behind a space is passed over
  ``Type``, ``Type/member(label:)``              public in Sources, also behind the name of a module: ``/RabbitMQ/Type``
  <doc:Page>                                     a page

What is another project's stands in the list at the end of this script. Each name that is not there is a line of output:
page, line, name. Exit 1 if there is any.
USAGE
}

die() { echo "names.sh: $*" >&2; exit 2; }

case ${1:-} in
--help | -h) usage; exit ;;
-*) die "unknown argument '$1'; see scripts/names.sh --help." ;;
esac
script=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
cd "${1:-"$(dirname "$script")/.."}"

mapfile -d '' -t pages < <(find README.md .github/CONTRIBUTING.md Sources/RabbitMQ/RabbitMQ.docc Sources/RabbitMQTesting/RabbitMQTesting.docc -name '*.md' -print0 2>/dev/null | LC_ALL=C sort -z)
((${#pages[@]})) || die "there are no pages in $PWD."
mapfile -d '' -t sources < <(find Sources Tests -name '.build*' -prune -o -name '*.swift' -type f -print0 2>/dev/null | LC_ALL=C sort -z)
((${#sources[@]})) || die "there are no Swift files in $PWD."
headers=()
[[ -r Sources/CRabbitMQ/shim.h ]] && headers=(Sources/CRabbitMQ/shim.h)
others() { sed '1,/^# --- Names of others ---$/d' "$script"; }
paths() { find . -name '.build*' -prune -o -name .git -prune -o -print; }

# Bytes, not characters: it is faster, and names of other than ASCII are none of ours.
LC_ALL=C awk '
FNR == 1 { isCode = FILENAME ~ /\.(swift|h)$/; isFenced = 0; opening = "" }
list == "others" { sub(/^# ?/, ""); for (i = 1; i <= NF; i++) isOther[$i] = 1; next }
list == "paths" {
    sub(/^\.\//, "")
    isPath[$0] = 1
    sub(/.*\//, "")
    isFile[$0] = 1
    next
}

# --- Code: a declaration belongs to the types that begin before it and are less indented ----------------------------

isCode && /^[ \t]*\/\// { next }
isCode && FILENAME ~ /\.h$/ {
    while (match($0, /shim_[A-Za-z0-9_]+/)) {
        isShim[substr($0, RSTART, RLENGTH)] = 1
        $0 = substr($0, RSTART + RLENGTH)
    }
    next
}
isCode {
    if (FNR == 1) { depth = 0; function_ = "" }
    sub(/[ \t]\/\/.*/, "")
    words($0)
    if (function_ != "") collect($0)
    match($0, /^ */)
    indent = RLENGTH
    while (depth && indentOf[depth] >= indent && !/^ *$/) depth--
    declare(substr($0, indent + 1))
    next
}
function words(text,    parts, n, k) {
    gsub(/[^A-Za-z0-9_]+/, " ", text)
    n = split(text, parts, " ")
    for (k = 1; k <= n; k++) isWord[parts[k]] = 1
}
# What a line declares, or the rest of one behind a brace.
function declare(text,    before, kind, name, owner, isPublic, n, names, k) {
    if (!match(text, /(^|[ ({])(class|struct|enum|actor|protocol|extension|typealias|associatedtype|func|var|let|case|init|subscript)[ ?(<]/)) return
    before = substr(text, 1, RSTART)
    if (before ~ /[="]|^(if|guard|for|while|switch|return|try|await)/) return
    kind = substr(text, RSTART, RLENGTH - 1)
    sub(/^[^a-z]/, "", kind)
    text = substr(text, RSTART + RLENGTH - 1)
    if (kind == "class" && text ~ /^ (func|var|let) /) return declare(before substr(text, 2))
    sub(/^ +/, "", text)
    # What stands in a function is no member.
    if (depth ? indent != indentOf[depth] + 4 : indent) return
    owner = depth ? pathOf[depth] : ""
    isPublic = before ~ /public |open / || depth && (kind == "case" ? isPublicAt[depth] : isPublicInside[depth])
    if (kind ~ /^(class|struct|enum|actor|protocol|extension)$/) {
        if (!match(text, /^[A-Za-z_][A-Za-z0-9_.]*|^\[[^]]*\]/)) return
        name = substr(text, 1, RLENGTH)
        if (name ~ /^\[/) name = name ~ /:/ ? "Dictionary" : "Array"
        if (kind != "extension") addType(name = within(owner, name), isPublic)
        depth++
        indentOf[depth] = indent
        pathOf[depth] = name
        isPublicAt[depth] = isPublic
        isPublicInside[depth] = isPublic && kind ~ /^(protocol|extension)$/
        if (text ~ /\{.*[a-z].*\}/) {
            sub(/^[^{]*\{ */, "", text)
            indent += 4
            declare(text)
        }
    } else if (kind ~ /^(typealias|associatedtype)$/) {
        sub(/[^A-Za-z0-9_].*/, "", text)
        addType(within(owner, text), isPublic)
    } else if (kind == "case") {
        gsub(/\([^()]*\)|=.*|\}.*/, "", text)
        n = split(text, names, /, */)
        for (k = 1; k <= n; k++) {
            gsub(/[^A-Za-z0-9_]/, "", names[k])
            addMember(owner, names[k], isPublic)
        }
    } else if (kind ~ /^(var|let)$/) {
        sub(/[^A-Za-z0-9_].*/, "", text)
        addMember(owner, text, isPublic)
    } else {
        gsub(/`/, "", text)
        name = kind
        if (kind == "func") {
            if (!match(text, /^[A-Za-z_][A-Za-z0-9_]*/)) return
            name = substr(text, 1, RLENGTH)
        }
        addMember(owner, name, isPublic)
        function_ = name; functionOwner = owner; isPublicFunction = isPublic; parameters = ""
        collect(text)
    }
}
function within(owner, name) { return owner == "" ? name : owner "." name }
# Also by the end of its path: a page that tells of Outbox may say State for Outbox.State.
function addType(path, isPublic) {
    if (isPublic) isPublicType[path] = 1
    isType[path] = 1
    while (sub(/^[^.]*\./, "", path)) isType[path] = 1
}
function addMember(owner, name, isPublic) {
    if (isPublic) isPublicMember[owner, name] = 1
    isMember["", name] = isMember[owner, name] = 1
    while (sub(/^[^.]*\./, "", owner)) isMember[owner, name] = 1
}
# Collects the parameters of a function until its parentheses close, and adds it with their labels.
function collect(text,    rest, level, c, label, labels, isLabel) {
    parameters = parameters " " text
    rest = parameters
    level = 0; labels = ""
    if (!match(rest, /\(/)) return
    rest = substr(rest, RSTART)
    while (match(rest, /[][(){},:]/)) {
        c = substr(rest, RSTART, 1)
        if (c == ":" && level == 1 && isLabel) {
            label = substr(rest, 1, RSTART - 1)
            sub(/^[ \t]+/, "", label)
            sub(/[ \t].*/, "", label)
            labels = labels label ":"
            isLabel = 0
        }
        if (c ~ /[[({]/) level++
        if (c ~ /[(,]/ && level == 1) isLabel = 1
        if (c ~ /[])}]/ && !--level) {
            addMember(functionOwner, function_ "(" labels ")", isPublicFunction)
            function_ = ""
            return
        }
        rest = substr(rest, RSTART + 1)
    }
}

# --- Pages ----------------------------------------------------------------------------------------------------------

/^[ \t]*```/ { isFenced = !isFenced; isDrawing = /```$/; opening = ""; next }
isFenced {
    rest = isDrawing ? $0 : ""
    while (match(rest, /[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9]+)+/)) {
        before = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        check(before)
    }
    next
}
{
    if (/^[ \t]*$/) opening = "" # a span ends with its paragraph at the latest
    rest = $0
    while (match(rest, /<doc:[^>]*>/)) {
        page = substr(rest, RSTART + 5, RLENGTH - 6)
        sub(/#.*/, "", page)
        sub(/.*\//, "", page)
        if (!((page ".md") in isFile)) complain("<doc:" page ">")
        rest = substr(rest, RSTART + RLENGTH)
    }
    rest = $0
    while (match(rest, /`+/)) {
        ticks = substr(rest, RSTART, RLENGTH)
        before = substr(rest, 1, RSTART - 1)
        rest = substr(rest, RSTART + RLENGTH)
        if (opening == "") {
            opening = ticks
            span = ""
        } else if (ticks == opening) {
            if (opening == "`") check(span before)
            if (opening == "``") checkLink(span before)
            opening = ""
        } else {
            span = span before ticks
        }
    }
    if (opening != "") span = span rest " "
}
function complain(what) {
    print FILENAME ":" FNR ": " what " is not there"
    faults++
}
function check(span,    name, head, isThere) {
    name = head = span
    sub(/ .*/, "", head)
    if (name in isOther || head in isOther) return
    isThere = 1
    if (head ~ /^(Sources|Tests|scripts|\.github|\.ci)(\/|$)/) {
        sub(/\/$/, "", head)
        isThere = head in isPath
    } else if (head ~ /^[A-Za-z][A-Za-z0-9_+-]*\.(swift|sh|py|c|h|md|modulemap)$/) {
        isThere = head in isFile
    } else if (name ~ /^\[[A-Za-z0-9]+\]\([A-Za-z_:]*\)$/) {
        sub(/^[^(]*/, "init", name)
        isThere = ("Array", name) in isMember
    } else if (name ~ /^shim_/) {
        isThere = name in isShim
    } else if (name ~ /^[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*(\([A-Za-z_:]*\))?$/) {
        isThere = isDeclared(name) || name in isFile
    } else if (name ~ /^\.?[a-z][A-Za-z0-9]*(\(.*\))?$/ && name ~ /[A-Z]|\(/) {
        sub(/^\./, "", name)
        if (name ~ /\([A-Za-z_]+:/) isThere = ("", name) in isMember
        else {
            sub(/\(.*/, "", name)
            isThere = name in isWord
        }
    }
    if (!isThere) complain("`" span "`")
}
# Type, Type.member, Type.member(label:) or Type(label:)
function isDeclared(name,    owner, last, call) {
    if (match(name, /\(.*/)) {
        call = substr(name, RSTART)
        name = substr(name, 1, RSTART - 1)
    }
    if (name in isType) return call ~ /^(\(\))?$/ || ((name, "init" call) in isMember)
    if (name !~ /\./) return 0
    owner = last = name
    sub(/\.[^.]*$/, "", owner)
    sub(/.*\./, "", last)
    return (owner, last (call == "()" ? "" : call)) in isMember
}
function checkLink(span,    name, owner, last) {
    if (span in isOther) return
    name = span
    sub(/-[a-z0-9.]+$/, "", name) # which of several
    gsub(/\//, ".", name)
    sub(/^\.?RabbitMQ(Testing)?\./, "", name)
    if (name in isPublicType) return
    last = name
    if (match(name, /^[^(]*\./)) {
        owner = substr(name, 1, RLENGTH - 1)
        last = substr(name, RLENGTH + 1)
    }
    sub(/\(\)$/, "", last)
    if (!((owner, last) in isPublicMember)) complain("``" span "``")
}
END { exit (faults > 0) }
' list=others <(others) list=paths <(paths) list=code "${sources[@]}" ${headers[@]+"${headers[@]}"} list=pages "${pages[@]}"
exit

# --- Names of others ---
# Swift, its libraries, and the compiler:
# Array AsyncSequence CancellationError Codable Deque DispatchSerialQueue Duration Mutex NonisolatedNonsendingByDefault
# Foundation FoundationEssentials Process Sendable Swift Testing fatalError .upToNextMinor(from:
# Packages beside which the library is shown:
# ByteBuffer Hummingbird InMemoryTracer InMemoryTracing LifecycleHandler Metrics MetricsSystem.bootstrap(_:) NIOCore
# RabbitMQ.Channel ServiceLifecycle TLSConfiguration Tracing
# InstrumentationSystem.bootstrap MetricsSystem.bootstrap UnixSignals
# The tool's arguments:
# AsyncParsableCommand ExitCode ValidationError
# C:
# abort()
# Ours, but written so that this script does not know them:
# Exchange/internal Queue/bind(to:routingKey:noWait:arguments:)-(Exchange,_,_,_)
# Queue/bind(to:routingKey:noWait:arguments:)-(String,_,_,_)
# A reader's own files and folders, and headers of C:
# Sources/Ordering Sources/orders/App.swift Sources/orders/main.swift Tests/OrderingTests amqp.h
# Other clients and frameworks, from which the pages say how to come, and with which they say how to work:
# AMQP.BasicProperties AMQPConnection.connect(use:from:) AMQPConnectionError AmqpRejectAndDontRequeueException BlockedListener
# BuiltinExchangeType.TOPIC ByteBufferView CancelCallback DeliverCallback setAutomaticRecoveryEnabled(false)
# ConfirmListener Connection.open() ConnectionFactory RecoveryListener DeliveryError Jackson2JsonMessageConverter
# NotifyBlocked NotifyClose NotifyPublish NotifyReturn RabbitTemplate ReturnListener RpcClient RpcServer
# ShutdownListener TopologyRecoveryFilter convertSendAndReceive conversationId createChannel destinationAddress
# messageId messageType newConnection sentTime sourceAddress
# Mechanisms of a login:
# EXTERNAL PLAIN
# Folders of which the pages say that they are not there:
# Utils
# Traits of Package.swift:
# TextEncodings ConfigurationSupport DistributedTracingSupport MetricsSupport ServiceLifecycleSupport
# The modules:
# RabbitMQ RabbitMQTesting
