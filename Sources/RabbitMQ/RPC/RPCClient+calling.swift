extension RPCClient {
    /// Sends a request encoded as JSON, and waits for its reply.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - type: The type of the reply, which is decoded from JSON.
    ///   - routingKey: By what the exchange routes the request; the client's ``routingKey`` if nil.
    ///   - timeout: How long the call may take; if nil, what ``withCallTimeout(_:isolation:_:)`` gives, or else the
    ///     client's ``timeout``.
    /// - Returns: The reply.
    /// - Throws: What ``call(_:routingKey:timeout:)`` throws; ``AMQPError/Code/encodingFailed`` and
    ///   ``AMQPError/Code/decodingFailed``.
    public func call<Response: Decodable>(
        _ request: some Encodable,
        as type: Response.Type = Response.self,
        routingKey: String? = nil,
        timeout: Duration? = nil
    ) async throws -> Response {
        let message = try Message(encoding: request, encoder: encoder)
        let reply = try await call(message, routingKey: routingKey, timeout: timeout)
        return try Self.decoding { () throws(AMQPError) -> Response in try reply.decode(type, decoder: decoder) }
    }

    /// Sends a request in the format of an encoder, and waits for its reply, which a decoder decodes.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - encoder: Encodes the request.
    ///   - decoder: Decodes the reply.
    ///   - routingKey: By what the exchange routes the request; the client's ``routingKey`` if nil.
    ///   - timeout: How long the call may take; if nil, what ``withCallTimeout(_:isolation:_:)`` gives, or else the
    ///     client's ``timeout``.
    /// - Returns: The reply.
    /// - Throws: What ``call(_:routingKey:timeout:)`` throws; ``AMQPError/Code/encodingFailed`` and
    ///   ``AMQPError/Code/decodingFailed``.
    public func call<Encoder: MessageEncoder, Decoder: MessageDecoder>(
        _ request: Encoder.Value,
        encoding encoder: Encoder,
        decoding decoder: Decoder,
        routingKey: String? = nil,
        timeout: Duration? = nil
    ) async throws -> Decoder.Value {
        let message = try Message(encoding: request, using: encoder)
        let reply = try await call(message, routingKey: routingKey, timeout: timeout)
        return try Self.decoding { () throws(AMQPError) -> Decoder.Value in try reply.decode(using: decoder) }
    }

    /// Decodes a reply, and has its error tell that it is about one: to a ``RetryPolicy`` it would else be about the message
    /// whose handler calls.
    private static func decoding<Value>(_ decode: () throws(AMQPError) -> Value) throws(AMQPError) -> Value {
        do throws(AMQPError) {
            return try decode()
        } catch {
            guard error.code == .decodingFailed else { throw error }
            throw AMQPError(.decodingFailed, "the server's reply does not decode", underlying: error)
        }
    }

    /// Sends a request, and waits for its reply.
    ///
    /// - Parameters:
    ///   - request: The request. Its `replyTo`, `correlationID` and `expiration` are replaced on the way; the reply has
    ///     the correlation id that this has.
    ///   - routingKey: By what the exchange routes the request; the client's ``routingKey`` if nil.
    ///   - timeout: How long the call may take; if nil, what ``withCallTimeout(_:isolation:_:)`` gives, or else the
    ///     client's ``timeout``.
    /// - Returns: The reply.
    /// - Throws: An ``RPCFailure`` that the server gave; ``AMQPError/Code/undeliverable`` if the request reached no queue;
    ///   ``AMQPError/Code/timedOut`` after the timeout, when the server may have run it all the same;
    ///   ``AMQPError/Code/blockedTooLong`` if it was not even sent by then, as with a timeout of zero or less; the reason, if
    ///   channel or connection are gone; ``AMQPError/Code/invalidMessage`` for what can't be sent; `CancellationError`.
    public func call(
        _ request: Message,
        routingKey: String? = nil,
        timeout: Duration? = nil
    ) async throws -> Message {
        try Task.checkCancellation()
        let timeout = timeout ?? CallTimeout.current ?? self.timeout
        guard timeout > .zero else { throw Self.notSent(timeout) }
        let reply = OneShot<Message>()
        let id = try pending.add(reply)
        defer { pending.remove(id) }
        let message = request.asRequest(String(id), timeout: timeout)
        // Whatever consumer is slow: its handler may be the one that calls.
        var answer = try await core.session.link.waitForPeer(atMost: timeout) {
            reply.fail(Self.timedOut(timeout))
        } _: {
            try await publish(message, routingKey: routingKey ?? self.routingKey, timeout: timeout, id)
            // Only now it has to do with what ends: before, whoever fails it would say that a server may have run it.
            pending.sent(id)
            return try await reply.value()
        }
        if let error = RPCFailure(reply: answer) { throw error }
        answer.correlationID = request.correlationID
        return answer
    }

    /// - Throws: Only when nothing was sent.
    private func publish(
        _ message: Message,
        routingKey: String,
        timeout: Duration,
        _ id: UInt64
    ) async throws {
        let core = core
        // A session that has ended since the call was added has not had its request: the one that has it may be the next.
        let willSend: @Sendable () -> Void = { [pending] in pending.sends(id) }
        let sent = try core.port.publishAtOnce(
            message,
            exchange: exchange,
            routingKey: routingKey,
            mandatory: true,
            willSend: willSend
        )
        guard sent == nil else { return }
        // The connection takes no more at present. The deadline counts while we wait, too.
        try pending.requireReplies()
        let publish = Publish(
            message: message,
            exchange: exchange,
            routingKey: routingKey,
            mandatory: true,
            willSend: willSend
        )
        // What ends it is the call's own time: no other, which may be shorter, has a say.
        let most = timeout.clampedToCentury + .seconds(1)
        let publishing = Task {
            _ = try await CallTimeout.$current.withValue(most) { try await core.publish(publish) }
        }
        do {
            try await withTaskCancellationHandler {
                try await withDeadline(after: timeout) {
                    publishing.cancel()
                } _: {
                    try await publishing.value
                }
            } onCancel: {
                publishing.cancel()
            }
        } catch is CancellationError where !Task.isCancelled {
            // What throws has sent nothing.
            throw Self.notSent(timeout)
        }
    }

    private static func timedOut(_ timeout: Duration) -> AMQPError {
        AMQPError(.timedOut, "the call was not answered within \(timeout)")
    }

    /// No server has run the request, or will.
    private static func notSent(_ timeout: Duration) -> AMQPError {
        AMQPError(.blockedTooLong, "the call's request could not be sent within \(timeout)")
    }
}

extension Message {
    /// The message as a call sends it: with where its reply goes to, which call that is for, and until when it is wanted.
    func asRequest(_ id: String, timeout: Duration) -> Message {
        var request = self
        request.updateTexts {
            $0.replyTo = EntityName.directReplyTo
            $0.correlationID = id
            $0.expiration = Message.expiration(of: timeout)
        }
        return request
    }
}
