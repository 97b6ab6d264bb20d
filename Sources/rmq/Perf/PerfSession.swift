#if Tool
internal import Foundation
internal import RabbitMQ

/// The connections, channels and queue of a measurement, all of which are gone afterwards, whatever happens.
struct PerfSession {
    let connections: [Connection]
    /// Those of the first connection come first.
    let channels: [Channel]
    let queue: PerfQueue

    /// Connects, makes the queue, lends all of it, and takes it back: also after an error or an interruption.
    ///
    /// - Parameters:
    ///   - progress: Hears of each connection and channel: many take long, and that is no hang.
    ///   - connections: How many connections.
    ///   - channels: How many channels on each.
    ///   - consumesEverywhere: Whether all the connections consume from the queue.
    static func use<R>(
        _ options: PerfOptions,
        _ progress: Progress,
        connections: Int,
        channels: Int,
        consumesEverywhere: Bool = false,
        _ body: (PerfSession) async throws -> R
    ) async throws -> R {
        let configurations = try options.configurations()
        var opened: [Connection] = []
        var queue: PerfQueue?
        var reporting: Task<Void, Never>?
        let result: Result<R, any Error>
        do {
            var channelsOpened: [Channel] = []
            for number in 0..<connections {
                let configuration = configurations[number % configurations.count]
                let connection = try await Connection.connect(configuration)
                opened.append(connection)
                for _ in 0..<channels {
                    channelsOpened.append(try await connection.openChannel())
                    progress.giveSign()
                }
            }
            let made = try await PerfQueue.make(
                options,
                isShared: consumesEverywhere && connections > 1,
                on: channelsOpened[0]
            )
            queue = made
            reporting = options.watchers.reporting(opened)
            let session = PerfSession(connections: opened, channels: channelsOpened, queue: made)
            result = .success(try await body(session))
        } catch {
            result = .failure(error)
        }
        reporting?.cancel()
        try await takeBack(queue, opened, options, progress)
        return try result.get()
    }

    /// In a task of its own: one that was cancelled couldn't wait for the broker.
    private static func takeBack(
        _ queue: PerfQueue?,
        _ connections: [Connection],
        _ options: PerfOptions,
        _ progress: Progress
    ) async throws {
        let name = queue.flatMap { $0.mustBeDeleted ? $0.queue.name : nil }
        try await Task {
            let deletion = await Self.delete(name, connections, options)
            for connection in connections {
                await connection.close()
                progress.giveSign()
            }
            try deletion.get()
        }.value
    }

    /// Deletes the queue over any connection that still works, or else over a new one.
    private static func delete(
        _ name: String?,
        _ connections: [Connection],
        _ options: PerfOptions
    ) async -> Result<Void, any Error> {
        guard let name else { return .success(()) }
        for connection in connections where connection.closeReason == nil {
            if (try? await delete(name, on: connection)) != nil { return .success(()) }
        }
        do {
            try await Connection.withConnection(try options.configuration()) { try await delete(name, on: $0) }
            return .success(())
        } catch {
            let fate = options.place.queueType.fate
            return .failure(PerfError("The queue \(name) is left on the broker, \(fate): \(error)"))
        }
    }

    private static func delete(_ name: String, on connection: Connection) async throws {
        _ = try await connection.openChannel().queue(name).delete(ifUnused: false, ifEmpty: false)
    }
}
#endif
