/// The numbers with which AMQP names a method, as a peer gives them when it says which method an error comes from.
///
/// Class and method numbers are those of the AMQP 0-9-1 specification, section 1.3 ("Classes"), and of RabbitMQ's
/// extensions to it.
public struct MethodID: Hashable, Sendable {
    /// The number of the class, such as 50 for `queue`.
    public let classID: UInt16

    /// The number of the method within its class, such as 10 for `declare`.
    public let methodID: UInt16

    /// Makes an identifier from the two numbers on the wire; every number is accepted.
    public init(classID: UInt16, methodID: UInt16) {
        self.classID = classID
        self.methodID = methodID
    }

    /// The protocol's name, such as `queue.declare`; nil for a method that this library does not know.
    public var name: String? {
        guard let (className, methods) = Self.names[classID], let method = methods[methodID] else { return nil }
        return "\(className).\(method)"
    }

    private static let names: [UInt16: (String, [UInt16: String])] = [
        10: (
            "connection",
            [
                10: "start", 11: "start-ok", 20: "secure", 21: "secure-ok", 30: "tune", 31: "tune-ok",
                40: "open", 41: "open-ok", 50: "close", 51: "close-ok", 60: "blocked", 61: "unblocked",
                70: "update-secret", 71: "update-secret-ok",
            ]
        ),
        20: ("channel", [10: "open", 11: "open-ok", 20: "flow", 21: "flow-ok", 40: "close", 41: "close-ok"]),
        30: ("access", [10: "request", 11: "request-ok"]),
        40: (
            "exchange",
            [
                10: "declare", 11: "declare-ok", 20: "delete", 21: "delete-ok",
                30: "bind", 31: "bind-ok", 40: "unbind", 51: "unbind-ok",
            ]
        ),
        50: (
            "queue",
            [
                10: "declare", 11: "declare-ok", 20: "bind", 21: "bind-ok", 30: "purge", 31: "purge-ok",
                40: "delete", 41: "delete-ok", 50: "unbind", 51: "unbind-ok",
            ]
        ),
        60: (
            "basic",
            [
                10: "qos", 11: "qos-ok", 20: "consume", 21: "consume-ok", 30: "cancel", 31: "cancel-ok",
                40: "publish", 50: "return", 60: "deliver", 70: "get", 71: "get-ok", 72: "get-empty",
                80: "ack", 90: "reject", 100: "recover-async", 110: "recover", 111: "recover-ok", 120: "nack",
            ]
        ),
        85: ("confirm", [10: "select", 11: "select-ok"]),
        90: (
            "tx",
            [
                10: "select", 11: "select-ok", 20: "commit", 21: "commit-ok", 30: "rollback", 31: "rollback-ok",
            ]
        ),
    ]
}

extension MethodID: CustomStringConvertible {
    /// The protocol's name or, for an unknown method, the numbers: `queue.declare`, `method 50.99`.
    public var description: String {
        name ?? "method \(classID).\(methodID)"
    }
}
