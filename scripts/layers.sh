#!/usr/bin/env bash
# The folders of the library are layers: each mentions only what its line in Architecture.md allows.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/layers.sh [--edges] [DIRECTORY]

Checks that the folders of DIRECTORY (Sources/RabbitMQ) mention each other only as the list in its page
RabbitMQ.docc/Architecture.md allows, the block that begins with ```layers. A line of it is a folder and what that may
mention: folders of lines above, so that there can be no circle, and CRabbitMQ, which is then imported.

Each mention that is not allowed is a line of output: file, line, what is mentioned, its folder. Exit 1 if there is any.

  --edges   show instead which folder mentions which, and how often

A mention is the name of a type (nested ones are looked up as Swift does it), of a function outside of all types, of a
member or an initializer that an extension adds. Comments and texts don't count; what is interpolated does. The types of
expressions are not known here: a member counts only if nothing else that the folder may mention has one of its name.
USAGE
}

die() { echo "layers.sh: $*" >&2; exit 2; }

edges=0 directory=''
while (($#)); do
    case $1 in
    --help | -h) usage; exit ;;
    --edges) edges=1 ;;
    -*) die "unknown argument '$1'; see scripts/layers.sh --help." ;;
    *) [[ -z $directory ]] || die "one directory only, not '$directory' and '$1'."; directory=${1%/} ;;
    esac
    shift
done
if [[ -z $directory ]]; then
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    directory=Sources/RabbitMQ
fi

page=$directory/RabbitMQ.docc/Architecture.md
[[ -r $page ]] || die "there is no $page to read the list of layers from."
grep -q '^```layers$' "$page" || die "$page has no list of layers, which begins with \`\`\`layers."
mapfile -d '' -t sources < <(find "$directory" -name '*.swift' -type f -print0 | LC_ALL=C sort -z)
((${#sources[@]})) || die "there are no Swift files in $directory."

# Bytes, not characters: it is faster, and names of other than ASCII are none of ours.
LC_ALL=C awk -v page="$page" -v root="$directory/" -v edges="$edges" '
# --- The list -------------------------------------------------------------------------------------------------------

FILENAME == page {
    if ($0 ~ /^```/) isList = $0 == "```layers"
    else if (isList && $0 !~ /^[ \t]*$/) readLayer($0)
    next
}
function readLayer(line,    name, names, n, k) {
    if (line !~ /^[A-Za-z]+:/) return complain(page, FNR, "this is no line like \"Folder: what it may mention\"")
    name = line; sub(/:.*/, "", name)
    if (name in isLayer) return complain(page, FNR, name " stands here twice")
    sub(/^[^:]*:/, "", line); gsub(/,/, " ", line)
    n = split(line, names, " ")
    for (k = 1; k <= n; k++) {
        if (names[k] in isLayer || names[k] == "CRabbitMQ") allowed[name, names[k]] = 1
        else complain(page, FNR, name " may not mention " names[k] ", which stands in no line above")
    }
    isLayer[name] = 1
    layers[++layerCount] = name
    rank[name] = layerCount
}
function complain(path, line, what) {
    if (!edges) print path ":" line ": " what
    faults++
}

# --- The words of the sources ---------------------------------------------------------------------------------------

FNR == 1 {
    layer[++fileCount] = substr(FILENAME, length(root) + 1)
    file[fileCount] = FILENAME
    if (!sub(/\/.*/, "", layer[fileCount])) complain(FILENAME, 1, "the file is in no layer")
    else if (!(layer[fileCount] in isLayer)) complain(FILENAME, 1, layer[fileCount] " is not in the list of layers")
    firstWord[fileCount] = wordCount + 1
    comments = nesting = 0
}
{
    rest = code($0)
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*|[^ \t]/)) {
        word[++wordCount] = substr(rest, RSTART, RLENGTH)
        lineOf[wordCount] = FNR
        rest = substr(rest, RSTART + RLENGTH)
    }
    lastWord[fileCount] = wordCount
}
# A line without comments and texts. Texts nest: nesting is odd within one, even within what is interpolated.
function code(line,    out, c) {
    if (!comments && !nesting && line !~ /"|\/\/|\/\*/) return line
    while (line != "") {
        if (comments) {
            if (!match(line, /\/\*|\*\//)) break
            comments += substr(line, RSTART, 2) == "/*" ? 1 : -1
            line = substr(line, RSTART + 2)
        } else if (nesting % 2) {
            if (!match(line, /["\\]/)) break
            c = substr(line, RSTART, 1)
            line = substr(line, RSTART + 1)
            if (c == "\"" && begins("\"" line, ending[nesting])) {
                line = substr(line, length(ending[nesting]))
                nesting--
            } else if (c == "\\" && begins(line, hashes[nesting])) {
                c = substr(line, length(hashes[nesting]) + 1, 1)
                line = substr(line, length(hashes[nesting]) + 2)
                if (c == "(") {
                    open[++nesting] = 1
                    out = out " ( "
                }
            }
        } else {
            if (!match(line, /["\/#()]/)) return out line
            out = out substr(line, 1, RSTART - 1)
            line = substr(line, RSTART)
            c = substr(line, 1, 1)
            if (match(line, /^#*"""/) || match(line, /^#*"/)) {
                nesting++
                ending[nesting] = hashes[nesting] = substr(line, 1, RLENGTH)
                gsub(/"/, "", hashes[nesting])
                gsub(/#/, "", ending[nesting])
                ending[nesting] = ending[nesting] hashes[nesting]
                line = substr(line, RLENGTH + 1)
                out = out " \" "
            } else if (begins(line, "//")) {
                break
            } else if (begins(line, "/*")) {
                comments = 1
                line = substr(line, 3)
            } else {
                out = out c
                line = substr(line, 2)
                if (nesting && c == "(") open[nesting]++
                if (nesting && c == ")" && !--open[nesting]) nesting--
            }
        }
    }
    if (nesting % 2 && ending[nesting] !~ /^"""/) nesting-- # at the latest, such a text ends with its line
    return out
}
function begins(text, start) { return substr(text, 1, length(start)) == start }

END {
    for (f = 1; f <= fileCount; f++) declarations(f)
    for (f = 1; f <= fileCount; f++) mentions(f)
    if (edges) showEdges()
    exit (faults > 0)
}

# --- Declarations ---------------------------------------------------------------------------------------------------

# Notes what a file declares, and for each word the path of the types that it stands in. What is private, or in the body
# of a function, is known in its file only.
function declarations(f,    i, w, depth, paths, isBody, kind, path, pathKind, name, j) {
    depth = 0; paths[0] = ""; isBody[0] = 0; kind[0] = ""; path = ""
    for (i = firstWord[f]; i <= lastWord[f]; i++) {
        w = word[i]
        scope[i] = paths[depth]
        if (w == "{") {
            depth++
            isBody[depth] = path == ""
            paths[depth] = path == "" ? paths[depth - 1] : path
            kind[depth] = pathKind
            path = pathKind = ""
        } else if (w == "}") {
            if (depth) depth--
        } else if (word[i - 1] ~ /^(\.|import)$/ || w !~ /^[a-z]/) {
            continue
        } else if (w ~ /^(class|struct|enum|actor|protocol)$/ && word[i + 1] ~ /^[A-Z]/) {
            path = within(paths[depth], word[i + 1])
            addType(f, path, isPrivate(i) || isBody[depth])
        } else if (w == "typealias" || w == "associatedtype") {
            addType(f, within(paths[depth], word[i + 1]), isPrivate(i) || isBody[depth])
        } else if (w == "extension") {
            path = word[i + 1] == "[" ? "Array" : word[i + 1]
            if (path != "Array") for (j = i + 2; word[j] == "."; j += 2) path = path "." word[j + 1]
            pathKind = isPrivate(i) ? "private extension" : "extension"
        } else if (isBody[depth]) {
            if (w ~ /^(let|var|func)$/) isLocal[f, word[i + 1]] = 1
        } else if (w ~ /^(func|var|let|init)$/) {
            name = word[i + 1]
            if (w == "init") {
                for (j = i + 1; word[j] != "(" && j < i + 12; j++) continue
                name = paths[depth] "(" word[j + 1]
            }
            if (isPrivate(i) || kind[depth] == "private extension") {
                isLocal[f, name] = 1
                continue
            }
            own[paths[depth], name] = own[paths[depth], name] " " layer[f]
            if (depth && kind[depth] == "") isMember[layer[f], name] = 1
            else if (name ~ /^[A-Za-z]/) addMember(f, name, depth ? paths[depth] : "-")
        } else if (w == "case") {
            for (j = i + 1; j <= lastWord[f] && lineOf[j] == lineOf[i]; j++) isMember[layer[f], word[j]] = 1
        }
        if (word[i + 1] == ":" || word[i + 1] == "in") isLocal[f, w] = 1
    }
}
function within(path, name) { return path == "" ? name : path "." name }
function isPrivate(i,    j) {
    for (j = i - 1; j > i - 6 && word[j] ~ /^([a-z]+|[()])$/; j--)
        if (word[j] ~ /^(private|fileprivate)$/ && word[j + 1] != "(") return 1
    return 0
}
function addType(f, path, isHidden) {
    if (isHidden) isLocal[f, path] = 1
    else if (!((path, layer[f]) in typeIn)) homes[path] = homes[path] " " layer[f]
    if (!isHidden) typeIn[path, layer[f]] = 1
}
# What an extension adds to a type that is declared elsewhere is reached without its name: these are looked for.
function addMember(f, name, owner) {
    if (!((name, layer[f]) in memberIn)) places[name] = places[name] " " layer[f]
    memberIn[name, layer[f]] = 1
    owners[name] = owners[name] " " owner
}

# --- Mentions -------------------------------------------------------------------------------------------------------

function mentions(f,    i, w, name, before) {
    for (i = firstWord[f]; i <= lastWord[f]; i++) {
        w = word[i]
        before = word[i - 1]
        if (w !~ /^[A-Za-z_]/ || w == "import") continue
        if (before == "import" || word[i - 2] == "import") {
            if (w == "CRabbitMQ") mention(f, i, w, " CRabbitMQ")
        } else if (w ~ /^[A-Z]/) {
            meant[i] = meaning(f, i)
            if (w == "Self" || !(meant[i] in homes) || ((f, meant[i]) in isLocal)) continue
            mention(f, i, meant[i], homes[meant[i]])
        } else if (before == "(" && word[i + 1] == ":" && word[i - 2] ~ /^([A-Z].*|\]|init)$/) {
            name = initialized(i - 2) "(" w
            if ((name in places) && !hasOther(layer[f], name)) mention(f, i, name ":)", places[name])
        } else if ((before != "." || word[i - 2] == "self") && scope[i] != "" && ((scope[i], w) in own)) {
            # A member of the type that it stands in.
            if (!((f, w) in isLocal) && !may(layer[f], own[scope[i], w])) mention(f, i, w, own[scope[i], w])
        } else if ((w in places) && (before == "." || word[i + 1] == "(") && before !~ /^(func|var|let|case)$/) {
            if (!((f, w) in isLocal) && !hasOther(layer[f], w) && canHave(layer[f], w)) mention(f, i, w, places[w])
        }
    }
}
# The path of the type that a name means here, looked up from the inside to the outside; nothing if it is none of ours.
function meaning(f, i,    name, path) {
    name = word[i]
    if (name == "Self") return scope[i]
    if (word[i - 1] == "." && word[i - 2] != "RabbitMQ") {
        path = meant[i - 2] "." name
        return isKnown(f, path) ? path : ""
    }
    path = word[i - 1] == "." ? "" : scope[i]
    while (path != "") {
        if (isKnown(f, path "." name)) return path "." name
        if (!sub(/\.[^.]*$/, "", path)) path = ""
    }
    return isKnown(f, name) ? name : ""
}
# What is made by the initializer that is called here: Name(, [Name]( or Name.init(
function initialized(i) {
    if (word[i] == "]") return "Array"
    if (word[i] == "init") return meant[i - 2]
    return meant[i] != "" ? meant[i] : word[i]
}
function isKnown(f, path) { return (path in homes) || ((f, path) in isLocal) }
# Whether something that a layer may mention anyway has a member of that name.
function hasOther(l, name,    k) {
    if ((l, name) in isMember) return 1
    for (k = 1; k <= layerCount; k++) if (((l, layers[k]) in allowed) && ((layers[k], name) in isMember)) return 1
    return 0
}
# Whether a layer can have anything that such a member belongs to: types from outside, or from no layer above it.
function canHave(l, name,    types, n, k, where, m, j) {
    n = split(owners[name], types, " ")
    for (k = 1; k <= n; k++) {
        if (!(types[k] in homes)) return 1
        m = split(homes[types[k]], where, " ")
        for (j = 1; j <= m; j++) if (rank[where[j]] <= rank[l]) return 1
    }
    return 0
}
function may(l, where,    parts, n, k) {
    n = split(where, parts, " ")
    for (k = 1; k <= n; k++) if (parts[k] == l || ((l, parts[k]) in allowed)) return 1
    return 0
}
function mention(f, i, what, where,    parts, n) {
    n = split(where, parts, " ")
    if (n == 1 && parts[1] != layer[f]) count[layer[f], parts[1]]++
    if (may(layer[f], where)) return
    sub(/^ /, "", where); gsub(/ /, ", ", where)
    complain(file[f], lineOf[i], layer[f] " may not mention " what " (" where ")")
}
function showEdges(    k, j, line) {
    layers[0] = "CRabbitMQ"
    for (k = 1; k <= layerCount; k++) {
        line = layers[k] ":"
        for (j = 0; j <= layerCount; j++)
            if ((layers[k], layers[j]) in count) line = line " " layers[j] " " count[layers[k], layers[j]]
        print line
    }
}
' "$page" "${sources[@]}"
