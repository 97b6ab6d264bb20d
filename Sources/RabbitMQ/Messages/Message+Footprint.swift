extension Message {
    /// About how many bytes of memory it takes while it waits for whoever receives it.
    var footprint: Int { body.count + Self.overhead + (extras?.values.encodedSize ?? 0) }

    /// About how many bytes it takes beside its body and the rarer properties.
    static let overhead = 256
}

extension MessageExtras.Values {
    /// About how many bytes they take on the wire. What was received nests no deeper than what may be sent.
    fileprivate var encodedSize: Int {
        let texts = [contentEncoding, correlationId, replyTo, expiration, messageId, type, userId, appId]
        let table = headers.map { (try? TableCheck.encodedSize(of: $0)) ?? 0 } ?? 0
        return texts.reduce(table) { $0 + ($1?.utf8.count ?? 0) }
    }
}
