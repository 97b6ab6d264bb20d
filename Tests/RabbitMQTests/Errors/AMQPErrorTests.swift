import Testing

@testable import RabbitMQ

@Suite struct AMQPErrorTests {
    static let codes: [(UInt16, AMQPError.Code)] = [
        (311, .contentTooLarge), (312, .noRoute), (313, .noConsumers), (320, .connectionForced), (402, .invalidPath),
        (403, .accessRefused), (404, .notFound), (405, .resourceLocked), (406, .preconditionFailed),
        (501, .frameError), (502, .syntaxError), (503, .commandInvalid), (504, .channelError),
        (505, .unexpectedFrame), (506, .resourceError), (530, .notAllowed), (540, .notImplemented),
        (541, .internalError), (0, .unknownReplyCode), (200, .unknownReplyCode), (599, .unknownReplyCode),
        (65535, .unknownReplyCode),
    ]

    @Test(arguments: codes)
    func `a reply code becomes its error code and keeps code, text and method`(
        number: UInt16,
        code: AMQPError.Code
    ) {
        let error = AMQPError(replyCode: number, replyText: "SOME - text", classID: 50, methodID: 10)
        #expect(error.code == code)
        #expect(error.replyCode?.rawValue == number)
        #expect(error.replyText == "SOME - text")
        #expect(error.method?.name == "queue.declare")
        #expect(error.isChannelFatal)
        #expect(error.isConnectionFatal == ReplyCode(rawValue: number).isConnectionError)
    }

    @Test(arguments: codes)
    func `a reply code that closes the connection is fatal to it`(number: UInt16, code: AMQPError.Code) {
        let error = AMQPError(replyCode: number, replyText: "", classID: 0, methodID: 0, closedConnection: true)
        #expect(error.code == code)
        #expect(error.isConnectionFatal)
        #expect(error.isChannelFatal)
    }

    @Test func `class and method 0 are no method`() {
        #expect(AMQPError(replyCode: 320, replyText: "x", classID: 0, methodID: 0).method == nil)
    }

    @Test(arguments: AMQPError.Code.Kind.allCases)
    func `what is fatal to the connection is fatal to the channel`(kind: AMQPError.Code.Kind) {
        let error = AMQPError(AMQPError.Code(kind), "x")
        #expect(!error.isConnectionFatal || error.isChannelFatal)
    }

    @Test(
        arguments: [
            (.connectionLost, true, true, true), (.connectionFailed, true, true, true),
            (.authenticationFailed, true, true, false), (.channelClosed, false, true, false),
            (.undeliverable, false, false, false), (.nacked, false, false, true), (.outcomeUnknown, false, false, true),
            (.blockedTooLong, false, false, true), (.timedOut, false, false, true), (.deleted, false, false, false),
            (.invalidExchangeName, false, false, false), (.alreadySettled, false, false, false),
        ] as [(AMQPError.Code, Bool, Bool, Bool)]
    )
    func `an error says what it is fatal to and whether a retry makes sense`(
        code: AMQPError.Code,
        connection: Bool,
        channel: Bool,
        retry: Bool
    ) {
        let error = AMQPError(code, "x")
        #expect(error.isConnectionFatal == connection)
        #expect(error.isChannelFatal == channel)
        #expect(error.isRetryable == retry)
    }

    @Test func `what the library has found, and the broker would have closed the channel for, leaves it open`() {
        let error = AMQPError(.preconditionFailed, "x")
        #expect(error.isChannelFatal)
        #expect(!error.sparingChannel.isChannelFatal)
        #expect(error.sparingChannel.code == .preconditionFailed)
    }

    @Test(arguments: codes)
    func `a connection that the broker closed is worth another try if the broker's reason is`(
        number: UInt16,
        code: AMQPError.Code
    ) {
        let error = AMQPError(.connectionClosed, "x", replyCode: ReplyCode(rawValue: number))
        #expect(error.isRetryable == AMQPError(code, "x").isRetryable)
        #expect(error.isRetryable || ![320, 506, 541].contains(number))
    }

    @Test func `a stale delivery is worth another try if what made it stale is`() {
        func stale(_ reason: AMQPError?) -> AMQPError { AMQPError(.staleDelivery, "x", underlying: reason) }
        #expect(stale(AMQPError(.connectionLost, "x")).isRetryable)
        #expect(stale(AMQPError(.connectionClosed, "x", replyCode: .connectionForced)).isRetryable)
        #expect(!stale(AMQPError(.channelClosed, "x")).isRetryable)
        #expect(!stale(AMQPError(.connectionClosed, "x")).isRetryable)
        #expect(!stale(nil).isRetryable)
    }

