/// What deliveries of a queue whose type isn't known say against its being a stream. A value.
///
/// Any publisher can put an `x-stream-offset` on a message of an ordinary queue. But none can keep one off a stream's
/// message, nor have it redelivered, nor make its offset rise less than the offsets before it.
struct StreamEvidence {
    /// The delivery with the largest tag so far, and what it says is its offset.
    private var last: (tag: UInt64, offset: UInt64)?
    /// Whether the queue can be no stream.
    private(set) var excludesStream = false

    mutating func consider(tag: UInt64, redelivered: Bool, offset: UInt64?) {
        guard let offset, !redelivered else {
            excludesStream = true
            return
        }
        guard let last else {
            last = (tag, offset)
            return
        }
        if (tag > last.tag) != (offset > last.offset) || offset == last.offset, tag != last.tag {
            excludesStream = true
        }
        if tag > last.tag { self.last = (tag, offset) }
    }

    /// Whether a refusal to declare the queue names a property of it that no stream has: each is durable, and neither
    /// exclusive nor auto-delete. RabbitMQ compares these before the type.
    static func excludesStream(refusal text: String) -> Bool {
        [("durable", "false"), ("exclusive", "true"), ("auto_delete", "true")].contains { property, value in
            text.contains("inequivalent arg '\(property)'") && text.hasSuffix("but current is '\(value)'")
        }
    }
}
