#if Tool
internal import ArgumentParser
internal import Foundation

/// Measurements of two files, side by side.
struct PerfComparison {
    /// What `rmq perf --json` prints, or another client of the benchmark.
    private struct Run: Decodable {
        struct Latency: Decodable {
            let p50: Double?
            let p99: Double?
            let p999: Double?
            let max: Double?
        }

        let mode: String
        let size: Int?
        let options: [String: PerfSetting]?
        // Of the benchmark's runs only.
        let client: String?
        let target: String?
        let scenario: String?
        let rate: Double?
        let cpuUsPerMessage: Double?
        let peakRssMb: Double?
        let latencyUs: Latency?

        /// What is comparable, but for the options that are passed over.
        func kind(across names: Set<String>) -> String {
            var parts = [mode]
            if let size, !names.contains("size") { parts.append("\(size) bytes") }
            for (name, value) in (options ?? [:]).sorted(by: { $0.key < $1.key }) {
                if Self.extents.contains(name) || names.contains(name) || value == .flag(false) { continue }
                parts.append(value == .flag(true) ? name : "\(name) \(value)")
            }
            let run = parts.joined(separator: ", ")
            // A benchmark has many clients and brokers in a file; by itself, one may be compared with another.
            guard let target, let scenario else { return run }
            return "\(client ?? "-") in \(target), \(scenario): \(run)"
        }

        /// Options that don't make another run, but a longer one, and the size, which stands beside them.
        private static let extents: Set<String> = ["messages", "seconds", "size", "warmup"]

        /// By the names that they have in JSON.
        var figures: [(String, Double?)] {
            [
                ("rate", rate), ("cpu_us_per_message", cpuUsPerMessage), ("peak_rss_mb", peakRssMb),
                ("latency_us.p50", latencyUs?.p50), ("latency_us.p99", latencyUs?.p99),
                ("latency_us.p999", latencyUs?.p999), ("latency_us.max", latencyUs?.max),
            ]
        }
    }

    /// A line of a file.
    private enum Line: Decodable {
        case run(Run)
        /// A run of the benchmark without a result.
        case failure
        /// What the benchmark ran on.
        case machine

