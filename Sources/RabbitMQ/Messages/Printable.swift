/// Makes the texts of strangers fit for logs and errors: one line that shows nothing but what is in it, and not endless.
///
/// What a peer, a certificate or a message says can hold line feeds that forge lines of a log, escapes that drive a
/// terminal, marks that turn the direction of writing; and it can be as long as a frame. So wherever such a text is put
/// into a log or into words of this library's own, it passes here.
enum Printable {
    /// How much of one text is shown, in Unicode scalars: more than RabbitMQ's longest reply text, which is 255 bytes.
    static let length = 300

    /// Whether a text can be shown as it is. Nearly all can.
    @inline(__always)
    static func isPlain(_ text: some StringProtocol, length: Int) -> Bool {
        let bytes = text.utf8
        return bytes.count <= length && bytes.allSatisfy { (0x20..<0x7F).contains($0) }
    }

    static func text(_ text: some StringProtocol, length: Int) -> String {
        var result = ""
        var left = length
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            guard left > 0 else { return result + "…" }
            left -= 1
            if let next = scalars.first, let byte = WireText.byte(scalar, next) {
                scalars.removeFirst()
                let digits = String(byte, radix: 16, uppercase: true)
                result += "\\x\(digits)"
            } else if isHidden(scalar) {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: scalar.properties.isNoncharacterCodePoint
        }
    }
}

extension StringProtocol {
    /// The text on one line, with control characters and the like escaped and bytes that are not UTF-8 as `\xFF`; cut
    /// behind so many characters, with an ellipsis.
    func printable(_ length: Int = Printable.length) -> String {
        Printable.isPlain(self, length: length) ? String(self) : Printable.text(self, length: length)
    }
}
