internal import Logging

/// Channel 0: what concerns the whole connection.
extension Link {
    func handle(_ method: ServerMethod) throws(AMQPError) {
        if case .opening(let handshake, let opened) = phase {
            try continueOpening(handshake, opened, with: method)
            return
        }
        switch method {
        case .connectionClose(let close): closedByServer(close)
        case .connectionCloseOk:
            guard case .closing = phase else { throw Self.unexpected(method) }
            end(AMQPError(.connectionClosed, "the connection was closed by the application"))
        case .connectionBlocked(let reason):
            logger.warning("the broker blocks publishing", metadata: [LogKey.reason: "\(reason.printable())"])
            if outbox.setBlocked(reason), !awaitsUnblocked {
                awaitsUnblocked = true
                gauge.callBegan()
            }
            host?.blocked(reason)
        case .connectionUnblocked:
            logger.info("the broker takes messages again")
            outbox.setBlocked(nil)
            host?.blocked(nil)
            if awaitsUnblocked {
                awaitsUnblocked = false
                gauge.callEnded()
            }
        case .connectionUpdateSecretOk:
            guard !updateSecretReplies.isEmpty else { throw Self.unexpected(method) }
            updateSecretReplies.removeFirst().succeed(())
        default: throw Self.unexpected(method)
        }
    }

    private static func unexpected(_ method: ServerMethod) -> AMQPError {
        AMQPError(.protocolViolation, "the peer sent a method on channel 0 that has no place there now")
    }

    private func closedByServer(_ close: ServerMethod.Close) {
        let cause = AMQPError(
            replyCode: close.replyCode,
            replyText: close.replyText,
            classID: close.classID,
            methodID: close.methodID,
            closedConnection: true
        )
        try? outbox.send(.connectionCloseOk, channel: 0, from: sender, isFarewell: true)
        flushFarewell()
        if case .closing = phase {
            end(AMQPError(.connectionClosed, "the connection was closed by the application and the broker at once"))
            return
        }
        end(
            AMQPError(
                .connectionClosed,
                "the broker closed the connection: \(cause.message)",
                underlying: cause,
                replyCode: cause.replyCode,
                replyText: cause.replyText,
                method: cause.method
            )
        )
    }

    /// Begins the closing handshake. The link ends with the broker's answer, or without it when the time is up.
    func beginClosing() {
        switch phase {
        case .open:
            phase = .closing
            let timeout = configuration.closeTimeout
            closeDeadline = DeadlineTimer.shared.add(after: timeout) {
                let cause = AMQPError(.timedOut, "connection.close was not answered within \(timeout)")
                self.onQueue {
                    $0.end(
                        AMQPError(
                            .connectionClosed,
                            "the connection was closed; the broker did not answer",
                            underlying: cause
                        )
                    )
                }
            }
            // The answer stands behind whatever waits for slow consumers.
            gauge.callBegan()
            let reason = AMQPError(.connectionClosed, "the connection was closed by the application")
            retireConsumers(reason) {
                guard case .closing = self.phase else { return }
                self.takeRegistered()
                let writers = self.inboxes.all.compactMap { $0.settlementWriter }
                do throws(AMQPError) {
                    let method = ClientMethod.connectionClose(replyCode: 200, replyText: "Goodbye")
                    try self.outbox.conclude(method, reason, settling: writers)
                } catch {
                    self.end(error)
                }
            }
        case .closing, .ended: return
        case .idle, .opening: end(AMQPError(.connectionClosed, "the connection was closed while it was opened"))
        }
    }

    /// The end: of the socket, of every channel, and of everyone who waits. The first reason is the one that counts.
    func end(_ reason: AMQPError) {
        var error = reason
        switch phase {
        case .ended: return
        case .closing where reason.code == .connectionLost:
            error = AMQPError(
                .connectionClosed,
                "the connection was closed by the application, and lost before the broker answered",
                underlying: reason
            )
        default: break
        }
        if let recording { error = error.with(recording) }
        // Those that the queue has not taken over: they belong to this link, not to its successor.
        takeRegistered()
        let opening: OneShot<ConnectionParameters>? = if case .opening(_, let opened) = phase { opened } else { nil }
        // What the application has handed over, believing that closing sends it.
        let unsent = if case .closing = phase { outbox.pending } else { 0 }
        // A link that was never open: nobody is asked, and the outbox is only detached. Who opens it tries again, or ends
        // the rest.
        let host = host
        let (wasOpen, replaced) =
            switch phase {
            case .open: (true, host?.decideReplacement(of: self, after: error) ?? false)
            case .closing, .ended: (true, false)
            case .idle, .opening: (false, true)
            }
        phase = .ended
        reading.endNow()
        if error.code == .protocolViolation { sayGoodbye(error) }
        if replaced {
            if outbox.blockedReason != nil { host?.blocked(nil) }
            outbox.detach(error, from: sender)
        } else {
            outbox.end(error, from: sender)
        }
        forgetPause()
        base.tally.paused.stop()
        if awaitsUnblocked {
            awaitsUnblocked = false
            gauge.callEnded()
        }
        for timer in [closeDeadline, heartbeatTimer, writing.end()] { timer.map(DeadlineTimer.shared.remove) }
        (closeDeadline, heartbeatTimer) = (nil, nil)
        for inbox in inboxes.removeAll() { inbox.end(error) }
        for reply in updateSecretReplies { reply.fail(error) }
        updateSecretReplies = []
        releaseSocket()
        opening?.fail(error)
        if wasOpen { host?.ended(self, error, isReplaced: replaced) }
        ended.set(error)
        // Whoever connects gets it thrown, and whoever closes wants it so. What else ends may wait for nothing.
        let isClean = error.code == .connectionClosed && error.replyCode == nil && unsent == 0
        var metadata: Logger.Metadata = [LogKey.reason: "\(error)"]
        if unsent > 0 { metadata[LogKey.unsentBytes] = "\(unsent)" }
        let isTold = isClean || replaced
        logger.log(level: isTold ? .debug : .warning, "connection ended", metadata: metadata)
    }

    /// Tells a peer that broke the protocol what it did, if the socket takes it at once.
    private func sayGoodbye(_ error: AMQPError) {
        guard let socket, writing.isFlightEmpty else { return }
        let text = ShortString.cut(error.message)
        try? outbox.send(
            .connectionClose(replyCode: ReplyCode.unexpectedFrame.rawValue, replyText: text),
            channel: 0,
            from: sender,
            isFarewell: true
        )
        if case .write(let filled) = outbox.exchange(flight, after: 0) {
            flight = filled
            _ = try? flight.drain { pieces throws(AMQPError) in try socket.write(pieces) }
        }
    }

    /// Shuts the socket down and lets go of it. `readable()` may still hold it: it is closed when the last reference goes.
    private func releaseSocket() {
        watch?.cancel()
        watch = nil
        socket?.shutDown()
        socket = nil
        takeBackRecorded()
        // With the bodies that were not written.
        flight = OutboundBuffer()
        // Its handles may be kept for long.
        giveBackMemory()
    }
}
