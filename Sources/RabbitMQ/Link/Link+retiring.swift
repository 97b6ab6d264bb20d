extension Link {
    /// Ends the consumers of all channels: see ``ChannelInbox/retireConsumers(_:then:)``.
    ///
    /// - Parameter then: Called when nothing more is on its way, or at the latest after a while.
    func retireConsumers(_ reason: AMQPError, then: @escaping () -> Void) {
        takeRegistered()
        let inboxes = inboxes.all
        var left = inboxes.count + 1
        func count() {
            left -= 1
            if left == 0 { then() }
        }
        for inbox in inboxes { inbox.retireConsumers(reason) { count() } }
        count()
    }
}
