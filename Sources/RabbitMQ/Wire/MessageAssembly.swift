/// A message as it comes: a method, a content header, body frames (AMQP 0-9-1, section 4.2.6).
struct MessageAssembly<Origin> {
    private enum Step {
        case idle
        case awaitsHeader(Origin)
        case awaitsBody(Origin, Message, remaining: Int)
        /// A message was too large; what there is of its body is passed over.
        case skipsBody
    }

    private var step = Step.idle
    /// What the message takes whose body has begun; 0 if none has.
    private(set) var heldBytes = 0

    /// What is reserved for a body before its bytes come, at the most: a header may claim anything.
    private static var mostReserved: Int { 1 << 20 }

    /// Whether a message has begun and is not complete.
    var isActive: Bool {
        switch step {
        case .idle, .skipsBody: false
        case .awaitsHeader, .awaitsBody: true
        }
    }

    mutating func begin(_ origin: Origin) throws(AMQPError) {
        guard !isActive else { throw Self.interrupted }
        step = .awaitsHeader(origin)
    }

    /// - Returns: The message if its body is empty.
    @inline(__always)
    mutating func receive(_ header: consuming ContentHeader, limit: Int) throws(AMQPError) -> (Origin, Message)? {
        guard case .awaitsHeader(let origin) = step else {
            throw AMQPError(.protocolViolation, "the peer sent a content header that belongs to no message")
        }
        guard header.bodySize <= UInt64(limit) else {
            step = .skipsBody
            throw AMQPError(
                .contentTooLarge,
                "a message of \(header.bodySize) bytes, where \(limit) are the most that is accepted"
            )
        }
        let size = Int(header.bodySize)
        guard size > 0 else {
            step = .idle
            return (origin, header.message)
        }
        heldBytes = header.message.footprint
        step = .awaitsBody(origin, header.message, remaining: size)
        return nil
    }

    /// Gives up the message that has begun; what comes of its body is passed over.
    mutating func skip() {
        if isActive { step = .skipsBody }
        heldBytes = 0
    }

    /// - Returns: The message if this was the last of its body.
    @inline(__always)
    mutating func receive(body: UnsafeRawBufferPointer) throws(AMQPError) -> (Origin, Message)? {
        if case .skipsBody = step { return nil }
        guard case .awaitsBody(let origin, var message, let remaining) = step else {
            throw AMQPError(.protocolViolation, "the peer sent a body that belongs to no message")
        }
        guard body.count <= remaining else {
            throw AMQPError(.protocolViolation, "the peer sent a body larger than its header said")
        }
        step = .idle
        if message.body.isEmpty {
            if body.count == remaining {
                message.body = [UInt8](copying: body)
                heldBytes = 0
                return (origin, message)
            }
            message.body.reserveCapacity(min(remaining, Self.mostReserved))
        }
        message.body.append(contentsOf: body)
        heldBytes += body.count
        guard body.count < remaining else {
            heldBytes = 0
            return (origin, message)
        }
        step = .awaitsBody(origin, message, remaining: remaining - body.count)
        return nil
    }

    static var interrupted: AMQPError {
        AMQPError(.protocolViolation, "the peer sent a method in the midst of a message")
    }
}

extension [UInt8] {
    /// A copy. Made of a buffer of bytes, the quickest way: half the time of the initializer that gives its memory to a
    /// closure.
    @inline(__always)
    init(copying bytes: UnsafeRawBufferPointer) {
        self = bytes.withMemoryRebound(to: UInt8.self) { [UInt8]($0) }
    }
}
