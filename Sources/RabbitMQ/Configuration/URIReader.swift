#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Reads an AMQP URI: bytes in, parts out, and for a bad one what is bad and where.
///
/// Its errors quote nothing of the URI but signs that separate, and names of options that can't be a password. Where a
/// character that should have been encoded shifts the parts, any of them may hold a piece of the password.
/// RabbitMQ: [URI specification](https://www.rabbitmq.com/docs/uri-spec); RFC 3986.
struct URIReader {
    struct Option: Equatable {
        var name: String
        var value: String
        /// Of the name, counted from 0.
        var offset: Int
    }

    private(set) var usesTLS = false
    /// Parts that are missing are nil; those that are there may be empty.
    private(set) var username: String?
    private(set) var password: String?
    private(set) var host: String?
    private(set) var port: Int?
    private(set) var virtualHost: String?
    private(set) var options: [Option] = []

    private let bytes: [UInt8]
    private var next = 0

    init(_ uri: String) throws(AMQPError) {
        bytes = Array(uri.utf8)
        try readScheme()
        let authority = take { $0 == "/" || $0 == "?" || $0 == "#" }
        do throws(AMQPError) {
            try readAuthority(authority)
        } catch {
            throw cutShort(authority) ?? error
        }
        if isNext("/") {
            next += 1
            let path = take { $0 == "?" || $0 == "#" }
            if let slash = path.first(where: { bytes[$0] == "/" }) {
                throw Self.invalid("the virtual host holds a '/', which must be written as %2f", at: slash)
            }
            virtualHost = try decode(path, "the virtual host", allowing: ":@")
            if virtualHost.map({ $0.utf8.count > 255 }) == true {
                throw Self.invalid("the virtual host is longer than 255 bytes", at: path.lowerBound)
            }
        }
        if isNext("?") {
            next += 1
            try readQuery(take { $0 == "#" }, behind: authority)
        }
        if next < bytes.count {
            throw Self.invalid("a '#' begins a fragment, which an AMQP URI doesn't have; elsewhere write %23", at: next)
        }
    }

    static func invalid(_ what: String, at offset: Int) -> AMQPError {
        AMQPError(.invalidURI, "\(what) (at character \(offset + 1) of the URI)")
    }

    /// What is wrong if there is an `@` only behind the first sign that ends user and host: that sign was meant for a part of
    /// the password.
    private func cutShort(_ authority: Range<Int>) -> AMQPError? {
        let rest = bytes[authority.upperBound...]
        guard !bytes[authority].contains(where: { $0 == "@" }), rest.contains(where: { $0 == "@" }),
            let sign = rest.first
        else { return nil }
        return Self.invalid(
            "a '\(Unicode.Scalar(sign))' stands before the '@'; in a user name or password write \(URICure.escape(sign))",
            at: authority.upperBound
        )
    }

    // MARK: Parts

    private mutating func readScheme() throws(AMQPError) {
        for (scheme, usesTLS) in [("amqp://", false), ("amqps://", true)] {
            let start = bytes.prefix(scheme.utf8.count).map { $0 | (("A"..."Z") ~= $0 ? 0x20 : 0) }
            if start.elementsEqual(scheme.utf8) {
                self.usesTLS = usesTLS
                next = start.count
                return
            }
        }
        throw Self.invalid("it begins neither with amqp:// nor with amqps://\(URICure.scheme(of: bytes))", at: 0)
    }

    private mutating func readAuthority(_ range: Range<Int>) throws(AMQPError) {
        var place = range
        if let at = range.first(where: { bytes[$0] == "@" }) {
            if let second = (at + 1..<range.upperBound).first(where: { bytes[$0] == "@" }) {
                let hosts = (at..<second).contains { bytes[$0] == "," } ? "; \(URICure.severalHosts)" : ""
                throw Self.invalid("there is a second '@'; in a user name or password write %40\(hosts)", at: second)
            }
            try readUser(range.lowerBound..<at)
            place = at + 1..<range.upperBound
        }
        if let comma = place.first(where: { bytes[$0] == "," || bytes[$0] == ";" }) {
            throw Self.invalid("there is more than one host; \(URICure.severalHosts)", at: comma)
        }
        var portRange: Range<Int>?
        if place.first.map({ bytes[$0] == "[" }) == true {
            guard let end = place.first(where: { bytes[$0] == "]" }) else {
                throw Self.invalid("the '[' of an IPv6 address has no ']'", at: place.lowerBound)
            }
            host = try address(place.lowerBound + 1..<end)
            if end + 1 < place.upperBound {
                guard bytes[end + 1] == ":" else { throw Self.invalid("there is no ':' before the port", at: end + 1) }
                portRange = end + 2..<place.upperBound
            }
        } else {
            let colon = place.first { bytes[$0] == ":" }
            let name = place.lowerBound..<(colon ?? place.upperBound)
            host = name.isEmpty ? nil : try decode(name, "the host")
            portRange = colon.map { $0 + 1..<place.upperBound }
        }
        if let portRange, !portRange.isEmpty { port = try readPort(portRange) }
    }

    private mutating func readUser(_ range: Range<Int>) throws(AMQPError) {
        let colon = range.first { bytes[$0] == ":" }
        username = try decode(range.lowerBound..<(colon ?? range.upperBound), "the user name")
        if let colon { password = try decode(colon + 1..<range.upperBound, "the password") }
    }

