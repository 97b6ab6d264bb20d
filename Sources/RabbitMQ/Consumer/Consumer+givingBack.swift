extension IncomingMessage {
    /// Returns a message that nobody has failed to process: whoever did has been cancelled.
    func giveBack() {
        if source.isStream == true { try? ack() } else { try? nack(requeue: true) }
    }
}

/// Returning messages that nobody will see to their queue.
extension Consumer {
    func giveBack(_ runs: some Sequence<DeliveryRun>) {
        guard !source.noAck else { return }
        for run in runs where !run.isEmpty {
            let tags = run.deliveryTags
            let first = try? run.popFirst(source, DeliveryDecoder())
            giveBack(tags, like: first)
        }
    }

    func giveBack(_ messages: [IncomingMessage]) {
        guard !source.noAck else { return }
        giveBack(messages.map(\.deliveryTag), like: messages.first)
    }

    /// Gives back what was told apart by its tags alone.
    func giveBack(_ tags: [UInt64]) { giveBack(tags, like: nil) }

    /// RabbitMQ closes the connection (540) when a stream's message is rejected, and keeps the message anyway.
    private func giveBack(_ tags: [UInt64], like first: IncomingMessage?) {
        if source.isStream == true {
            for tag in tags { try? source.session.acknowledge(tag, multiple: false) }
        } else if first?.isFromStream != true {
            source.session.requeue(tags)
        }
        // Else it may be a stream, or a message that came out of one: closing the channel gives it back in any case.
    }
}
