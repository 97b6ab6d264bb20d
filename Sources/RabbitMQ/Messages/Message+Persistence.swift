extension Message {
    /// Whether the message survives a restart of the broker in a durable queue: ``deliveryMode`` as a Boolean. false for an
    /// absent one.
    public var isPersistent: Bool {
        get { deliveryMode == .persistent }
        set { deliveryMode = newValue ? .persistent : .transient }
    }
}
