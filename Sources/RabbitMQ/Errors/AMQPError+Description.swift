extension AMQPError: CustomStringConvertible {
    /// One line: the code, what the peer gave, what happened and what caused it.
    ///
    /// For example `notFound (404 not-found, queue.declare): NOT_FOUND - no queue 'orders' in vhost '/'`. Control
    /// characters in it are escaped, and what is very long is cut. A returned message's body and the values in a body that did not
    /// decode are left out.
    public var description: String {
        var text = code.description
        let origin = [replyCode?.description, method?.description].compactMap(\.self)
        if !origin.isEmpty {
            text += " (\(origin.joined(separator: ", ")))"
        }
        text += ": \(message)"
        // The standard decoding errors quote the data; the message already says where they happened.
        if let underlying, !(underlying is DecodingError), !(underlying is EncodingError), !isTold(underlying) {
            text += "; caused by: \(String(describing: underlying).printable(Self.longestCause))"
        }
        return text
    }

    /// Whether an error says nothing that this one does not: why the broker closed the connection, for one.
    private func isTold(_ cause: any Error) -> Bool {
        guard let cause = cause as? AMQPError, cause.underlying == nil, replyCode != nil else { return false }
        return cause.replyCode == replyCode && cause.method == method && message.hasSuffix(cause.message)
    }

    /// How much is shown of the error that caused this one, in characters: several times as much as of a text, because it
    /// may be one of this library's.
    private static let longestCause = 1_200
}
