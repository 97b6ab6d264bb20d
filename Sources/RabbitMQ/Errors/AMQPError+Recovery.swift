extension AMQPError {
    /// Whether the same call, unchanged, can succeed at another time, on a new channel or connection if this one is
    /// gone: what ails the broker passes by itself, or with what others do.
    ///
    /// The broker's text decides where its code alone does not: a queue whose node restarts is 404 like one that does not
    /// exist. <doc:HandlingErrors> has the table.
    ///
    /// After ``Code/outcomeUnknown``, ``Code/timedOut`` and ``Code/connectionLost`` the first try may have succeeded,
    /// so that a second publish may double the message.
    ///
    /// Whoever calls or publishes on a channel that the broker has closed over another call meets that call's error: for
    /// this one it is true.
    ///
    /// A ``Code/staleDelivery`` is as its reason: the broker delivers the message again, to whoever comes back.
    ///
    /// See ``isRecoverable`` for the other question: not whether to try this call again, but whether to go on.
    public var isRetryable: Bool {
        if isOverAnotherCall { return true }
        if code == .staleDelivery { return (underlying as? AMQPError)?.isRetryable ?? false }
        if let several = underlying as? any SeveralErrors {
            return code.isRetryable || several.errors.contains { $0.isRetryable }
        }
        if isProviderFailure { return true }
        return switch fault {
        case .passing: true
        case .lasting, .curedByReopening: false
        case nil: brokersCode.isRetryable
        }
    }

    /// Whether a task whose work ended with this error may open anew what is gone, a channel or a connection, and go on:
    /// consume on, publish the next message.
    ///
    /// True for whatever ``isRetryable`` is true for, and besides for what ended this channel or connection but does not
    /// come back with the next: an acknowledgement that the broker does not know, bytes out of step, a secret that could
    /// not be renewed. False where whoever opens anew would meet the same error, such as missing queues, permissions
    /// that lack and wrong credentials; where the application itself closed; and for mistakes in an argument, a name or
    /// a message.
    ///
    /// So a loop that opens anew as long as this is true ends by itself when there is nothing to come back to: after the
    /// broker has cancelled a consumer it consumes again, which throws ``Code/notFound`` if the queue is gone.
    ///
    /// ```swift
    /// while true {
    ///     do {
    ///         try await connectAndConsume()
    ///     } catch let error as AMQPError where error.isRecoverable {
    ///         try await Task.sleep(for: .seconds(1))
    ///     }
    /// }
    /// ```
    public var isRecoverable: Bool {
        if isRetryable || fault == .curedByReopening { return true }
        switch code {
        case .staleDelivery, .channelClosed: return (underlying as? AMQPError)?.isRecoverable ?? false
        default: break
        }
        if let several = underlying as? any SeveralErrors {
            return several.errors.contains { $0.isRecoverable }
        }
        return brokersCode.endsOutOfStep
    }

    /// Whether no broker refused the credentials, but what provides them gave none: a server of tokens that is down comes
    /// back.
    private var isProviderFailure: Bool {
        guard code == .authenticationFailed, replyCode == nil, let underlying else { return false }
        return !(underlying is AMQPError)
    }

    /// Whether the broker has closed the connection because something was wrong, and not because it goes down.
    var isVerdict: Bool { isConnectionFatal && replyCode != nil && replyCode != .connectionForced }

    /// What the broker's text says beyond its code.
    private var fault: BrokerFault? {
        // Whoever is not let in is told so with the code of a missing permission.
        guard code != .authenticationFailed, let replyCode, let replyText else { return nil }
        return BrokerFault(code: replyCode, text: replyText)
    }

    /// The kind of error that the broker meant, also when it closed the connection with it.
    private var brokersCode: Code {
        if code == .connectionClosed, let replyCode { Code(replyCode: replyCode) } else { code }
    }
}

extension AMQPError.Code {
    /// Whether the same thing, unchanged, can succeed at another time, if no text says otherwise.
    var isRetryable: Bool {
        switch kind {
        // A broker that is stopped, that fails, or that lacks resources closes its connections, and comes back.
        case .contentTooLarge, .noConsumers, .connectionForced, .resourceLocked, .resourceError, .internalError,
            .connectionFailed, .connectionLost, .timedOut, .nacked, .outcomeUnknown, .blockedTooLong,
            .tooManyChannels, .consumerCancelled:
            true
        default:
            false
        }
    }

    /// Whether the two sides lost step, so that nothing but the connection is wrong: the next one begins anew.
    var endsOutOfStep: Bool {
        switch kind {
        case .frameError, .channelError, .unexpectedFrame, .protocolViolation: true
        default: false
        }
    }
}
