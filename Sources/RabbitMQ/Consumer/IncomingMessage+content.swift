public import Foundation

extension IncomingMessage {
    /// The body as text: ``Message/text()``.
    ///
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed``.
    public func text() throws(AMQPError) -> String { try message.text() }

    /// The body as a JSON value: ``Message/json()``.
    ///
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed``.
    public func json() throws(AMQPError) -> JSONValue { try message.json() }

    /// The body as a value of `type`, decoded from JSON: ``Message/decode(_:decoder:)``.
    ///
    /// - Parameters:
    ///   - type: The type to decode.
    ///   - decoder: The decoder for the value; one with Foundation's defaults by default.
    /// - Returns: The value.
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed``.
    public func decode<T: Decodable>(
        _ type: T.Type = T.self,
        decoder: JSONDecoder = JSONDecoder()
    ) throws(AMQPError) -> T {
        try message.decode(type, decoder: decoder)
    }
}
