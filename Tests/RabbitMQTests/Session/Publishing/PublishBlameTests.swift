import Testing

@testable import RabbitMQ

@Suite("over which message the broker has closed a channel")
struct PublishBlameTests {
    private func closing(_ code: UInt16, _ text: String, _ classID: UInt16 = 60, _ methodID: UInt16 = 40) -> AMQPError {
        AMQPError(replyCode: code, replyText: text, classID: classID, methodID: methodID)
    }

    private func trace(
        _ exchange: String,
        _ routingKey: String? = nil,
        size: Int = 1,
        userID: String? = nil,
        expiration: String? = nil
    ) -> PublishTrace {
        PublishTrace(
            exchange: exchange,
            routingKey: routingKey,
            size: size,
            extras: MessageExtras.box(.init(expiration: expiration, userID: userID))
        )
    }

    @Test(
        arguments: [
            (404, "NOT_FOUND - no exchange 'b' in vhost '/'", 1),
            (403, "ACCESS_REFUSED - cannot publish to internal exchange 'b' in vhost '/'", 1),
            (403, "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'guest'", 3),
            (403, "ACCESS_REFUSED - write access to topic 'k2' in exchange 't' in vhost '/' refused for user 'u'", 5),
            (404, "NOT_FOUND - no exchange 'elsewhere' in vhost '/'", nil),
            (406, "PRECONDITION_FAILED - message size 20 is larger than configured max size 16", 6),
            (406, "PRECONDITION_FAILED - message size 21 is larger than configured max size 16", nil),
            (406, "PRECONDITION_FAILED - user_id property set to 'eve' but authenticated user was 'guest'", 7),
            (406, "PRECONDITION_FAILED - invalid expiration 'soon': {leftover_string,<<\"soon\">>}", 8),
            (406, "PRECONDITION_FAILED - something new", nil),
            (406, "PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'guest'", nil),
            (406, "PRECONDITION_FAILED - invalid expiration '10000000000000': too much", 10),
            (403, "ACCESS_REFUSED - write access to topic 'k2' in exchange 'n' in vhost '/' refused for user 'u'", nil),
        ] as [(UInt16, String, Int?)]
    )
    func `is told by what the broker names`(code: UInt16, text: String, expected: Int?) throws {
        let traces = [
            trace("a"), trace("b"), trace("b"), trace(""), trace("t", "k1"), trace("t", "k2"), trace("a", size: 20),
            trace("a", userID: "eve"), trace("a", expiration: "soon"),
            trace("a", userID: "guest", expiration: "1000"), trace("a", expiration: "10000000000000"), trace("n"),
        ]
        let blame = try #require(PublishBlame(closing(code, text)))
        #expect(blame.find(in: traces) == expected)
    }

    @Test func `is clear where there is but one, unless another is named`() throws {
        let some = try #require(PublishBlame(closing(406, "something new")))
        #expect(some.find(in: [trace("a")]) == 0)
        #expect(some.find(in: []) == nil)
        let other = try #require(PublishBlame(closing(404, "no exchange 'b' in vhost '/'")))
        #expect(other.find(in: [trace("a")]) == nil)
    }

    @Test func `is told by the beginning of a long name, as the broker cuts its text`() throws {
        let name = String(repeating: "n", count: 240)
        let text = "NOT_FOUND - no exchange '\(name)' in vhost '/'"
        let blame = try #require(PublishBlame(closing(404, "\(text.prefix(252))...")))
        #expect(blame.find(in: [trace("n"), trace(name)]) == 1)
    }

    @Test func `is nobody's where the channel was closed over something else`() {
        #expect(PublishBlame(closing(406, "inequivalent arg", 50, 10)) == nil)
        #expect(PublishBlame(closing(406, "delivery acknowledgement on channel 1 timed out", 0, 0)) == nil)
        #expect(PublishBlame(AMQPError(.connectionLost, "gone")) == nil)
        #expect(PublishBlame(closing(540, "immediate=true")) == nil)
    }
}
