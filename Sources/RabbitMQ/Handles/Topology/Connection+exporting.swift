extension Connection {
    /// What was declared through this connection and its channels, and not deleted through them since.
    ///
    /// In the order of declaring. Left out is what was only looked up (passive), and queues that the broker named,
    /// which nobody else can declare. What the broker deletes by itself (`autoDelete`, expiry), or another connection
    /// does, stays in; but of exchanges and queues that vanish by themselves only the latest 5,000 to 10,000 each.
    ///
    /// ```swift
    /// let json = try JSONEncoder().encode(connection.exportTopology())
    /// ```
    public func exportTopology() -> Topology { topology.topology }
}
