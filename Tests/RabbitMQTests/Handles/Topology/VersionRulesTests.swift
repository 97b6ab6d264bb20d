import TestSupport
import Testing

@testable import RabbitMQ

@Suite("What a broker of some version does otherwise than it is asked")
struct VersionRulesTests {
    static func queue(durable: Bool = true, exclusive: Bool = false, _ arguments: FieldTable = [:])
        -> Topology.Queue
    {
        Topology.Queue("q", durable: durable, exclusive: exclusive, arguments: QueueArguments(arguments))
    }

    struct Case: CustomTestStringConvertible {
        var queue: Topology.Queue
        var version: ServerVersion
        var features: [String]
        var testDescription: String { "\(queue.arguments.table.keys.sorted()) on \(version): \(features)" }

        init(_ queue: Topology.Queue, _ version: String, _ features: String...) {
            self.queue = queue
            self.version = ServerVersion(version) ?? ServerVersion(0, 0)
            self.features = features
        }
    }

    static let transient = "a queue that is neither durable nor exclusive"

    static let declared = [
        Case(queue(["x-queue-mode": "lazy"]), "3.11.28"),
        Case(queue(["x-queue-mode": "lazy"]), "3.12.0", "x-queue-mode"),
        Case(queue(["x-queue-mode": "default"]), "4.3.6", "x-queue-mode"),
        Case(queue(["x-queue-version": 1]), "4.2.9"),
        Case(queue(["x-queue-version": 1]), "4.3.0-rc.1", "x-queue-version 1"),
        Case(queue(["x-queue-version": .int32(1)]), "4.3.6", "x-queue-version 1"),
        Case(queue(["x-queue-version": 2]), "4.3.6"),
        Case(queue(["x-queue-master-locator": "min-masters"]), "4.2.9"),
        Case(queue(["x-queue-master-locator": "min-masters"]), "4.3.0", "x-queue-master-locator"),
        Case(queue(durable: false), "4.2.9"),
        Case(queue(durable: false), "4.3.0", transient),
        Case(queue(durable: false), "5.0.0", transient),
        Case(queue(durable: false, exclusive: true), "4.3.6"),
        Case(queue(), "4.3.6"),
        Case(
            queue(["x-delayed-retry-type": "all", "x-delayed-retry-min": 1, "x-delayed-retry-max": 2]),
            "4.2.9",
            "x-delayed-retry-type",
            "x-delayed-retry-min",
            "x-delayed-retry-max"
        ),
        Case(queue(["x-delayed-retry-type": "all", "x-delayed-retry-min": 1]), "4.3.6"),
        Case(queue(["x-consumer-timeout": 1]), "3.11.28", "x-consumer-timeout"),
        Case(queue(["x-consumer-timeout": 1]), "3.12.0"),
        Case(queue(["x-consumer-disconnected-timeout": 1]), "4.2.9", "x-consumer-disconnected-timeout"),
        Case(queue(["x-stream-filter-size-bytes": 16]), "3.12.14", "x-stream-filter-size-bytes"),
        Case(queue(["x-stream-filter-size-bytes": 16]), "3.13.0"),
        Case(
            queue(durable: false, ["x-queue-mode": "lazy", "x-queue-version": 1, "x-queue-master-locator": "random"]),
            "4.3.6",
            "x-queue-mode",
            "x-queue-version 1",
            "x-queue-master-locator",
            transient
        ),
    ]

    @Test("when a queue is declared", arguments: declared)
    func declares(_ declared: Case) {
        let notes = VersionRules.notes(declaring: declared.queue, on: declared.version)
        #expect(notes.map(\.feature) == declared.features)
    }

    @Test("when a consumer begins, and when all of a channel are limited together")
    func others() {
        let arguments: FieldTable = ["x-stream-filter": ["a"], "x-consumer-timeout": 1, "x-priority": 1]
        func features(_ version: ServerVersion) -> [String] {
            VersionRules.notes(consuming: arguments, on: version).map(\.feature)
        }
        #expect(features(ServerVersion(3, 10, 8)) == ["x-stream-filter", "x-consumer-timeout"])
        #expect(features(ServerVersion(3, 13)) == ["x-consumer-timeout"])
        #expect(features(ServerVersion(4, 3)).isEmpty)
        #expect(VersionRules.notes(consuming: [:], on: ServerVersion(3, 10)).isEmpty)
        #expect(VersionRules.notes(limitingTogether: ServerVersion(4, 2, 9)).isEmpty)
        #expect(VersionRules.notes(limitingTogether: ServerVersion(4, 3)).count == 1)
    }

    @Test("each is said once to a connection's log, with the broker's version")
    func advice() {
        let log = CapturedLog()
        let advice = VersionAdvice(
            serverProperties: ["product": "RabbitMQ", "version": "4.3.6"],
            logger: log.logger
        )
        for _ in 0..<3 {
            advice.declaring(Self.queue(durable: false, ["x-queue-mode": "lazy"]))
            advice.limitingTogether(channel: 7)
            advice.consuming("q", ["x-stream-filter": "a"])
        }
        #expect(log.entries.count == 3)
        #expect(
            log.entries.allSatisfy { $0.description.hasPrefix("warning") && $0.description.contains("RabbitMQ 4.3.6") }
        )
        #expect(log.entries(containing: "x-queue-mode is ignored").first?.description.contains("\"queue\": q") == true)
        #expect(log.entries(containing: "neither durable nor exclusive is denied").count == 1)
        #expect(log.entries(containing: "(global) is denied").first?.description.contains("\"channel\": 7") == true)
    }

    @Test("a queue's name makes no lines of its own in the log")
    func printableNames() {
        let log = CapturedLog()
        let advice = VersionAdvice(
            serverProperties: ["product": "RabbitMQ", "version": "3.10.8"],
            logger: log.logger
        )
        advice.consuming("q\nforged", ["x-stream-filter": "a"])
        #expect(log.entries.count == 1)
        #expect(log.entries.first?.description.contains("\n") == false)
    }

    @Test("of a broker that is not RabbitMQ nothing is said")
    func silence() {
        let log = CapturedLog()
        for properties in [[:], ["product": "LavinMQ", "version": "4.3.6"], ["product": "RabbitMQ", "version": "?"]]
            as [FieldTable]
        {
            let advice = VersionAdvice(serverProperties: properties, logger: log.logger)
            advice.declaring(Self.queue(durable: false))
            advice.consuming("q", ["x-stream-filter": "a"])
            advice.limitingTogether(channel: 1)
        }
        #expect(log.entries.isEmpty)
    }
}
