#if Tool
internal import Foundation
internal import Histogram

/// What a mode found out.
struct PerfResult {
    var usage: Usage
    /// How many messages there were, if that was not what ended it.
    var messages: Int?
    var latencies: Histogram<UInt64>?
    /// What the program computed itself, for each message.
    var work: Work?
    /// Of a body, if it isn't the one that was asked for.
    var size: Int?
    var coding: CodableMode.Cost?
    var load: LoadReport?
    /// Latencies that somebody else has measured.
    var delays: PerfReport.Latency?
}

/// A result as it is printed.
struct PerfReport: Encodable {
    struct Latency: Encodable {
        var p50: Double
        var p99: Double
        var p999: Double
        var max: Double
    }

    let client = "rmq"
    let mode: String
    let messages: Int
    let size: Int
    /// What else makes the run, by which it is compared.
    let options: [String: PerfSetting]
    let seconds: Double
    let rate: Double
    let cpuSeconds: Double
    let cpuUsPerMessage: Double
    let peakRssMb: Double
    /// At the end of the measured part, and before anything was connected.
    let rssMb: Double?
    let baseRssMb: Double?
    let threads: Int?
    let baseThreads: Int?
    let latencyUs: Latency?
    let codingUs: CodableMode.Cost?
    let endToEnd: LoadReport?

    init(mode: String, options: PerfOptions, result: PerfResult, base: ProcessStatus?) {
        self.mode = mode
        let count = result.messages ?? options.messages
        messages = count
        size = result.size ?? options.size
        self.options = options.settings
        seconds = result.usage.seconds
        rate = Double(count) / result.usage.seconds
        cpuSeconds = result.usage.cpuSeconds - (result.work?.cpuSeconds ?? 0) * Double(count)
        // Not one may have been done in time.
        cpuUsPerMessage = cpuSeconds * 1e6 / Double(max(1, count))
        peakRssMb = Meter.peakMegabytes
        rssMb = result.usage.process?.megabytes
        baseRssMb = base?.megabytes
        threads = result.usage.process?.threads
        baseThreads = base?.threads
        codingUs = result.coding
        endToEnd = result.load
        let measured: Latency? = result.latencies.map { histogram in
            func microseconds(_ percentile: Double) -> Double {
                Double(histogram.valueAtPercentile(percentile)) / 1000
            }
            return Latency(
                p50: microseconds(50),
                p99: microseconds(99),
                p999: microseconds(99.9),
                max: Double(histogram.max) / 1000
            )
        }
        latencyUs = result.delays ?? measured
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    func table() -> String {
        func number(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
        var rows = [
            ("mode", mode), ("messages", "\(messages)"), ("size", "\(size) bytes"), ("time", "\(number(seconds, 3)) s"),
            ("rate", "\(number(rate, 0)) msg/s"), ("CPU", "\(number(cpuSeconds, 3)) s"),
            ("CPU per message", "\(number(cpuUsPerMessage, 3)) us"), ("peak memory", "\(number(peakRssMb, 1)) MiB"),
        ]
        if let rssMb { rows.append(("memory", "\(number(rssMb, 1)) MiB")) }
        if let threads { rows.append(("threads", "\(threads)")) }
        if let latencyUs {
            rows.append(("latency, median", "\(number(latencyUs.p50, 1)) us"))
            rows.append(("latency, 99 %", "\(number(latencyUs.p99, 1)) us"))
            rows.append(("latency, 99.9 %", "\(number(latencyUs.p999, 1)) us"))
            rows.append(("latency, most", "\(number(latencyUs.max, 1)) us"))
        }
        if let endToEnd { rows += endToEnd.rows }
        if let codingUs {
            rows.append(("encoding alone", "\(number(codingUs.encodeAlone, 3)) us"))
            rows.append(("encoding a message", "\(number(codingUs.encode, 3)) us"))
            rows.append(("decoding alone", "\(number(codingUs.decodeAlone, 3)) us"))
            rows.append(("decoding a message", "\(number(codingUs.decode, 3)) us"))
        }
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $0.1 }.joined(
            separator: "\n"
        )
    }
}
#endif
