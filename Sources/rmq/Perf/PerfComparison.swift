#if Tool
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
        let rate: Double?
        let cpuUsPerMessage: Double?
        let peakRssMb: Double?
        let latencyUs: Latency?

        /// What is comparable.
        var kind: String { mode + (size.map { ", \($0) bytes" } ?? "") }

        /// By the names that they have in JSON.
        var figures: [(String, Double?)] {
            [
                ("rate", rate), ("cpu_us_per_message", cpuUsPerMessage), ("peak_rss_mb", peakRssMb),
                ("latency_us.p50", latencyUs?.p50), ("latency_us.p99", latencyUs?.p99),
                ("latency_us.p999", latencyUs?.p999), ("latency_us.max", latencyUs?.max),
            ]
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
    /// - Throws: `ToolError` if one holds anything else, or if nothing in it is of a kind with the other's.
    init(_ before: String, _ after: String) throws {
        let (first, second) = (try Self.read(before), try Self.read(after))
        var rows: [Row] = []
        for kind in Self.kinds(first) {
            let (old, new) = (first.filter { $0.kind == kind }, second.filter { $0.kind == kind })
            let (oldFigures, newFigures) = (Self.medians(old), Self.medians(new))
            for (name, before) in oldFigures {
                guard let before, let after = newFigures.first(where: { $0.0 == name })?.1 else { continue }
                let ratio = before == 0 ? nil : after / before
                rows.append(Row(run: kind, figure: name, before: before, after: after, ratio: ratio))
            }
        }
        guard !rows.isEmpty else {
            throw ToolError("\(before) and \(after) have no run of the same mode and size.")
        }
        self.rows = rows
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

    /// An object a line; lines with nothing in them are passed over.
    private static func read(_ path: String) throws -> [Run] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var runs: [Run] = []
        for (index, line) in try TopologyFile.text(path).split(whereSeparator: \.isNewline).enumerated() {
            if line.allSatisfy(\.isWhitespace) { continue }
            do {
                runs.append(try decoder.decode(Run.self, from: Data(line.utf8)))
            } catch {
                throw ToolError(
                    "\(path): run \(index + 1) is no result of a measurement.",
                    cure: "rmq perf MODE --json > \(path) writes one; several may follow each other, a line each."
                )
            }
        }
        return runs
    }

    /// In the order in which they come first.
    private static func kinds(_ runs: [Run]) -> [String] {
        var kinds: [String] = []
        for run in runs where !kinds.contains(run.kind) { kinds.append(run.kind) }
        return kinds
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
