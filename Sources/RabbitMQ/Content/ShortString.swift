/// Checks of short strings, the ones that AMQP puts behind a length of one byte.
///
/// AMQP 0-9-1 specification, section 4.2.5.3 ("Strings").
enum ShortString {
    /// The most bytes of UTF-8 that a short string can hold.
    static let maxBytes = 255

    /// Refuses what does not fit a short string.
    ///
    /// - Parameters:
    ///   - string: The text to check.
    ///   - name: What the text is, for the message of the error: `routing key`, for example.
    ///   - code: The code of the error.
    ///   - allowsNUL: Whether the text may hold the character U+0000, which AMQP does not mind.
    /// - Throws: An ``AMQPError`` with `code`.
    @inline(__always)
    static func validate(
        _ string: String,
        name: @autoclosure () -> String,
        code: @autoclosure () -> AMQPError.Code = .invalidArgument,
        allowsNUL: Bool = true
    ) throws(AMQPError) {
        let count = string.utf8.count
        if count > maxBytes {
            throw tooLong(count, name(), code())
        }
        if !allowsNUL, string.utf8.contains(0) {
            throw AMQPError(code(), "\(name()) holds a NUL character")
        }
    }

    /// - Returns: As much of a text as fits a short string. A character may be of any length: it may lose its marks.
    static func cut(_ text: String) -> String {
        guard text.utf8.count > maxBytes else { return text }
        var cut = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= maxBytes else { break }
            cut.append(scalar)
        }
        return String(cut)
    }

    /// Refuses a property of a message that does not fit a short string; it may stand for bytes that are not UTF-8
    /// (``WireText``).
    @inline(__always)
    static func validateProperty(_ string: String, name: @autoclosure () -> String) throws(AMQPError) {
        guard string.utf8.count > maxBytes else { return }
        let count = WireText.count(string)
        if count > maxBytes { throw tooLong(count, name(), .invalidMessage) }
    }

    /// Refuses what is not a method's short string: these RabbitMQ reads as UTF-8, and closes the connection over any
    /// others, with 501 "Malformed UTF-8 in shortstr".
    static func validateText(
        _ string: String,
        name: @autoclosure () -> String,
        code: AMQPError.Code = .invalidArgument
    ) throws(AMQPError) {
        try validate(string, name: name(), code: code)
        if WireText.count(string) != string.utf8.count { throw notText(name(), code) }
    }

    @inline(never)
    static func notText(_ name: String, _ code: AMQPError.Code = .invalidArgument) -> AMQPError {
        AMQPError(code, "\(name) holds bytes that are not UTF-8, over which RabbitMQ would close the connection")
    }

    @inline(never)
    private static func tooLong(_ count: Int, _ name: String, _ code: AMQPError.Code) -> AMQPError {
        AMQPError(code, "\(name) has \(count) bytes of UTF-8; at most \(maxBytes) are possible")
    }
}
