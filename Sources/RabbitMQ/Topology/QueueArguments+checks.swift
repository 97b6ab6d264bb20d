extension Topology.Queue {
    /// What only a classic queue can be, in words.
    fileprivate var classicOnly: [String] {
        var words: [String] = []
        if !durable { words.append("not durable") }
        if exclusive { words.append("exclusive") }
        if autoDelete { words.append("deleted automatically") }
        if name.isEmpty { words.append("named by the broker") }
        return words
    }
}

extension QueueArguments {
    /// Refuses what RabbitMQ would refuse, or take for something else without a word.
    func validate(_ queue: Topology.Queue) throws(AMQPError) {
        let problems = problems(queue)
        guard problems.isEmpty else {
            let subject = queue.name.isEmpty ? "the queue" : "the queue \(queue.name)"
            throw AMQPError(.invalidArgument, "\(subject): \(problems.joined(separator: "; "))")
        }
    }

    /// Times with which RabbitMQ 4.3 loses the whole queue if they are too long: its timers don't hold them, and the
    /// process of the queue ends as often as it begins. Checked however they were given.
    private static let times = [
        "x-delayed-retry-min", "x-delayed-retry-max", "x-consumer-timeout", "x-consumer-disconnected-timeout",
    ]

    /// What can't work, in words.
    func problems(_ queue: Topology.Queue) -> [String] {
        var problems: [String] = []
        var given: [QueueArgumentField] = []
        for field in QueueArgumentField.all {
            guard let value = field.write(self) else { continue }
            given.append(field)
            if let problem = field.problem(value) { problems.append("\(field.name) \(problem)") }
            if custom[field.name] != nil { problems.append("\(field.name) is given twice, once in custom") }
        }
        for key in Self.times {
            guard let milliseconds = custom[key]?.clampedInt, milliseconds > QueueArgumentField.longestTime else {
                continue
            }
            problems.append("\(key) is \(milliseconds) milliseconds; it must be at most 10 years")
        }
        problems += typeProblems(given, queue)
        problems += deadLetterProblems()
        problems += delayedRetryProblems()
        if type == .quorum, overflow == .rejectPublishDeadLetter {
            problems.append(
                "a quorum queue can't have x-overflow reject-publish-dlx, only drop-head and reject-publish"
            )
        }
        return problems
    }

    /// Arguments and flags that the type of queue can't have or, where the broker chooses the type, no type has
    /// together.
    private func typeProblems(_ given: [QueueArgumentField], _ queue: Topology.Queue) -> [String] {
        let classicOnly = queue.classicOnly
        guard let type else {
            var possible: Set<QueueType> = classicOnly.isEmpty ? [.classic, .quorum, .stream] : [.classic]
            for field in given {
                possible.formIntersection(field.types)
                if possible.isEmpty {
                    let others = classicOnly + given.filter { $0.name != field.name && $0.types.count < 3 }.map(\.name)
                    return [
                        "\(field.name) is only for queues of type \(Self.list(field.types)), "
                            + "which can't be combined with: \(others.joined(separator: ", "))"
                    ]
                }
            }
            return []
        }
        // Of a type that came after this library, the broker knows more.
        guard [.classic, .quorum, .stream].contains(type) else { return [] }
        var problems = given.filter { !$0.types.contains(type) }.map { field in
            "\(field.name) is only for queues of type \(Self.list(field.types)), not \(type)"
        }
        if type == .quorum, maxPriority != nil {
            problems.append("a quorum queue has its priorities without an argument")
        }
        if type != .classic {
            problems += classicOnly.map { "a queue of type \(type) can't be \($0)" }
        }
        return problems
    }

    private func deadLetterProblems() -> [String] {
        var problems: [String] = []
        if deadLetterRoutingKey != nil, table["x-dead-letter-exchange"] == nil {
            problems.append("x-dead-letter-routing-key needs x-dead-letter-exchange")
        }
        // What is not given may come from a policy, or be the virtual host's default; what is given wins over them.
        if deadLetterStrategy == .atLeastOnce, let overflow = table["x-overflow"]?.stringValue,
            overflow != Overflow.rejectPublish.rawValue
        {
            problems.append("x-dead-letter-strategy at-least-once needs x-overflow reject-publish, not \(overflow)")
        }
        return problems
    }

    /// What is not given may come from a policy, which wins if it gives a type and whose times count where they are shorter.
    private func delayedRetryProblems() -> [String] {
        guard let delayedRetryMin, let delayedRetryMax, delayedRetryMax < delayedRetryMin else { return [] }
        return ["x-delayed-retry-max is less than x-delayed-retry-min"]
    }

    private static func list(_ types: Set<QueueType>) -> String {
        types.map(\.rawValue).sorted().joined(separator: " or ")
    }
}
