extension AMQPError: CustomStringConvertible {
    /// One line: the code, what the peer gave, what happened and what caused it.
    ///
    /// For example `notFound (404 not-found, queue.declare): NOT_FOUND - no queue 'orders' in vhost '/'`. Control
    /// characters of the peer's text are escaped. A returned message's body and the values in a body that did not
    /// decode are left out.
    public var description: String {
        var text = code.description
        let origin = [replyCode?.description, method?.description].compactMap(\.self)
        if !origin.isEmpty {
            text += " (\(origin.joined(separator: ", ")))"
        }
        text += ": \(Self.printable(message))"
        // The standard decoding errors quote the data; the message already says where they happened.
        if let underlying, !(underlying is DecodingError), !(underlying is EncodingError) {
            text += "; caused by: \(Self.printable(String(describing: underlying)))"
        }
        return text
    }

    /// `text` with control characters and line breaks escaped, so that it stays one line of a log.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