    private func readPort(_ range: Range<Int>) throws(AMQPError) -> Int {
        var port = 0
        for index in range {
            guard case "0"..."9" = bytes[index] else {
                let isAddress = range.contains { bytes[$0] == ":" }
                // One at the end comes from a file, mostly.
                let hidden = URICure.whiteSpace(bytes[index]).map { "there is \($0) in it" }
                let cure =
                    isAddress
                    ? "an IPv6 address must stand in brackets, as in [::1]" : hidden ?? "it stands behind the ':'"
                throw Self.invalid("the port is not a number; \(cure)", at: index)
            }
            port = min(port * 10 + Int(bytes[index] - 0x30), 100_000)
        }
        guard (1...65535).contains(port) else {
            throw Self.invalid("the port is not from 1 to 65535", at: range.lowerBound)
        }
        return port
    }

    /// An IPv6 address without its brackets; a zone stands behind `%25` (RFC 6874).
    private func address(_ range: Range<Int>) throws(AMQPError) -> String {
        let text = try decode(range, "the address", allowing: ":")
        var binary = in6_addr()
        let bare = text.prefix { $0 != "%" }
        guard inet_pton(AF_INET6, String(bare), &binary) == 1 else {
            throw Self.invalid("what stands in brackets is no IPv6 address", at: range.lowerBound)
        }
        return text
    }

    private mutating func readQuery(_ range: Range<Int>, behind authority: Range<Int>) throws(AMQPError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = (start..<range.upperBound).first { bytes[$0] == "&" } ?? range.upperBound
            guard let equals = (start..<end).first(where: { bytes[$0] == "=" }) else {
                if virtualHost == nil, bytes[start..<end].contains(where: { $0 == "@" }),
                    let error = cutShort(authority)
                {
                    throw error
                }
                let name = (try? decode(start..<end, "an option")).map { nameToShow($0, at: start) } ?? "an option"
                throw Self.invalid("\(name) has no '='\(cure(at: start))", at: start)
            }
            let option = Option(
                name: try decode(start..<equals, "the name of an option"),
                value: try decode(equals + 1..<end, "the value of an option", allowing: ":@/?"),
                offset: start
            )
            // Of mechanisms there may be several to choose from.
            guard option.name == "auth_mechanism" || !options.contains(where: { $0.name == option.name }) else {
                throw Self.invalid(
                    "\(nameToShow(option.name, at: start)) stands there twice\(cure(at: start))",
                    at: start
                )
            }
            options.append(option)
            start = end + 1
        }
    }

    /// How an option is called in an error: by its name, unless that might be the password or hold it.
    func nameToShow(_ name: String, at offset: Int) -> String {
        func isLike(_ secret: String?, from length: Int) -> Bool {
            guard let secret, secret.count >= length else { return false }
            return name.contains(secret) || secret.contains(name)
        }
        // A short user name is in many a word.
        let isSecret =
            name.isEmpty || mayBePassword(at: offset) || isLike(password, from: 1) || isLike(username, from: 4)
        return isSecret ? "an option" : "the option \(name.printable(40))"
    }

    /// Whether what stands there may be a piece of a password that holds signs which should have been encoded: whatever
    /// stands before an `@` may.
    private func mayBePassword(at offset: Int) -> Bool { bytes[offset...].contains { $0 == "@" } }

    /// What to write if an option is none, but a piece of a password.
    func cure(at offset: Int) -> String {
        mayBePassword(at: offset) ? "; in a user name or password a '?' is written %3F" : ""
    }

    // MARK: Bytes

    private func isNext(_ character: Unicode.Scalar) -> Bool { next < bytes.count && bytes[next] == character }

    private mutating func take(until ends: (UInt8) -> Bool) -> Range<Int> {
        let start = next
        next = (start..<bytes.count).first { ends(bytes[$0]) } ?? bytes.count
        return start..<next
    }

    /// Undoes the percent-encoding. What RFC 3986 calls unreserved, and its sub-delims, may stand as they are.
    private func decode(_ range: Range<Int>, _ what: String, allowing others: String = "") throws(AMQPError) -> String {
        var decoded: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            switch byte {
            case "%":
                guard index + 2 < range.upperBound, let high = Self.hex(bytes[index + 1]),
                    let low = Self.hex(bytes[index + 2])
                else {
                    throw Self.invalid(
                        "in \(what) a '%' is not followed by two hexadecimal digits; the sign itself is written %25",
                        at: index
                    )
                }
                guard high | low != 0 else { throw Self.invalid("\(what) holds a NUL character", at: index) }
                decoded.append(high << 4 | low)
                index += 3
                continue
            case "a"..."z", "A"..."Z", "0"..."9": break
            default:
                guard Self.plain.contains(byte) || others.utf8.contains(byte) else {
                    let cure = URICure.encoding(of: byte).map { ": \($0)" } ?? ""
                    throw Self.invalid("\(what) holds a character that must be percent-encoded\(cure)", at: index)
                }
            }
            decoded.append(byte)
            index += 1
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw Self.invalid("\(what) is not UTF-8", at: range.lowerBound)
        }
        return text
    }

    private static let plain = Array("-._~!$&'()*+,;=".utf8)

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case "0"..."9": byte - 0x30
        case "a"..."f", "A"..."F": (byte | 0x20) - 0x61 + 10
        default: nil
        }
    }
}

private func == (byte: UInt8, character: Unicode.Scalar) -> Bool { UInt32(byte) == character.value }

private func ~= (character: Unicode.Scalar, byte: UInt8) -> Bool { byte == character }

private func ~= (characters: ClosedRange<Unicode.Scalar>, byte: UInt8) -> Bool {
    characters.contains(Unicode.Scalar(byte))
}
