import Testing

@testable import RabbitMQ

@Suite struct ReplyCodeTests {
    /// Number, protocol name, whether the specification calls it a hard error: AMQP 0-9-1, section 1.2.
    static let specification: [(number: UInt16, name: String, isHard: Bool)] = [
        (200, "reply-success", false), (311, "content-too-large", false), (312, "no-route", false),
        (313, "no-consumers", false), (320, "connection-forced", true), (402, "invalid-path", true),
        (403, "access-refused", false), (404, "not-found", false), (405, "resource-locked", false),
        (406, "precondition-failed", false), (501, "frame-error", true), (502, "syntax-error", true),
        (503, "command-invalid", true), (504, "channel-error", true), (505, "unexpected-frame", true),
        (506, "resource-error", true), (530, "not-allowed", true), (540, "not-implemented", true),
        (541, "internal-error", true),
    ]

    @Test(arguments: specification)
    func `every code of the specification has its name and its hardness`(
        number: UInt16,
        name: String,
        isHard: Bool
    ) {
        let code = ReplyCode(rawValue: number)
        #expect(code.description == "\(number) \(name)")
        #expect(code.isConnectionError == isHard)
    }

    @Test func `an unknown code keeps its number`() {
        #expect(ReplyCode(rawValue: 599).description == "599")
        #expect(!ReplyCode(rawValue: 599).isConnectionError)
    }

    @Test func `the static members have the numbers of the specification`() {
        let members: [ReplyCode] = [
            .success, .contentTooLarge, .noRoute, .noConsumers, .connectionForced, .invalidPath, .accessRefused,
            .notFound, .resourceLocked, .preconditionFailed, .frameError, .syntaxError, .commandInvalid, .channelError,
            .unexpectedFrame, .resourceError, .notAllowed, .notImplemented, .internalError,
        ]
        #expect(members.map(\.rawValue) == Self.specification.map(\.number))
    }

    @Test(
        arguments: [
            (50, 10, "queue.declare"), (60, 40, "basic.publish"), (60, 120, "basic.nack"),
            (40, 51, "exchange.unbind-ok"),
            (10, 70, "connection.update-secret"), (85, 10, "confirm.select"), (90, 30, "tx.rollback"),
        ] as [(UInt16, UInt16, String)]
    )
    func `a known method has the protocol's name`(classID: UInt16, methodID: UInt16, name: String) {
        let method = MethodID(classID: classID, methodID: methodID)
        #expect(method.name == name)
        #expect(method.description == name)
    }

    @Test(arguments: [(50, 99), (99, 10), (0, 0), (65535, 65535)] as [(UInt16, UInt16)])
    func `an unknown method has its numbers`(classID: UInt16, methodID: UInt16) {
        let method = MethodID(classID: classID, methodID: methodID)
        #expect(method.name == nil)
        #expect(method.description == "method \(classID).\(methodID)")
    }
}
