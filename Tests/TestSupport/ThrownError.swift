public import RabbitMQ

/// Runs `body`, which has to throw an `AMQPError` in time.
///
/// - Throws: What says that it did not: it returned, threw something else, or took too long.
public func thrownError<R: Sendable>(
    within limit: Duration = .seconds(10),
    _ body: @escaping @Sendable () async throws -> R
) async throws -> AMQPError {
    do {
        _ = try await within(limit, "an error") { try await body() }
    } catch let error as AMQPError {
        return error
    }
    throw NothingThrown()
}

public struct NothingThrown: Error, CustomStringConvertible {
    public var description: String { "no error was thrown" }
}
