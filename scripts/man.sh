#!/usr/bin/env bash
# The manual page of rmq, from what the tool says of itself.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: scripts/man.sh RMQ [DATE]

Writes the manual page rmq(1) to the standard output: all commands with their options and examples, as the built tool RMQ
tells them (--experimental-dump-help). DATE stands at its foot; by default it is the day of the last commit.

  scripts/man.sh .build/debug/rmq >rmq.1 && man ./rmq.1
USAGE
}

die() { echo "man.sh: $*" >&2; exit 1; }

case ${1:-} in
--help | -h) usage; exit ;;
-* | '') die "which tool? See scripts/man.sh --help." ;;
esac
(($# < 3)) || die "unknown argument '$3'; see scripts/man.sh --help."
[[ -f $1 && -x $1 ]] || die "$1 is no program: swift build --traits Tool --product rmq"
command -v python3 >/dev/null || die "Python 3 is missing: apt-get install python3"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
tool=$(readlink -f "$1")
date=${2:-$(git -C "$root" log -1 --format=%cs 2>/dev/null || date +%F)}

help=$("$tool" --experimental-dump-help) || die "$1 tells nothing of itself; was it built with --traits Tool?"
version=$("$tool" --version)

python3 -c '
import json, sys

version, date = sys.argv[1:]
root = json.load(sys.stdin)["command"]


def text(words):
    """Words that mean nothing to roff."""
    words = words.replace("\\", "\\e").replace("-", "\\-")
    # What one types is not to become a quotation mark or an accent.
    for character, name in (chr(39), "aq"), ("`", "ga"), ("^", "ha"), ("~", "ti"):
        words = words.replace(character, "\\(" + name)
    return "\\&" + words if words.startswith(".") else words


def paragraphs(words):
    """Text for people: what is indented stays as it is."""
    is_example = False
    for line in words.split("\n"):
        if line.startswith("  ") != is_example and (line or not is_example):
            is_example = not is_example
            print(".EX" if is_example else ".EE")
        if is_example:
            print(text(line))
        elif line == "EXAMPLES:":
            print(".PP\n.B Examples:")
        elif line:
            print(".PP\n" + text(line))
    if is_example:
        print(".EE")


def name(argument):
    """What one types of an argument."""
    value = "\\fI" + text(argument.get("valueName") or "value") + "\\fR"
    if argument["kind"] == "positional":
        words = value
    else:
        dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
        words = ", ".join("\\fB" + text(dashes[n["kind"]] + n["name"]) + "\\fR" for n in argument["names"])
        if argument["kind"] == "option":
            words += " " + value
    return words + (" ..." if argument["isRepeating"] else "")


def describe(arguments):
    for argument in arguments:
        print(".TP\n" + name(argument))
        words = [argument.get("abstract") or ""]
        if argument.get("discussion"):
            words.append(argument["discussion"])
        if argument.get("allValues") and argument["kind"] != "flag":
            words.append("One of: " + ", ".join(argument["allValues"]) + ".")
        if argument.get("defaultValue"):
            words.append("Default: " + argument["defaultValue"] + ".")
        print(text(" ".join(" ".join(words).split())))


def own(command):
    """The arguments of a command but for those that all have."""
    return [
        argument
        for argument in command.get("arguments") or []
        if argument.get("shouldDisplay", True)
        and not {n["name"] for n in argument.get("names") or []} & (connection.keys() | {"help", "version"})
    ]


def children(command):
    return [c for c in command.get("subcommands") or [] if c["commandName"] != "help" and c.get("shouldDisplay", True)]


def commands(command, path):
    """All of them, each before those below it."""
    for child in children(command):
        below = path + " " + child["commandName"]
        yield below, child
        yield from commands(child, below)


# Where the broker is: the same for most commands, and told once.
connection = {}
for _, command in commands(root, "rmq"):
    for argument in command.get("arguments") or []:
        if argument.get("sectionTitle") == "Connection":
            connection.setdefault(argument["names"][0]["name"], argument)

about, status = [], ""
for part in (root.get("discussion") or "").split("\n\n"):
    if part.startswith("Exit status: "):
        status = part.removeprefix("Exit status: ")
    else:
        about.append(part)

print(f".TH RMQ 1 {date} \"rmq {version}\" \"User Commands\"")
abstract = (root.get("abstract") or "").rstrip(".")
print(".SH NAME\nrmq \\- " + text(abstract[:1].lower() + abstract[1:]))
print(".SH SYNOPSIS\n.B rmq\n.I command\n[\\fIoptions\\fR]\n.br\n.B rmq\n.I command\n.B \\-\\-help")
print(".SH DESCRIPTION")
paragraphs("\n\n".join(about))
print(".SH COMMANDS")
for path, command in commands(root, "rmq"):
    print(".SS " + text(path.removeprefix("rmq ")))
    arguments = own(command)
    words = ["\\fB" + text(path) + "\\fR"]
    for argument in (a for a in arguments if a["kind"] == "positional"):
        words.append("[" + name(argument) + "]" if argument["isOptional"] else name(argument))
    if children(command):
        words.append("\\fIcommand\\fR")
    if any(a["kind"] != "positional" for a in arguments) or children(command):
        words.append("[\\fIoptions\\fR]")
    print(" ".join(words))
    paragraphs(command.get("abstract") or "")
    discussion, _, examples = (command.get("discussion") or "").partition("EXAMPLES:")
    paragraphs(discussion.strip("\n"))
    describe(arguments)
    if examples:
        paragraphs("EXAMPLES:" + examples.rstrip("\n"))
print(".SH CONNECTION OPTIONS")
describe(connection.values())
print(".SH EXIT STATUS")
paragraphs(status[:1].upper() + status[1:])
print(".SH ENVIRONMENT")
for variable, words in [
    ("RABBITMQ_URI", "Where the broker is, unless an option says so."),
    ("RABBITMQ_MANAGEMENT_URI", "Where the management API is, unless an option or a profile says so."),
    ("RMQ_PROFILES", "The profile file, in place of ~/.config/rmq/profiles."),
    ("NO_COLOR", "No colours, if it is not empty."),
]:
    print(".TP\n.B " + text(variable) + "\n" + text(words))
print(".SH FILES\n.TP\n.I " + text("~/.config/rmq/profiles"))
print(text("Places that one connects to often, with their passwords; only its owner may read it."))
print(".SH SEE ALSO\n.BR rabbitmqctl (8)")
' "$version" "$date" <<<"$help"
