/// Errors of which one alone is thrown: that of a call that tried several things in turn.
protocol SeveralErrors: Error {
    /// In the order in which they came.
    var errors: [AMQPError] { get }
}
