#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension IncomingMessage {
    /// The body as text, decoded with the message's content encoding; UTF-8 if it has none.
    ///
    /// - Returns: The text.
    /// - Throws: ``AMQPError/Code/decodingFailed``, also for an unknown encoding.
    public func text() throws(AMQPError) -> String { try message.text() }

    /// The body as JSON.
    ///
    /// - Returns: The value.
    /// - Throws: ``AMQPError/Code/decodingFailed``.
    public func json() throws(AMQPError) -> Message.JSON { try message.json() }

    /// The body as JSON, decoded to a type.
    ///
    /// - Parameters:
    ///   - type: What to decode to.
    ///   - decoder: The decoder for the value; if nil, one with Foundation's defaults.
    /// - Returns: The value.
    /// - Throws: ``AMQPError/Code/decodingFailed``.
    public func decode<T: Decodable>(
        _ type: T.Type = T.self,
        decoder: JSONDecoder? = nil
    ) throws(AMQPError) -> T {
        try message.decode(type, decoder: decoder)
    }

    /// The value in the message, decoded by a decoder.
    ///
    /// - Parameter decoder: The decoder: of one format, or ``MessageDecoders`` for several.
    /// - Returns: The value.
    /// - Throws: ``AMQPError/Code/decodingFailed``.
    public func decode<Value>(using decoder: some MessageDecoder<Value>) throws(AMQPError) -> Value {
        try message.decode(using: decoder)
    }
}
