#if ConfigurationSupport
public import Configuration

extension ConnectionConfiguration {
    /// Reads a configuration from whatever providers swift-configuration has: environment variables, files, the command line.
    /// What is not there has its default.
    ///
    /// ```swift
    /// let reader = ConfigReader(provider: EnvironmentVariablesProvider())
    /// let configuration = try ConnectionConfiguration(reader: reader.scoped(to: "rabbitmq"))
    /// ```
    ///
    /// <doc:Configuration> lists the keys: `uri`, which is read first, `tls.caFile`, `callTimeout` and so on, one for each
    /// field. Times are seconds, also parts of them. The URI, the password and the passphrase of a key are read as secrets.
    ///
    /// - Parameter reader: Reads what belongs to the connection: mostly one that is scoped.
    /// - Throws: ``AMQPError/Code/invalidURI`` and ``AMQPError/Code/invalidArgument``: the message names the key, and never
    ///   shows its value if that may be a secret.
    public init(reader: ConfigReader) throws(AMQPError) {
        try self.init(settings: ReaderSettings(reader: reader))
    }
}

/// A reader gives nothing for what it can't convert, as for what is not there. So it is asked for the other types then.
private struct ReaderSettings: SettingSource {
    let reader: ConfigReader

    func name(of key: String) -> String { key }

    func text(_ key: String, isSecret: Bool) throws(AMQPError) -> String? {
        let name = ConfigKey(key)
        if let text = reader.string(forKey: name, isSecret: isSecret) { return text.isEmpty ? nil : text }
        // Files have numbers where nobody thinks of text.
        if let number = reader.int(forKey: name, isSecret: isSecret) { return "\(number)" }
        if let number = reader.double(forKey: name, isSecret: isSecret) {
            // A password such as 1e5, or of more digits than a number can have, would be another one now.
            guard !isSecret else {
                throw invalid(key, "is a number where it was read from, and not as written: quote it")
            }
            return "\(number)"
        }
        return try absent(key, "is not text", isSecret: isSecret)
    }

    func texts(_ key: String) throws(AMQPError) -> [String]? {
        if let texts = reader.stringArray(forKey: ConfigKey(key)) { return texts }
        return try text(key).map { [$0] }
    }

    func integer(_ key: String) throws(AMQPError) -> Int? {
        if let integer = reader.int(forKey: ConfigKey(key)) { return integer }
        return try absent(key, "is not a whole number")
    }

    func number(_ key: String) throws(AMQPError) -> Double? {
        let name = ConfigKey(key)
        if let number = reader.double(forKey: name) ?? reader.int(forKey: name).map(Double.init) { return number }
        return try absent(key, "is not a number")
    }

    func flag(_ key: String) throws(AMQPError) -> Bool? {
        if let flag = reader.bool(forKey: ConfigKey(key)) { return flag }
        return try absent(key, "is neither true nor false")
    }

    /// - Throws: If it is there, as something else.
    private func absent<Value>(_ key: String, _ what: String, isSecret: Bool = false) throws(AMQPError) -> Value? {
        let name = ConfigKey(key)
        let text = reader.string(forKey: name, isSecret: isSecret)
        let isThere =
            text?.isEmpty == false || reader.double(forKey: name, isSecret: isSecret) != nil
            || reader.bool(forKey: name, isSecret: isSecret) != nil
            || reader.stringArray(forKey: name, isSecret: isSecret) != nil
            || reader.intArray(forKey: name, isSecret: isSecret)?.isEmpty == false
            || reader.doubleArray(forKey: name, isSecret: isSecret)?.isEmpty == false
            || reader.boolArray(forKey: name, isSecret: isSecret)?.isEmpty == false
        // An empty list is what becomes of an empty variable.
        guard isThere, text != "" else { return nil }
        throw invalid(key, what)
    }
}
#endif
