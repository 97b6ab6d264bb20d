/// Windows-1252, the one encoding beyond those of the small Foundation that messages of older clients often have.
enum Windows1252 {
    /// The bytes of `text`; nil if it holds a character that the encoding lacks.
    static func encode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard let byte = byte(of: scalar) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// The text of `bytes`; nil if one of them is no character.
    static func decode(_ bytes: [UInt8]) -> String? {
        var text = String.UnicodeScalarView()
        for byte in bytes {
            guard let scalar = scalar(of: byte) else { return nil }
            text.append(scalar)
        }
        return String(text)
    }

    private static func byte(of scalar: Unicode.Scalar) -> UInt8? {
        if let byte = UInt8(exactly: scalar.value), !isSpecial(byte) { return byte }
        return special.firstIndex(of: scalar).flatMap { UInt8(exactly: 0x80 + $0) }
    }

    private static func scalar(of byte: UInt8) -> Unicode.Scalar? {
        isSpecial(byte) ? special[Int(byte) - 0x80] : Unicode.Scalar(byte)
    }

    /// All others are as in ISO 8859-1.
    private static func isSpecial(_ byte: UInt8) -> Bool { (0x80..<0xA0).contains(byte) }

    /// What 0x80 to 0x9F are; five of them are nothing.
    private static let special: [Unicode.Scalar?] = [
        "€", nil, "‚", "ƒ", "„", "…", "†", "‡", "ˆ", "‰", "Š", "‹", "Œ", nil, "Ž", nil,
        nil, "‘", "’", "“", "”", "•", "–", "—", "˜", "™", "š", "›", "œ", nil, "ž", "Ÿ",
    ]
}
