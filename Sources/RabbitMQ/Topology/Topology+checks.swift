extension Topology {
    /// Refuses a description that no broker could take, without asking one.
    ///
    /// ``plan(on:)`` and ``apply(on:)`` do so first.
    ///
    /// - Throws: ``AMQPError/Code/invalidArgument`` that lists everything that is wrong.
    public func validate() throws(AMQPError) {
        let problems = exchangeProblems() + queueProblems() + bindingProblems()
        guard problems.isEmpty else {
            throw AMQPError(.invalidArgument, "the topology can't be: \(problems.joined(separator: "; "))")
        }
    }

    private func exchangeProblems() -> [String] {
        var problems = Self.differing(exchanges, \.name)
        for exchange in exchanges {
            problems += Self.problem { () throws(AMQPError) in
                try EntityName.checkExchange(exchange.name, isPassive: false)
                try ShortString.validateText(exchange.type.rawValue, name: "type of \(exchange)")
                try TableCheck.validate(exchange.arguments.table, name: "the table of \(exchange)")
            }
            problems += exchange.arguments.problems(exchange.type).map { "\(exchange): \($0)" }
        }
        return problems
    }

    private func queueProblems() -> [String] {
        var problems = Self.differing(queues, \.name)
        for queue in queues {
            problems += Self.problem { () throws(AMQPError) in
                try EntityName.checkQueue(queue.name, isPassive: false)
                try TableCheck.validate(queue.arguments.table, name: "the table of \(queue)")
            }
            problems += queue.arguments.problems(queue).map { "\(queue): \($0)" }
        }
        return problems
    }

    private func bindingProblems() -> [String] {
        var problems: [String] = []
        for binding in bindings {
            problems += Self.problem { () throws(AMQPError) in
                let kind = binding.destination.isExchange ? "exchange" : "queue"
                try EntityName.checkExisting(binding.source, kind: "source exchange", code: .invalidExchangeName)
                try EntityName.checkExisting(binding.destination.name, kind: "bound \(kind)", code: .invalidName)
                try ShortString.validateText(binding.routingKey, name: "routing key")
                try TableCheck.validate(binding.arguments.table)
            }
            .map { "\(binding): \($0)" }
            problems += binding.arguments.problems.map { "\(binding): \($0)" }
            for type in Set(exchanges.filter { $0.name == binding.source }.map(\.type)) {
                let problem = ExchangeRules.bindingProblem(binding.arguments.table, type)
                problems += [problem].compactMap { $0 }.map { "\(binding): \($0)" }
            }
        }
        return problems
    }

    /// What is described twice, and not alike.
    private static func differing<Entity: Hashable & CustomStringConvertible>(
        _ entities: [Entity],
        _ name: (Entity) -> String
    ) -> [String] {
        Dictionary(grouping: entities, by: name).values
            .filter { Set($0).count > 1 }
            .compactMap { $0.first.map { "\($0) is described twice, and not alike" } }
            .sorted()
    }

    private static func problem(_ check: () throws(AMQPError) -> Void) -> [String] {
        do throws(AMQPError) {
            try check()
            return []
        } catch {
            return [error.message]
        }
    }
}
