internal import Logging

/// Where a server's requests are answered: runs the handler, sends the reply, then acknowledges.
struct RequestDesk: Sendable {
    /// The default exchange on the channel of the requests.
    let exchange: Exchange
    /// Whether the broker delivers a request again whose connection was lost: not if its queue went with that.
    let comesAgain: Bool
    let onError: @Sendable (any Error) -> RPCFailure
    let handler: @Sendable (IncomingMessage) async throws -> Message
    private let addresses = ReplyAddresses()

    var logger: Logger { exchange.channel.core.connection.logger }

    func answer(_ request: IncomingMessage) async {
        guard isAnswerable(request) else { return drop(request) }
        // Whoever watches sees the handler's error, and the reply as a part of what it is about.
        _ = try? await request.observed { request in try await run(request) }
    }

    /// - Throws: What the handler throws, when the request is answered or given back.
    private func run(_ request: IncomingMessage) async throws {
        let result: Result<Message, any Error>
        do {
            result = .success(try await handler(request))
        } catch {
            if Task.isCancelled {
                request.giveBack()
                throw error
            }
            result = .failure(error)
        }
        switch result {
        case .success(let reply): await answer(request, with: reply)
        case .failure(let error):
            await answer(request, with: failure(of: error, for: request).reply)
            throw error
        }
    }

    /// What the client gets to know of an error. What is meant for the client is no news for the log.
    private func failure(of error: any Error, for request: IncomingMessage) -> RPCFailure {
        if let failure = error as? RPCFailure { return failure }
        logger.log(
            level: error.tellsOfAnEnd ? .debug : .warning,
            "a request's handler threw",
            metadata: [
                LogKey.queue: "\(request.source.queue.printable())", LogKey.deliveryTag: "\(request.deliveryTag)",
                LogKey.error: "\(String(describing: error).printable())",
            ]
        )
        return onError(error)
    }

    private func answer(_ request: IncomingMessage, with reply: Message) async {
        // A request has one reply: that of the next time, if there is one.
        if comesAgain, request.isStale { return }
        do {
            try await send(reply, for: request)
            // Behind the reply on the same channel: a request whose reply was not sent is never lost.
            try request.ack()
        } catch let error as AMQPError where error.code == .invalidMessage || error.code == .invalidArgument {
            // It would be the same the next time.
            logger.error("a request can't be answered", metadata: [LogKey.error: "\(error)"])
            drop(request)
        } catch is CancellationError {
            // Whoever sees its effects twice has nothing else to go by.
            logger.warning(
                "a request was run, but its reply not sent before the server stopped: it goes back, to be run again",
                metadata: [LogKey.deliveryTag: "\(request.deliveryTag)"]
            )
            request.giveBack()
        } catch {
            logger.log(
                level: error.tellsOfAnEnd ? .debug : .error,
                "a reply could not be sent",
                metadata: [LogKey.error: "\(String(describing: error).printable())"]
            )
            request.giveBack()
        }
    }

    /// Whether a reply can be published to its address.
    private func isAnswerable(_ request: IncomingMessage) -> Bool {
        do {
            try ShortString.validateText(request.replyTo ?? "", name: "the request's reply-to")
            return true
        } catch {
            logger.warning("a request that can't be answered is not run", metadata: [LogKey.reason: "\(error)"])
            return false
        }
    }

    private func send(_ reply: Message, for request: IncomingMessage) async throws {
        // A request that wants no reply is done with.
        guard let replyTo = request.replyTo else { return }
        guard addresses.isHarmless(replyTo) else {
            logger.warning(
                "a request names an address that no reply can be sent to",
                metadata: [LogKey.replyTo: "\(replyTo.printable())"]
            )
            return
        }
        do {
            try await publish(reply, to: replyTo, for: request)
        } catch AMQPError.Code.invalidMessage {
            try await publish(RPCFailure(.invalidReply, "the reply can't be sent").reply, to: replyTo, for: request)
        }
    }

    /// Publishes a reply. While the broker takes no messages it waits, until the request's connection is lost, the channel ends
    /// or the task is cancelled: given back, the request would only be run again.
    private func publish(_ reply: Message, to replyTo: String, for request: IncomingMessage) async throws {
        var reply = reply
        reply.correlationID = request.correlationID
        while true {
            do {
                // Not mandatory: that the client is gone is of no interest to anybody. And at once even where the task is
                // cancelled: the request has been run.
                if try exchange.publishAtOnce(reply, routingKey: replyTo, mandatory: false) != nil { return }
                _ = try await exchange.channel.core.publish(
                    Publish(
                        message: reply,
                        exchange: exchange.name,
                        routingKey: replyTo,
                        mandatory: false,
                        standsInFor: comesAgain ? request.source.session : nil
                    )
                )
                return
            } catch let error as AMQPError where error.code == .blockedTooLong {
                logger.warning("a reply waits for the broker", metadata: [LogKey.reason: "\(error)"])
            }
        }
    }

    /// Has the broker dead-letter a request, or drop it: nobody can answer it.
    private func drop(_ request: IncomingMessage) {
        try? request.reject(requeue: false)
    }
}
