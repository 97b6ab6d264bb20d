extension Broker {
    /// How many confirms wait.
    var heldConfirms: Int { channels.values.reduce(0) { $0 + $1.confirms.waiting.count } }

    /// Sends confirms that wait.
    ///
    /// - Parameters:
    ///   - count: How many of each channel at the most, the oldest ones.
    ///   - nacks: Whether they all say that the broker has not taken the message.
    mutating func releaseConfirms(_ order: InProcessBroker.ConfirmOrder, count: Int, nacks: Bool) {
        for key in channels.keys {
            var outcomes = channels[key]?.confirms.take(count) ?? []
            if nacks { for index in outcomes.indices { outcomes[index].isNack = true } }
            let firstIgnored = channels[key]?.confirms.firstIgnored ?? .max
            switch order.kind {
            case .each: break
            case .reversed: outcomes.reverse()
            case .together: outcomes = Self.lastOfRuns(outcomes, before: firstIgnored)
            }
            for outcome in outcomes {
                let number = outcome.number
                let multiple = order.kind == .together && number < firstIgnored
                send(outcome.isNack ? .nack(number, multiple: multiple) : .ack(number, multiple: multiple), to: key)
            }
        }
    }

    /// The last one of each run of the same outcome, which stands for all of it; behind a message that was ignored each one.
    private static func lastOfRuns(
        _ outcomes: [HeldConfirms.Outcome],
        before firstIgnored: UInt64
    ) -> [HeldConfirms.Outcome] {
        outcomes.indices.filter { index in
            guard index + 1 < outcomes.count, outcomes[index + 1].number < firstIgnored else { return true }
            return outcomes[index + 1].isNack != outcomes[index].isNack
        }.map { outcomes[$0] }
    }
}
