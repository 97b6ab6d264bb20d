extension ExchangeArguments {
    /// Refuses what the broker would refuse, or overlook without a word.
    func validate(_ name: String, type: ExchangeType) throws(AMQPError) {
        let problems = problems(type)
        guard problems.isEmpty else {
            throw AMQPError(.invalidArgument, "the exchange \(name): \(problems.joined(separator: "; "))")
        }
    }

    /// What can't work with an exchange of this type, in words.
    func problems(_ type: ExchangeType) -> [String] {
        var problems = known.keys.sorted().filter { custom[$0] != nil }.map { "\($0) is given twice, once in custom" }
        if let alternateExchange, alternateExchange.utf8.count > ShortString.maxBytes {
            problems.append(
                "\(Self.alternate) has \(alternateExchange.utf8.count) bytes of UTF-8; at most 255 are possible"
            )
        }
        let table = table
        if table[Self.header] != nil, table[Self.property] != nil {
            problems.append("\(Self.header) and \(Self.property) can't be given both")
        }
        if let recentHistoryLength, recentHistoryLength < 1 {
            problems.append("\(Self.history) is \(recentHistoryLength); it must be at least 1")
        }
        problems += delayedTypeProblems(type)
        problems += overlooked(type)
        if let problem = ExchangeRules.problem(table, type) { problems.append(problem) }
        return problems
    }

    private func delayedTypeProblems(_ type: ExchangeType) -> [String] {
        if delayedType == .delayedMessage { return ["\(Self.delayed) can't be \(ExchangeType.delayedMessage) itself"] }
        guard type == .delayedMessage, delayedType == nil, custom[Self.delayed] == nil else { return [] }
        return ["an exchange of type \(type) needs \(Self.delayed)"]
    }

    /// What an exchange of this type doesn't look at. Of types that aren't known here, the broker knows more.
    private func overlooked(_ type: ExchangeType) -> [String] {
        // Once the time has come, a delayed message is routed by an exchange of the other type.
        let types = [type] + (type == .delayedMessage ? [delayedType].compactMap { $0 } : [])
        guard types.allSatisfy(ExchangeRules.known.contains) else { return [] }
        var problems: [String] = []
        for (name, isGiven, owner) in [
            (Self.delayed, delayedType != nil, ExchangeType.delayedMessage),
            (Self.header, hashHeader != nil, .consistentHash),
            (Self.property, hashProperty != nil, .consistentHash),
            (Self.history, recentHistoryLength != nil, .recentHistory),
        ] where isGiven && !types.contains(owner) {
            problems.append("\(name) is only for exchanges of type \(owner), not \(type)")
        }
        return problems
    }
}

/// What exchanges of some types refuse in a way that costs the connection, checked before.
enum ExchangeRules {
    static let known: Set<ExchangeType> = [
        .direct, .fanout, .topic, .headers, .localRandom, .random, .modulusHash, .consistentHash, .recentHistory,
        .jmsTopic, .delayedMessage,
    ]

    /// Checks a binding, whichever way its arguments were given.
    ///
    /// - Parameters:
    ///   - source: The exchange that messages come from.
    ///   - type: Its type, as far as it is known.
    static func checkBind(to source: String, type: ExchangeType, arguments: FieldTable) throws(AMQPError) {
        if let problem = bindingProblem(arguments, type) {
            throw AMQPError(.invalidArgument, "the binding to \(source): \(problem)")
        }
    }

    /// RabbitMQ closes the whole connection with 541 where it finds no text
    /// (`rabbit_jms_topic_exchange:generate_binding_fun/1`).
    static func bindingProblem(_ arguments: FieldTable, _ type: ExchangeType) -> String? {
        guard type == .jmsTopic, arguments[BindingArguments.selectorKey]?.stringValue == nil else { return nil }
        return "exchanges of type \(type) need a selector as text (\(BindingArguments.selectorKey))"
    }

    /// RabbitMQ closes the whole connection with 541 (`internal_error`) where it expects text
    /// (`rabbit_exchange_type_consistent_hash:hash_args/1`).
    static func problem(_ arguments: FieldTable, _ type: ExchangeType) -> String? {
        guard type == .consistentHash || type == .delayedMessage else { return nil }
        for name in [ExchangeArguments.header, ExchangeArguments.property] {
            if let value = arguments[name], value.stringValue == nil { return "\(name) must be text" }
        }
        return nil
    }
}
