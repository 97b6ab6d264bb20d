internal import RabbitMQ

/// A message as a queue of the broker has it.
struct StoredMessage {
    var message: Message
    /// Its properties as the publisher sent them; nil if the broker has changed any.
    var properties: [UInt8]?
    var exchange: String
    var routingKey: String
    /// The routing keys of its `BCC` header, which nobody who gets it sees; the broker goes on routing by them.
    var blindKeys: [String] = []
    /// Its deaths as the broker knows them: the tables of `x-death`, the latest first.
    var deaths: [FieldValue] = []
    /// When it expires, by the broker's clock.
    var expiry: Duration?
    var redelivered = false
    /// How often a quorum queue has delivered it in vain.
    var deliveryCount = 0
    /// Its place in the queue: a message that comes back has its old one.
    var position: UInt64 = 0
    var priority = 0

    var encodedProperties: [UInt8] { properties ?? ContentProperties.encode(message) }

    /// The routing keys of its `CC` and `BCC` headers.
    var furtherKeys: [String] { keys(of: "CC") + blindKeys }

    func keys(of header: String) -> [String] {
        (message.headers?[header]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    mutating func updateHeaders(_ body: (inout FieldTable) -> Void) {
        var headers = message.headers ?? [:]
        body(&headers)
        message.headers = headers
        properties = nil
    }
}
