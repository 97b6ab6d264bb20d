import Foundation

/// Turns text into bytes and back, by the IANA name of an encoding as ``Message/contentEncoding`` holds it.
enum TextEncoding {
    /// The bytes of `text`.
    ///
    /// - Throws: An ``AMQPError`` with `encodingFailed` if the encoding is unknown or lacks a character.
    static func encode(_ text: String, as name: String) throws(AMQPError) -> [UInt8] {
        switch ContentCoding(name) {
        case .utf8: return Array(text.utf8)
        case .compressed(let coding):
            throw AMQPError(
                .encodingFailed,
                "text is not compressed with \(coding) here: give a body of bytes that are"
            )
        case .transferred(let coding):
            throw AMQPError(.encodingFailed, "text is not encoded with \(coding) here: give a body of bytes that are")
        case .text(let name):
            guard let encoding = encoding(named: name) else { throw unknown(name, .encodingFailed) }
            guard let data = text.data(using: encoding, allowLossyConversion: false) else {
                throw AMQPError(.encodingFailed, "the text holds a character that \(name) lacks")
            }
            return Array(data)
        }
    }

    /// The text of `bytes`.
    ///
    /// - Throws: An ``AMQPError`` with `decodingFailed` if the encoding is unknown or the bytes are not text in it.
    static func decode(_ bytes: [UInt8], as name: String) throws(AMQPError) -> String {
        let text: String?
        switch ContentCoding(name) {
        case .utf8: text = String(validating: bytes, as: UTF8.self)
        case .compressed(let coding):
            throw AMQPError(.decodingFailed, "the body is compressed with \(coding): decompress the body first")
        case .transferred(let coding):
            throw AMQPError(.decodingFailed, "the body is encoded with \(coding): decode the body first")
        case .text(let name):
            guard let encoding = encoding(named: name) else { throw unknown(name, .decodingFailed) }
            // Foundation ignores what is left over behind the last whole unit.
            let isWhole = bytes.count.isMultiple(of: unitSize(of: encoding))
            text = isWhole ? String(bytes: bytes, encoding: encoding) : nil
        }
        guard let text else {
            let encoding = isUTF8(name) ? "UTF-8" : name.printable()
            throw AMQPError(.decodingFailed, "the body, of \(bytes.count) bytes, is not text in \(encoding)")
        }
        return text
    }

    private static func unknown(_ name: String, _ code: AMQPError.Code) -> AMQPError {
        AMQPError(code, "\"\(name.printable())\" is not a text encoding that Foundation knows")
    }

    /// Whether `name` means UTF-8, and so needs no Foundation.
    static func isUTF8(_ name: String) -> Bool { ContentCoding(name) == .utf8 }

    private static func encoding(named name: String) -> String.Encoding? {
        String.Encoding(ianaName: commonAliases[name] ?? name)
    }

    /// Names that other clients put into messages but IANA does not list; Python's codecs for the most part.
    private static let commonAliases = [
        "ascii": "us-ascii",
        "cp1252": "windows-1252",
        "latin-1": "iso-8859-1",
        "sjis": "shift_jis",
        "utf16": "utf-16",
        "utf32": "utf-32",
    ]

    private static func unitSize(of encoding: String.Encoding) -> Int {
        switch encoding {
        case .utf16, .utf16BigEndian, .utf16LittleEndian: 2
        case .utf32, .utf32BigEndian, .utf32LittleEndian: 4
        default: 1
        }
    }
}