        private enum CodingKeys: String, CodingKey {
            case failed, machine
        }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            if fields.contains(.machine) {
                self = .machine
            } else if fields.contains(.failed) {
                self = .failure
            } else {
                self = .run(try Run(from: decoder))
            }
        }
    }

    /// One figure of both; medians, where there are several of a kind.
    struct Row: Encodable {
        let run: String
        let figure: String
        let before: Double
        let after: Double
        /// after / before; nil where that was 0.
        let ratio: Double?

        var text: String {
            func number(_ value: Double) -> String { PerfComparison.padded(String(format: "%.2f", value), left: 14) }
            let change = ratio.map { String(format: "%+.1f %%", ($0 - 1) * 100) } ?? "-"
            return "  " + figure.padding(toLength: 20, withPad: " ", startingAt: 0) + number(before) + number(after)
                + PerfComparison.padded(change, left: 12)
        }
    }

    private let rows: [Row]

    /// Reads both.
    ///
    /// - Parameter names: Options in which runs that are compared may differ.
    /// - Throws: `ToolError` if one holds anything else, or if nothing in it is of a kind with the other's;
    ///   `ValidationError` for an option that there is not.
    init(_ before: String, _ after: String, across names: Set<String>) throws {
        let (old, new) = (try Self.read(before), try Self.read(after))
        try Self.check(names, in: old + new)
        let first = Self.byKind(old, across: names)
        let second = Self.byKind(new, across: names)
        var rows: [Row] = []
        for (kind, runs) in first {
            guard let others = second.first(where: { $0.kind == kind })?.runs else { continue }
            let (oldFigures, newFigures) = (Self.medians(runs), Self.medians(others))
            for (name, before) in oldFigures {
                guard let before, let after = newFigures.first(where: { $0.0 == name })?.1 else { continue }
                let ratio = before == 0 ? nil : after / before
                rows.append(Row(run: kind, figure: name, before: before, after: after, ratio: ratio))
            }
        }
        guard !rows.isEmpty else {
            func list(_ kinds: [(kind: String, runs: [Run])]) -> String {
                let some = kinds.prefix(3).map(\.kind).joined(separator: "; ") + (kinds.count > 3 ? "; ..." : "")
                return Terminal.harmless(some.isEmpty ? "no runs" : some)
            }
            throw ToolError(
                """
                \(before) and \(after) have no run of the same mode, size and options.
                \(before): \(list(first))
                \(after): \(list(second))
                """,
                cure: "--across OPTION has runs compared that differ in that option."
            )
        }
        self.rows = rows
    }

    /// Refuses an option that no run has or could have: passed over, a misspelt one would seem to have compared more.
    private static func check(_ names: Set<String>, in runs: [Run]) throws {
        // Other clients of the benchmark may have options of their own.
        let known = runs.reduce(into: PerfOptions.settingNames) { $0.formUnion(($1.options ?? [:]).keys) }
        guard let wrong = names.subtracting(known).min() else { return }
        throw ValidationError(
            Terminal.harmlessRow(
                "--across \(wrong): there is no such option; it is one of \(known.sorted().joined(separator: ", "))."
            )
        )
    }

    func say(asJSON: Bool) throws {
        var run: String?
        for row in rows {
            if asJSON {
                try Terminal.say(Terminal.json(row))
                continue
            }
            if row.run != run {
                run = row.run
                let head = row.run.padding(toLength: max(22, row.run.count), withPad: " ", startingAt: 0)
                let columns = Self.padded("before", left: 14) + Self.padded("after", left: 14)
                try Terminal.say(Terminal.harmless(head + columns + Self.padded("change", left: 12)))
            }
            try Terminal.say(row.text)
        }
    }

    /// An object a line; lines with nothing in them are passed over, and what the benchmark writes beside its results.
    private static func read(_ path: String) throws -> [Run] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var runs: [Run] = []
        var failures = 0
        for (index, line) in try TopologyFile.text(path).split(whereSeparator: \.isNewline).enumerated() {
            if line.allSatisfy(\.isWhitespace) { continue }
            do {
                switch try decoder.decode(Line.self, from: Data(line.utf8)) {
                case .run(let run): runs.append(run)
                case .failure: failures += 1
                case .machine: break
                }
            } catch {
                throw ToolError(
                    "\(path): run \(index + 1) is no result of a measurement.",
                    cure: "rmq perf MODE --json > \(path) writes one; several may follow each other, a line each."
                )
            }
        }
        // Their time is in no median, which may look the better for it.
        if failures > 0 { Terminal.complain("\(path): \(failures) of \(failures + runs.count) runs failed.") }
        return runs
    }

    /// In the order in which they come first.
    private static func byKind(_ runs: [Run], across names: Set<String>) -> [(kind: String, runs: [Run])] {
        var places: [String: Int] = [:]
        var groups: [(kind: String, runs: [Run])] = []
        for run in runs {
            let kind = run.kind(across: names)
            if let place = places[kind] {
                groups[place].runs.append(run)
            } else {
                places[kind] = groups.count
                groups.append((kind, [run]))
            }
        }
        return groups
    }

    private static func medians(_ runs: [Run]) -> [(String, Double?)] {
        let all = runs.map(\.figures)
        guard let names = all.first?.map(\.0) else { return [] }
        return names.enumerated().map { index, name in
            let values = all.compactMap { $0[index].1 }.sorted()
            guard !values.isEmpty else { return (name, nil) }
            let (low, high) = (values[(values.count - 1) / 2], values[values.count / 2])
            return (name, (low + high) / 2)
        }
    }

    /// On the right of a column.
    private static func padded(_ text: String, left width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
#endif
