extension Link {
    /// Tells the broker a new secret in place of the one of the login (`connection.update-secret`), and waits for its
    /// answer.
    ///
    /// RabbitMQ closes the connection if it refuses the secret.
    nonisolated func updateSecret(_ secret: Secret, reason: String) async throws {
        let reply = OneShot<Void>()
        let timeout = configuration.callTimeout
        onQueue { $0.updateSecret(secret, reason, reply) }
        try await waitForPeer(atMost: timeout) {
            reply.fail(AMQPError(.timedOut, "connection.update-secret was not answered within \(timeout)"))
        } _: {
            try await reply.value()
        }
    }

    private func updateSecret(_ secret: Secret, _ reason: String, _ reply: OneShot<Void>) {
        guard case .open = phase else {
            reply.fail(ended.current ?? AMQPError(.connectionClosed, "the connection is being closed"))
            return
        }
        do throws(AMQPError) {
            try outbox.send(
                .connectionUpdateSecret(secret: Array(secret.value.utf8), reason: reason),
                channel: 0,
                from: sender
            )
            updateSecretReplies.append(reply)
        } catch {
            reply.fail(error)
        }
    }
}
