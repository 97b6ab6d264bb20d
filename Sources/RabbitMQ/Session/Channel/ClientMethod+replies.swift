// Without `default`, so that the compiler asks for each method that is added: an answer to a method that has none here
// would be taken for a violation, and end the connection.
extension ClientMethod {
    /// Whether a method from the broker is the answer to this one.
    func isAnswered(by reply: ServerMethod) -> Bool {
        switch self {
        case .channelOpen: reply == .channelOpenOk
        case .exchangeDeclare: reply == .exchangeDeclareOk
        case .exchangeDelete: reply == .exchangeDeleteOk
        case .exchangeBind: reply == .exchangeBindOk
        case .exchangeUnbind: reply == .exchangeUnbindOk
        case .queueDeclare: if case .queueDeclareOk = reply { true } else { false }
        case .queueBind: reply == .queueBindOk
        case .queueUnbind: reply == .queueUnbindOk
        case .queuePurge: if case .queuePurgeOk = reply { true } else { false }
        case .queueDelete: if case .queueDeleteOk = reply { true } else { false }
        case .basicQos: reply == .basicQosOk
        case .basicConsume(let consume): reply == .basicConsumeOk(consumerTag: consume.consumerTag)
        case .basicCancel(let tag, _): reply == .basicCancelOk(consumerTag: tag)
        case .basicGet:
            switch reply {
            case .basicGetOk, .basicGetEmpty: true
            default: false
            }
        case .basicRecover: reply == .basicRecoverOk
        case .confirmSelect: reply == .confirmSelectOk
        case .txSelect: reply == .txSelectOk
        case .txCommit: reply == .txCommitOk
        case .txRollback: reply == .txRollbackOk
        // Not answered on a channel: the link takes the answers to those that are answered at all.
        case .connectionStartOk, .connectionSecureOk, .connectionTuneOk, .connectionOpen, .connectionClose,
            .connectionCloseOk, .connectionUpdateSecret, .channelFlowOk, .channelClose, .channelCloseOk:
            false
        }
    }

    /// Whether the answers to later calls may overtake its own: those of consume and cancel come from the queue, the
    /// channel's other answers come at once.
    var isAnsweredApart: Bool {
        switch self {
        case .basicConsume, .basicCancel: true
        default: false
        }
    }
}
