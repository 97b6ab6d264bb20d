#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns values into JSON in a text encoding and back, with errors that say where but never quote the data.
enum JSONBody {
    /// How deep arrays and objects may nest.
    ///
    /// Foundation's decoder takes 512 levels, and its recursion then overflows a stack of 2 MB. Bodies come from the
    /// network, so what is deeper than this is refused before it decodes.
    static let maxDepth = 128

    /// What encodes and decodes where the caller gives nothing. Foundation makes a worker for each call, and only reads what
    /// was set: all threads may use them at once as long as nobody sets anything, so they are private.
    private static let encoder = JSONEncoder()
    private static let decoder = JSONDecoder()

    /// The bytes of `value`.
    ///
    /// - Parameter encoder: nil for one with Foundation's defaults.
    /// - Throws: An ``AMQPError`` with `encodingFailed`.
    static func encode(
        _ value: some Encodable,
        with encoder: JSONEncoder?,
        as encoding: String
    ) throws(AMQPError) -> [UInt8] {
        let data: Data
        do {
            data = try (encoder ?? Self.encoder).encode(value)
        } catch {
            throw AMQPError(.encodingFailed, "the value cannot be encoded as JSON\(place(error))", underlying: error)
        }
        if TextEncoding.isUTF8(encoding) {
            // From a buffer of bytes: the quickest way to copy them.
            return data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> [UInt8] in
                bytes.withMemoryRebound(to: UInt8.self) { [UInt8]($0) }
            }
        }
        return try TextEncoding.encode(String(decoding: data, as: UTF8.self), as: encoding)
    }

    /// The value in `bytes`.
    ///
    /// - Parameter decoder: nil for one with Foundation's defaults.
    /// - Throws: An ``AMQPError`` with `decodingFailed`.
    static func decode<T: Decodable>(
        _ type: T.Type,
        from bytes: [UInt8],
        with decoder: JSONDecoder?,
        as encoding: String
    ) throws(AMQPError) -> T {
        let json = TextEncoding.isUTF8(encoding) ? bytes : Array(try TextEncoding.decode(bytes, as: encoding).utf8)
        return try json.withUnsafeBufferPointer { json throws(AMQPError) in
            try checkNesting(of: json)
            do {
                // One of the caller's may be of a class that keeps what it is given.
                guard let decoder else { return try Self.decoder.decode(type, from: lend(json)) }
                return try decoder.decode(type, from: Data(json))
            } catch {
                throw AMQPError(.decodingFailed, "the body is not JSON of \(type)\(place(error))", underlying: error)
            }
        }
    }

    /// The bytes as what Foundation decodes, without a copy: it makes one where a value keeps its `Decoder`.
    private static func lend(_ bytes: UnsafeBufferPointer<UInt8>) -> Data {
        guard let base = bytes.baseAddress else { return Data() }
        return Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none)
    }

    /// What went wrong at which key, such as `: key "total" is missing at "items[0]"`.
    private static func place(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            ": key \"\(key.stringValue.printable())\" is missing\(at(context.codingPath))"
        case DecodingError.typeMismatch(let expected, let context):
            ": expected \(expected)\(at(context.codingPath))"
        case DecodingError.valueNotFound(let expected, let context):
            ": expected \(expected) and found null\(at(context.codingPath))"
        case DecodingError.dataCorrupted(let context):
            ": wrong content\(at(context.codingPath))"
        case EncodingError.invalidValue(_, let context):
            ": wrong value\(at(context.codingPath))"
        default:
            ""
        }
    }

    private static func at(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "" }
        var text = ""
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return " at \"\(text.printable(200))\""
    }

    /// Refuses text that nests too deep, or that holds a NUL.
    ///
    /// No JSON has a NUL byte, but UTF-16 and UTF-32 do, which Foundation's decoder recognizes whatever we say; this
    /// scan of UTF-8 would lose its way in them.
    private static func checkNesting(of bytes: UnsafeBufferPointer<UInt8>) throws(AMQPError) {
        // First what a processor does with many bytes at a time. Few texts have so many brackets that more has to be known.
        var brackets = 0
        var hasNUL = false
        for byte in bytes {
            // The one bit in which the two differ is cleared.
            if byte & 0b1101_1111 == UInt8(ascii: "[") { brackets += 1 }
            if byte == 0 { hasNUL = true }
        }
        guard !hasNUL else { throw AMQPError(.decodingFailed, "the body is not JSON: it holds a NUL byte") }
        guard brackets > maxDepth else { return }
        var depth = 0
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\"") {
                isInString.toggle()
            } else if isInString {
                isEscaped = byte == UInt8(ascii: "\\")
            } else if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
                depth += 1
                guard depth <= maxDepth else {
                    throw AMQPError(.decodingFailed, "the body's JSON nests deeper than \(maxDepth) levels")
                }
            } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                depth -= 1
            }
        }
    }
}
