/// What ``withCallTimeout(_:isolation:_:)`` sets.
///
/// It is read where something is waited for already, which takes longer by far than looking for it: never on the way of a
/// message that is published without a wait, nor of one that is delivered.
enum CallTimeout {
    @TaskLocal static var current: Duration?

    /// Runs `body` without it.
    ///
    /// For tasks that outlive the one that begins them: a task takes over what is set where it is begun, and a consumer
    /// that was begun within two seconds would have two seconds for each of its calls for ever. Not `Task.detached`, with
    /// which the application's own values, such as what it traces, would be lost too.
    static func withNone<Result>(_ body: () throws -> Result) rethrows -> Result {
        try $current.withValue(nil, operation: body)
    }
}
