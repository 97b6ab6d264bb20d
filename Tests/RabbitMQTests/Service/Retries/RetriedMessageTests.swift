import Foundation
import Testing

@testable import RabbitMQ

@Suite("A message that is tried again")
struct RetriedMessageTests {
    /// Everything that a message can have.
    private var full: Message {
        Message(
            body: [0, 255, 128],
            headers: [
                "text": "ü", "number": .int32(-7), "bytes": .bytes([0xFF]), "table": .table(["a": .array([1, nil])]),
                "CC": .array(["elsewhere"]), "x-death": .array([.table(["queue": "q", "reason": "expired"])]),
                "x-first-death-queue": "q",
            ],
            contentType: "text/x",
            contentEncoding: "gzip",
            deliveryMode: .persistent,
            priority: 3,
            correlationID: String(amqpBytes: [0xC0, 0x01]),
            replyTo: "reply",
            expiration: "60000",
            messageID: "id",
            timestamp: .init(timeIntervalSince1970: 17),
            type: "type",
            userID: "somebody",
            appID: "app"
        )
    }

    private func retried(_ message: Message) -> RetriedMessage {
        RetriedMessage(delivered: message, exchange: "ex", routingKey: "key", queue: "q")
    }

    /// As the broker gives it back: its own headers are there again, of the way through the ring.
    private func returned(_ sealed: Message) -> RetriedMessage {
        var message = sealed
        message.expiration = nil
        message.headers?["x-death"] = .array([.table(["queue": "q.retry.1000", "reason": "expired"])])
        message.headers?["x-first-death-queue"] = "q.retry.1000"
        message.headers?["x-last-death-queue"] = "q.retry.1000"
        return RetriedMessage(delivered: message, exchange: "", routingKey: "q", queue: "q")
    }

    @Test func `a handler sees it as it was published, however often it was tried`() {
        var retried = retried(full)
        #expect(retried.message == full && retried.failures == 0)
        for number in 1...3 {
            retried.failures += 1
            let sealed = retried.sealed(
                for: .init(queue: "w", expiration: 500),
                queue: "q",
                error: "e\(number)",
                at: 99
            )
            // Nothing is left that a broker would act on.
            #expect(sealed.headers?["CC"] == nil && sealed.headers?["x-death"] == nil && sealed.userID == nil)
            #expect(sealed.expiration == "500")
            retried = returned(sealed)
            #expect(retried.failures == number && retried.exchange == "ex" && retried.routingKey == "key")
        }
        #expect(retried.firstFailure == 99)
        var seen = retried.message
        #expect(seen.headers?["x-retry-attempt"] == .int64(3) && seen.headers?["x-retry-error"] == "e3")
        seen.headers = seen.headers?.filter { !$0.key.hasPrefix("x-retry-") }
        #expect(seen == full)
    }

    @Test func `one without any headers has none again`() {
        var retried = retried(Message(body: [1]))
        retried.failures = 1
        var seen = returned(retried.sealed(for: .init(queue: "w"), queue: "q", error: nil, at: 1)).message
        seen.headers = seen.headers?.filter { !$0.key.hasPrefix("x-retry-") }
        #expect(seen.headers?.isEmpty == true && seen.body == [1] && seen.expiration == nil)
    }

    @Test func `an exchange and a key that are not UTF-8 stay what they are`() {
        let (exchange, key) = (String(amqpBytes: [0xFF, 0x41]), String(amqpBytes: [0x80]))
        var retried = RetriedMessage(delivered: Message(body: []), exchange: exchange, routingKey: key, queue: "q")
        retried.failures = 1
        let again = returned(retried.sealed(for: .init(queue: "w"), queue: "q", error: nil, at: 1))
        #expect(again.exchange.amqpBytes == [0xFF, 0x41] && again.routingKey.amqpBytes == [0x80])
    }

    @Test func `what another queue has noted doesn't count`() {
        var retried = retried(full)
        retried.failures = 4
        let sealed = retried.sealed(for: .init(queue: "w", rest: 17), queue: "q", error: "e", at: 1)
        let other = RetriedMessage(delivered: sealed, exchange: "", routingKey: "other", queue: "other")
        #expect(other.failures == 0 && other.rest == 0)
    }

    @Test func `what a stranger writes into the headers harms nobody`() {
        for value: FieldValue in [nil, "x", -1, .uint64(.max), .table([:])] {
            let message = Message(
                body: [],
                headers: [
                    "x-retry-attempt": value, "x-retry-queue": "q", "x-retry-rest": value, "x-retry-kept": value,
                    "x-retry-first-failure": value, "x-retry-exchange": value,
                ]
            )
            let retried = retried(message)
            #expect(retried.failures >= 0 && retried.rest >= 0)
            let plan = RetryPlan(
                policy: RetryPolicy(),
                ring: RetryRing(RetryPolicy(), queue: "q", queueType: nil),
                brokerDelays: true
            )
            _ = plan.attempt(retried, returns: .max)
            _ = plan.step(.retry, retried, error: nil, returns: .max, at: 0, random: .nan)
        }
    }

    @Test func `a parked message tells why, and what it was`() throws {
        var retried = retried(full)
        retried.failures = 2
        retried.firstFailure = 10
        let message = retried.parked(from: "q", error: "broken", at: 20)
        let parked = try #require(message.parked)
        #expect(parked.errorText == "broken" && parked.attempts == 2 && parked.queue == "q")
        #expect(parked.exchange == "ex" && parked.routingKey == "key")
        #expect(parked.firstFailure?.timeIntervalSince1970 == 10 && parked.lastFailure?.timeIntervalSince1970 == 20)
        #expect(parked.original == full)
        #expect(message.headers?["CC"] == nil && message.expiration == nil && message.userID == nil)
        // Moved back as it is, it begins anew.
        let again = RetriedMessage(delivered: message, exchange: "", routingKey: "q", queue: "q")
        #expect(again.message == full && again.failures == 0 && again.exchange == "ex")
        #expect(full.parked == nil)
    }

    @Test func `one that can't be sent with what is noted on it can be parked as it came, or without headers`() {
        var retried = retried(full)
        retried.failures = 1
        retried = returned(retried.sealed(for: .init(queue: "w"), queue: "q", error: "e", at: 1))
        var plain = full
        plain.headers = full.headers?.filter { $0.key != "CC" && !$0.key.contains("death") }
        plain.expiration = nil
        plain.userID = nil
        var headless = plain
        headless.headers = nil
        #expect(retried.bare == [plain, headless])
        #expect(self.retried(Message(body: [1])).bare == [Message(body: [1])])
    }
}
