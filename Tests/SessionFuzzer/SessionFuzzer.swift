internal import Glibc
internal import TestSupport

/// Connects the real client to a broker that breaks the protocol, session after session: each over a socketpair, each with
/// the same bytes for the same seed and number.
///
/// The exit status is 0 only if every await ended within its deadline, every message that was published on a confirming
/// channel had its outcome, the client wrote whole frames only, no line of its log could pass for two, and as many
/// descriptors were open at the end as at the beginning. A crash or a hang names the sessions that were under way.
@main
struct SessionFuzzer {
    static let usage = """
        usage: SessionFuzzer [--sessions N] [--seed S] [--workers W] [--only N] [--seconds S] [--idle MS]
          --sessions N   how many (default 10000)
          --seed S       of all of them (default 1)
          --workers W    how many at once (default 16)
          --only N       nothing but the session of this number
          --seconds S    stops after so many, though sessions are left
          --idle MS      how long the broker waits for a client before it goes on by itself, and ends the session after
                         a few times (default 2): on a busy machine more lets the client get further
        """

    static func main() async {
        var options = FuzzOptions()
        var rest = CommandLine.arguments.dropFirst()
        while let name = rest.popFirst() {
            guard let value = rest.popFirst().flatMap(UInt64.init), options.set(name, value) else {
                print(usage)
                exit(64)
            }
        }
        signal(SIGPIPE, SIG_IGN)
        let run = FuzzRun(options)
        exit(await run.run() ? 0 : 1)
    }
}

struct FuzzOptions: Sendable {
    var sessions: UInt64 = 10_000
    var seed: UInt64 = 1
    var workers = 16
    var only: UInt64?
    var seconds: UInt64?
    var idle: Int32 = 2

    mutating func set(_ name: String, _ value: UInt64) -> Bool {
        switch name {
        case "--sessions": sessions = value
        case "--seed": seed = value
        case "--workers": workers = max(1, Int(clamping: value))
        case "--only": only = value
        case "--seconds": seconds = value
        case "--idle": idle = max(1, Int32(clamping: value))
        default: return false
        }
        return true
    }

    /// The numbers of the sessions.
    var numbers: Range<UInt64> { only.map { $0..<$0 + 1 } ?? 0..<sessions }

    /// A generator for one session's use of that name.
    func random(_ session: UInt64, _ use: UInt64) -> SplitMix {
        var mixed = SplitMix(seed: seed &* 0x1_0000_0001 ^ session)
        return SplitMix(seed: mixed.next() ^ use)
    }
}
