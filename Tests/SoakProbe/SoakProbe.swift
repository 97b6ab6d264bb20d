internal import Glibc
internal import TestSupport

/// Traffic of all kinds through a proxy that makes faults, for `scripts/soak.sh`, which sets the broker's variables.
@main
struct SoakProbe {
    static func main() async throws {
        var options = SoakOptions()
        var rest = CommandLine.arguments.dropFirst()
        while let name = rest.popFirst() {
            guard let value = rest.popFirst().flatMap(Int.init), options.set(name, value) else {
                print("usage: SoakProbe [--minutes M] [--seed S] [--rate N] [--pause SECONDS]")
                exit(64)
            }
        }
        let isWell = try await SoakRun(options).run()
        exit(isWell ? 0 : 1)
    }
}

struct SoakOptions: Sendable {
    var minutes = 10
    var seed: UInt64 = 1
    /// Messages a second in each lane.
    var rate = 100
    /// Seconds between faults.
    var pause = 10

    mutating func set(_ name: String, _ value: Int) -> Bool {
        guard value > 0 else { return false }
        switch name {
        case "--minutes": minutes = value
        case "--seed": seed = UInt64(value)
        case "--rate": rate = value
        case "--pause": pause = value
        default: return false
        }
        return true
    }
}
