import TestSupport

@testable import RabbitMQ

/// A client of a scripted broker, with one channel.
struct ScriptedClient {
    let broker: ScriptedBroker
    let connection: Connection
    let channel: Channel

    static func run<R>(
        _ scripts: [ScriptedBroker.Script] = [],
        _ configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ScriptedClient) async throws -> R
    ) async throws -> R {
        var versioned = scripts.isEmpty ? [ScriptedBroker.Script()] : scripts
        for index in versioned.indices { versioned[index].tune.version = "4.0.0" }
        return try await ScriptedBroker.run(versioned) { broker in
            var configuration = broker.configuration
            configure(&configuration)
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            let client = ScriptedClient(broker: broker, connection: connection, channel: channel)
            let result: R
            do {
                result = try await body(client)
            } catch {
                await connection.close()
                throw error
            }
            await connection.close()
            return result
        }
    }

    static func script(_ change: (inout ScriptedBroker.Script) -> Void) -> ScriptedBroker.Script {
        var script = ScriptedBroker.Script()
        change(&script)
        return script
    }

    /// Has the broker close a channel.
    func closeChannel(_ code: UInt16, _ text: String, number: UInt16 = 1) async throws {
        try await broker.session.peer.sendClose(.channelClose, channel: number, code: code, text: text)
    }

    /// Waits until a session has so many consumers.
    func waitForConsumers(_ count: Int, on session: ScriptedBroker.Session? = nil) async throws {
        try await eventually("\(count) consume") {
            try (session ?? broker.session).consumers.count == count
        }
    }

    /// Waits until another session than those so far is up.
    func waitForSession(_ count: Int) async throws {
        try await eventually("it is there again") { broker.sessions.count >= count && connection.state == .up }
    }
}
