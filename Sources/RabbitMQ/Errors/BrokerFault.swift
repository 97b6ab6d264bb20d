/// What a broker's text says about an error whose code alone leaves it open.
///
/// RabbitMQ gives 404 for a queue that does not exist and for one whose node restarts, 530 for a virtual host that does
/// not exist and for one that has all the connections it may have. The texts are those of RabbitMQ 3.8 to 4.3. They are
/// matched where RabbitMQ's own words stand, at the beginning or at the end: names of queues and users in the middle can
/// be anything, and a text that is longer than 255 bytes lacks its end.
enum BrokerFault: Equatable {
    /// It passes by itself, or with what others do: the same call can succeed later.
    case passing
    /// It doesn't pass: the same call fails again.
    case lasting
    /// The same call fails again, but what belongs to it comes back on a new channel or connection.
    case curedByReopening
}

extension BrokerFault {
    /// Reads a text.
    ///
    /// - Parameters:
    ///   - code: The reply code that came with it.
    ///   - text: The text, with the name of the code before it or without.
    /// - Returns: Nil if it says no more than the code does.
    init?(code: ReplyCode, text: String) {
        let words = Self.withoutCodeName(text)
        guard let fault = Self.fault(code, words[...]) else { return nil }
        self = fault
    }

    private static func fault(_ code: ReplyCode, _ text: Substring) -> BrokerFault? {
        switch code {
        case .accessRefused: isExclusiveUse(text) || isBackendFailure(text) ? .passing : nil
        case .notFound: isQueueDown(text) ? .passing : nil
        case .resourceLocked: isNeverUnlocked(text) ? .lasting : nil
        case .preconditionFailed: preconditionFault(text)
        case .notAllowed: notAllowedFault(text)
        case .internalError: isDenied(text) ? .lasting : nil
        default: nil
        }
    }

    /// `NOT_FOUND - no queue ...` is `no queue ...`.
    private static func withoutCodeName(_ text: String) -> Substring {
        let name = text.prefix { $0 == "_" || ("A"..."Z").contains($0) }
        let rest = text[name.endIndex...]
        return !name.isEmpty && rest.hasPrefix(" - ") ? rest.dropFirst(3) : text[...]
    }

    /// Another consumer has the queue for itself, perhaps one of ours whose connection the broker still believes in.
    private static func isExclusiveUse(_ text: Substring) -> Bool { text.hasSuffix(" in exclusive use") }

    /// What decides about permissions could not be asked.
    private static func isBackendFailure(_ text: Substring) -> Bool {
        text.contains("' refused for user '") && text.contains("', backend ") && text.contains(" returned an error: ")
    }

    /// The queue exists; its node restarts, its process does, or another replica becomes the leader.
    private static func isQueueDown(_ text: Substring) -> Bool {
        text.hasPrefix("home node '") || text.hasPrefix("failed to perform operation on queue '")
            || text.hasPrefix("queue '")
                && (text.hasSuffix(" process is stopped by supervisor")
                    || text.hasSuffix(" has crashed and failed to restart"))
    }

    /// Not the lock of a connection that may go.
    private static func isNeverUnlocked(_ text: Substring) -> Bool {
        text.hasPrefix("Cannot delete protected ") || text.contains(". basic.get operations are not supported by ")
    }

    private static func preconditionFault(_ text: Substring) -> BrokerFault? {
        if text.hasPrefix("delivery acknowledgement on channel ") || isLimitReached(text) || isReplicaDown(text) {
            return .passing
        }
        // Channel and broker are not of one mind about what is unsettled; all of it is delivered again.
        return text.hasPrefix("unknown delivery tag ") ? .curedByReopening : nil
    }

    /// The stream exists; its replica on the node starts after the node does, or is on another one.
    private static func isReplicaDown(_ text: Substring) -> Bool {
        text.hasPrefix("stream queue '")
            && (text.hasSuffix(" does not have a running replica on the local node") || text.hasSuffix("..."))
    }

    private static func notAllowedFault(_ text: Substring) -> BrokerFault? {
        if isLimitReached(text) || isBackendFailure(text) { return .passing }
        // Whoever logs in anew gives new credentials, and is told if they are wrong.
        return text.hasPrefix("New secret was refused ") || text.hasPrefix("Secret update failed")
            ? .curedByReopening : nil
    }

    /// A limit of what others have too: connections, channels, queues or exchanges of a user, node, host or cluster.
    private static func isLimitReached(_ text: Substring) -> Bool {
        if text.hasSuffix(" is reached") { return text.contains(" limit ") }
        return text.hasPrefix("connection refused: node connection limit ")
            || text.hasPrefix("connection refused for user '")
            || text.hasPrefix("number of channels opened on node '")
            || text.hasPrefix("number of channels opened for user '")
            || text.contains("': connection limit ")
    }

    /// What the broker's release or settings don't know any more, or not yet.
    private static func isDenied(_ text: Substring) -> Bool {
        text.hasPrefix("Feature `")
            || text.hasPrefix("Cannot declare a queue '") && text.hasSuffix(" feature flag is disabled")
    }
}
