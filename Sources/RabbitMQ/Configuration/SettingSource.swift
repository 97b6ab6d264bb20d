/// Where the fields of a ``ConnectionConfiguration`` are read from, by keys such as `tls.caFile`.
protocol SettingSource {
    func text(_ key: String, isSecret: Bool) throws(AMQPError) -> String?
    /// Several texts, as they come; each may hold several: see ``list(_:)``.
    func texts(_ key: String) throws(AMQPError) -> [String]?
    func integer(_ key: String) throws(AMQPError) -> Int?
    func number(_ key: String) throws(AMQPError) -> Double?
    func flag(_ key: String) throws(AMQPError) -> Bool?

    /// How whoever has set it knows the key.
    func name(of key: String) -> String
}

extension SettingSource {
    func text(_ key: String) throws(AMQPError) -> String? { try text(key, isSecret: false) }

    /// Several texts, in a list or separated by commas or both; nil if nothing is left but blanks and commas.
    func list(_ key: String) throws(AMQPError) -> [String]? {
        let texts = try texts(key) ?? []
        let list = texts.flatMap { text in text.split(separator: ",").map { String($0).trimmed } }
            .filter { !$0.isEmpty }
        return list.isEmpty ? nil : list
    }

    /// - Parameter what: What is wrong with the value, which is not quoted: it may be a secret in the wrong place.
    func invalid(_ key: String, _ what: String) -> AMQPError {
        AMQPError(.invalidArgument, "\(name(of: key)) \(what)")
    }

    /// Has an error name the key.
    func naming<Value>(_ key: String, _ read: () throws(AMQPError) -> Value) throws(AMQPError) -> Value {
        do throws(AMQPError) {
            return try read()
        } catch {
            throw AMQPError(error.code, "\(name(of: key)): \(error.message)", underlying: error)
        }
    }

    func integer<Value: FixedWidthInteger>(_ key: String, in range: ClosedRange<Value>) throws(AMQPError) -> Value? {
        guard let integer = try integer(key) else { return nil }
        guard let value = Value(exactly: integer), range.contains(value) else {
            throw invalid(key, "is \(integer), not from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A time in seconds.
    func seconds(_ key: String) throws(AMQPError) -> Duration? {
        guard let number = try number(key) else { return nil }
        // More than a hundred years count as that wherever there is a time.
        guard number >= 0, number < 1e11 else { throw invalid(key, "is not a time in seconds") }
        return .seconds(number)
    }

    func choice<Value>(_ key: String, _ values: KeyValuePairs<String, Value>) throws(AMQPError) -> Value? {
        guard let text = try text(key)?.trimmed else { return nil }
        guard let value = values.first(where: { $0.key == text })?.value else {
            throw invalid(key, "is none of \(values.map(\.key).joined(separator: ", "))")
        }
        return value
    }
}

/// Environment variables: the key in capitals, with `_` between words and a prefix.
struct EnvironmentSettings: SettingSource {
    let environment: [String: String]

    /// `RABBITMQ_TLS_CA_FILE` for `tls.caFile`.
    func name(of key: String) -> String {
        var name = "RABBITMQ_"
        for character in key {
            if character == "." {
                name += "_"
            } else {
                if character.isUppercase { name += "_" }
                name += character.uppercased()
            }
        }
        return name
    }

    func text(_ key: String, isSecret: Bool) -> String? {
        // Whoever composes environments leaves variables empty that are not to be set.
        environment[name(of: key)].flatMap { $0.isEmpty ? nil : $0 }
    }

    func texts(_ key: String) -> [String]? { text(key, isSecret: false).map { [$0] } }

    func integer(_ key: String) throws(AMQPError) -> Int? {
        try parse(key, "is not a whole number") { Int($0) }
    }

    func number(_ key: String) throws(AMQPError) -> Double? {
        try parse(key, "is not a number") { Double($0) }
    }

    func flag(_ key: String) throws(AMQPError) -> Bool? {
        try parse(key, "is neither true nor false") { text in
            switch text.lowercased() {
            case "true", "yes", "1": true
            case "false", "no", "0": false
            default: nil
            }
        }
    }

    private func parse<Value>(_ key: String, _ what: String, _ read: (String) -> Value?) throws(AMQPError) -> Value? {
        guard let text = text(key, isSecret: false) else { return nil }
        guard let value = read(text.trimmed) else { throw invalid(key, what) }
        return value
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
