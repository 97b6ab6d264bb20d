extension ClientMethod {
    /// Whether a method from the broker is the answer to this one.
    func isAnswered(by reply: ServerMethod) -> Bool {
        switch (self, reply) {
        case (.channelOpen, .channelOpenOk), (.exchangeDeclare, .exchangeDeclareOk),
            (.exchangeDelete, .exchangeDeleteOk), (.exchangeBind, .exchangeBindOk),
            (.exchangeUnbind, .exchangeUnbindOk), (.queueDeclare, .queueDeclareOk), (.queueBind, .queueBindOk),
            (.queueUnbind, .queueUnbindOk), (.queuePurge, .queuePurgeOk), (.queueDelete, .queueDeleteOk),
            (.basicQos, .basicQosOk),
            (.basicGet, .basicGetOk), (.basicGet, .basicGetEmpty), (.basicRecover, .basicRecoverOk),
            (.confirmSelect, .confirmSelectOk), (.txSelect, .txSelectOk), (.txCommit, .txCommitOk),
            (.txRollback, .txRollbackOk):
            true
        case (.basicConsume(let consume), .basicConsumeOk(let tag)): consume.consumerTag == tag
        case (.basicCancel(let cancelled, _), .basicCancelOk(let tag)): cancelled == tag
        default: false
        }
    }
}
