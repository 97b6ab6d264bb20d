extension IncomingMessage {
    /// Returns a message that nobody has failed to process: whoever did has been cancelled.
    func giveBack() {
        // With its channel it has gone back by itself.
        if isStale { return }
        if let question = source.question {
            // Nobody has asked for a rejection, which would end the connection if it is a stream's.
            question.consider(self)
            question.giveBack([deliveryTag])
        } else if source.isStream == true {
            try? ack()
        } else {
            try? nack(requeue: true)
        }
    }
}

/// Returning messages that nobody will see to their queue.
extension Consumer {
    func giveBack(_ runs: some Sequence<DeliveryRun>) {
        guard !noAck else { return }
        for run in runs where !run.isEmpty {
            guard let source = run.source else { continue }
            let tags = run.deliveryTags
            if let question = source.question, question.isStream == nil {
                let decoder = DeliveryDecoder()
                while question.isStream == nil, let message = try? run.popFirst(decoder) {
                    question.consider(message)
                }
            }
            giveBack(tags, to: source)
        }
    }

    func giveBack(_ message: IncomingMessage) {
        guard !noAck else { return }
        message.source.question?.consider(message)
        giveBack([message.deliveryTag], to: message.source)
    }

    /// Gives back what was told apart by its tags alone.
    func giveBack(_ tags: [UInt64], to source: DeliverySource) {
        if let question = source.question {
            question.giveBack(tags)
        } else if source.isStream == true {
            for tag in tags { try? source.session.acknowledge(tag, multiple: false) }
        } else {
            source.session.requeue(tags)
        }
    }

    /// Cancels, and gives back what nobody has begun: also what stands behind messages that are being handled, and would go
    /// back when the next is asked for. By the broker's answer whoever was just taking one has it.
    func endIntake() async throws {
        defer { if !noAck { giveBack(buffer.unseenTags(of: source), to: source) } }
        try await cancel()
    }
}
