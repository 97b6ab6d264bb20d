#if canImport(FoundationEssentials) && !TextEncodings
import FoundationEssentials
#else
import Foundation
#endif

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
            guard let bytes = bytes(of: text, in: encoding) else {
                throw AMQPError(.encodingFailed, "the text holds a character that \(name) lacks")
            }
            return bytes
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
            text = Self.text(of: bytes, in: encoding)
        }
        guard let text else {
            let encoding = isUTF8(name) ? "UTF-8" : name.printable()
            throw AMQPError(.decodingFailed, "the body, of \(bytes.count) bytes, is not text in \(encoding)")
        }
        return text
    }

    private static func unknown(_ name: String, _ code: AMQPError.Code) -> AMQPError {
        #if TextEncodings || !canImport(FoundationEssentials)
        AMQPError(code, "\"\(name.printable())\" is not a text encoding that Foundation knows")
        #else
        AMQPError(
            code,
            "\"\(name.printable())\" is not a text encoding that is known here: rare ones need the package's trait "
                + "TextEncodings"
        )
        #endif
    }

    /// Whether `name` means UTF-8, and so needs no Foundation.
    static func isUTF8(_ name: String) -> Bool { ContentCoding(name) == .utf8 }

    private static func bytes(of text: String, in encoding: String.Encoding) -> [UInt8]? {
        if encoding == .windowsCP1252 { return Windows1252.encode(text) }
        return text.data(using: encoding, allowLossyConversion: false).map { Array($0) }
    }

    private static func text(of bytes: [UInt8], in encoding: String.Encoding) -> String? {
        if encoding == .windowsCP1252 { return Windows1252.decode(bytes) }
        // Foundation ignores what is left over behind the last whole unit.
        guard bytes.count.isMultiple(of: unitSize(of: encoding)) else { return nil }
        return String(bytes: bytes, encoding: encoding)
    }

    /// - Parameter name: In lower case.
    private static func encoding(named name: String) -> String.Encoding? {
        if let encoding = known[name] { return encoding }
        #if TextEncodings || !canImport(FoundationEssentials)
        // Python's name, which IANA does not list.
        let encoding = String.Encoding(ianaName: name == "sjis" ? "shift_jis" : name)
        // Of which Foundation has the wrong table.
        return encoding == .macOSRoman ? nil : encoding
        #else
        return nil
        #endif
    }

    /// What needs neither the large Foundation nor its ICU, by the names that IANA lists, and by those that other clients
    /// put into messages for them; Python's codecs for the most part.
    private static let known: [String: String.Encoding] = [
        "us-ascii": .ascii, "ascii": .ascii, "ansi_x3.4-1968": .ascii, "ansi_x3.4-1986": .ascii, "iso-ir-6": .ascii,
        "iso_646.irv:1991": .ascii, "iso646-us": .ascii, "us": .ascii, "ibm367": .ascii, "cp367": .ascii,
        "csascii": .ascii,
        "iso-8859-1": .isoLatin1, "iso_8859-1": .isoLatin1, "iso_8859-1:1987": .isoLatin1, "iso-ir-100": .isoLatin1,
        "latin1": .isoLatin1, "latin-1": .isoLatin1, "l1": .isoLatin1, "ibm819": .isoLatin1, "cp819": .isoLatin1,
        "csisolatin1": .isoLatin1,
        "windows-1252": .windowsCP1252, "cp1252": .windowsCP1252, "cswindows1252": .windowsCP1252,
        "utf-16": .utf16, "utf16": .utf16, "csutf16": .utf16,
        "utf-16be": .utf16BigEndian, "csutf16be": .utf16BigEndian,
        "utf-16le": .utf16LittleEndian, "csutf16le": .utf16LittleEndian,
        "utf-32": .utf32, "utf32": .utf32, "csutf32": .utf32,
        "utf-32be": .utf32BigEndian, "csutf32be": .utf32BigEndian,
        "utf-32le": .utf32LittleEndian, "csutf32le": .utf32LittleEndian,
    ]

    private static func unitSize(of encoding: String.Encoding) -> Int {
        switch encoding {
        case .utf16, .utf16BigEndian, .utf16LittleEndian: 2
        case .utf32, .utf32BigEndian, .utf32LittleEndian: 4
        default: 1
        }
    }
}
