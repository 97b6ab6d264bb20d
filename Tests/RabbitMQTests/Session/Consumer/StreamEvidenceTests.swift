import Testing

@testable import RabbitMQ

@Suite("what says that a queue is no stream")
struct StreamEvidenceTests {
    private func excludes(_ deliveries: [(tag: UInt64, redelivered: Bool, offset: UInt64?)]) -> Bool {
        var evidence = StreamEvidence()
        for delivery in deliveries {
            evidence.consider(tag: delivery.tag, redelivered: delivery.redelivered, offset: delivery.offset)
        }
        return evidence.excludesStream
    }

    @Test func `rising offsets might be a stream's, in whatever order they are looked at`() {
        #expect(!excludes([]))
        #expect(!excludes([(1, false, 0), (2, false, 1), (9, false, 100), (9, false, 100), (3, false, 50)]))
        #expect(!excludes([(7, false, .max)]))
    }

    @Test func `what a stream can't deliver is one's of another queue`() {
        #expect(excludes([(1, false, nil)]))
        #expect(excludes([(1, true, 5)]))
        #expect(excludes([(1, false, 5), (2, false, 5)]))
        #expect(excludes([(1, false, 5), (2, false, 4)]))
        #expect(excludes([(2, false, 5), (1, false, 6)]))
    }

    @Test(arguments: [
        "received 'any' but current is 'quorum'", "but current is none", "", "inequivalent arg 'x-queue-type'",
        "inequivalent arg 'x-queue-type' for queue 'q' but current is ''",
    ])
    func `no type is read where none is said`(text: String) {
        #expect(QueueType(inRefusal: text) == nil)
    }
}