    @Test func `a catch tells the codes apart`() {
        func caught(_ thrown: any Error) -> String {
            do {
                throw thrown
            } catch AMQPError.Code.notFound {
                return "not found"
            } catch AMQPError.Code.deleted {
                return "deleted"
            } catch {
                return "other"
            }
        }
        #expect(caught(AMQPError(.notFound, "x")) == "not found")
        #expect(caught(AMQPError(.deleted, "x")) == "deleted")
        #expect(caught(AMQPError(.accessRefused, "x")) == "other")
        #expect(caught(CancellationError()) == "other")
    }

    @Test func `a catch of a typed throw tells the codes apart`() {
        func fails() throws(AMQPError) {
            throw AMQPError(.notFound, "x")
        }
        do {
            try fails()
        } catch AMQPError.Code.notFound {
            return
        } catch {
            Issue.record("caught \(error)")
        }
    }

    @Test func `a code describes itself by its Swift name`() {
        #expect(AMQPError.Code.notFound.description == "notFound")
        #expect(AMQPError.Code.invalidURI.description == "invalidURI")
        let names = AMQPError.Code.Kind.allCases.map { AMQPError.Code($0).description }
        #expect(Set(names).count == names.count)
    }

    @Test func `a description is one line with code, reply code, method and text`() {
        let error = AMQPError(
            replyCode: 404,
            replyText: "NOT_FOUND - no queue 'q' in vhost '/'",
            classID: 50,
            methodID: 10
        )
        #expect(error.description == "notFound (404 not-found, queue.declare): NOT_FOUND - no queue 'q' in vhost '/'")
        #expect(AMQPError(.timedOut, "no answer in 5 s").description == "timedOut: no answer in 5 s")
        let bare = AMQPError(replyCode: 599, replyText: "", classID: 0, methodID: 0)
        #expect(bare.description == "unknownReplyCode (599): the peer gave 599 and no text")
    }

    @Test func `a description escapes the peer's control characters`() {
        let error = AMQPError(replyCode: 403, replyText: "a\r\nINFO forged\u{1B}[2J\u{2028}é", classID: 0, methodID: 0)
        #expect(error.description == "accessRefused (403 access-refused): a\\r\\nINFO forged\\u{1B}[2J\\u{2028}é")
        #expect(error.replyText == "a\r\nINFO forged\u{1B}[2J\u{2028}é")
    }

    @Test func `a description tells the cause`() {
        struct Cause: Error, CustomStringConvertible {
            let description = "the\ncause"
        }
        let error = AMQPError(.connectionLost, "the transport broke", underlying: Cause())
        #expect(error.description == "connectionLost: the transport broke; caused by: the\\ncause")
        #expect(error.underlying is Cause)
    }

    @Test func `a cause that says the same is described once`() {
        let cause = AMQPError(replyCode: 540, replyText: "NOT_IMPLEMENTED - no", classID: 50, methodID: 40)
        let error = AMQPError(
            .connectionClosed,
            "the broker closed the connection: \(cause.message)",
            underlying: cause,
            replyCode: cause.replyCode,
            replyText: cause.replyText,
            method: cause.method
        )
        let text =
            "connectionClosed (540 not-implemented, queue.delete): the broker closed the connection: NOT_IMPLEMENTED - no"
        #expect(error.description == text)
        #expect(error.underlying is AMQPError)
    }

    @Test func `a returned message is kept, and its body is not described`() throws {
        let message = try Message("secret body", headers: ["password": "hunter2"])
        let returned = ReturnedMessage(
            replyCode: .noRoute,
            replyText: "NO_ROUTE",
            exchangeName: "e",
            routingKey: "k",
            message: message
        )
        let error = AMQPError(returned: returned)
        #expect(error.code == .undeliverable)
        #expect(error.returned == returned)
        #expect(error.replyCode == .noRoute)
        #expect(error.description == "undeliverable (312 no-route, basic.publish): NO_ROUTE")
        #expect(!String(describing: returned).contains("hunter2"))
        #expect(!String(reflecting: returned).contains("hunter2"))
    }

    @Test func `the struct stays small`() {
        #expect(MemoryLayout<AMQPError>.size <= 96)
    }
}
