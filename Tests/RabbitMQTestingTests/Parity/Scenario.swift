import Logging
import RabbitMQ
import TestSupport
import Testing

/// Something that any broker of a version does alike: what is done, and what comes of it in words.
struct Scenario: Sendable, CustomTestStringConvertible {
    /// From a version on, brokers give another account.
    struct Change: Sendable {
        let version: BrokerVersion
        /// What is otherwise then.
        let text: String

        init(_ version: BrokerVersion, _ text: String) {
            self.version = version
            self.text = text
        }
    }

    let title: String
    let changes: [Change]
    let body: @Sendable (Stage) async throws -> [String]

    init(
        _ title: String,
        changes: [Change] = [],
        _ body: @escaping @Sendable (Stage) async throws -> [String]
    ) {
        self.title = title
        self.changes = changes
        self.body = body
    }

    /// The row of the documentation's table.
    var row: String {
        let notes = changes.map { "From \($0.version) on \($0.text)" }.joined(separator: ". ")
        return notes.isEmpty ? "| \(title) | |" : "| \(title) | \(notes) |"
    }

    var testDescription: String { title }

    static let all = routing + queues + lifetimes + deadLetters + consuming + settling + publishing
}

/// A broker that a scenario is played on.
struct Stage: Sendable {
    let configuration: ConnectionConfiguration
    /// What no other test's names end with.
    private let suffix = TestBroker.uniqueName("kit")

    init(_ configuration: ConnectionConfiguration) {
        var configuration = configuration
        configuration.logger.logLevel = .critical
        self.configuration = configuration
    }

    /// A name that nothing else has on the broker.
    func name(_ base: String) -> String { "\(base).\(suffix)" }

    /// The same without what makes it unique.
    func shown(_ text: String) -> String { text.replacing(".\(suffix)", with: "") }

    func withConnection<R>(_ body: (Connection) async throws -> R) async throws -> R {
        try await Connection.withConnection(configuration, body)
    }

    /// Lends a channel with confirms.
    func withChannel<R>(_ body: (Connection, Channel) async throws -> R) async throws -> R {
        try await withConnection { connection in
            try await connection.withChannel { channel in
                try await channel.selectConfirms()
                return try await body(connection, channel)
            }
        }
    }

    /// How a call ends, in words: what it returns, or the code and the method of the error.
    func outcome(_ body: () async throws -> some Any) async -> String {
        do {
            return "\(try await body())"
        } catch let error as AMQPError {
            let code = error.replyCode.map { "\($0.rawValue)" } ?? "\(error.code)"
            return error.method.map { "\(code) \($0)" } ?? code
        } catch {
            return "\(type(of: error))"
        }
    }
}

extension Message {
    /// The body as text.
    var words: String { String(decoding: body, as: UTF8.self) }

    static func plain(
        _ text: String,
        headers: FieldTable? = nil,
        priority: UInt8? = nil,
        expiration: String? = nil,
        userID: String? = nil
    ) -> Message {
        Message(body: text.utf8, headers: headers, priority: priority, expiration: expiration, userID: userID)
    }
}

extension IncomingMessage {
    /// Its body, with what is special about it.
    var summary: String { message.words + (redelivered ? " again" : "") }
}

extension Queue {
    /// Takes so many messages, which are waited for, and settles them.
    func take(_ count: Int) async throws -> [IncomingMessage] {
        var taken: [IncomingMessage] = []
        try await eventually("\(count) messages in \(name)") {
            while taken.count < count, let message = try await get(noAck: true) { taken.append(message) }
            return taken.count == count
        }
        return taken
    }

    /// Takes all that is there now.
    func drain() async throws -> [String] {
        var taken: [String] = []
        while let message = try await get(noAck: true) { taken.append(message.summary) }
        return taken
    }

    /// Publishes texts through the default exchange, confirmed.
    func fill(_ texts: String...) async throws {
        for text in texts { try await publishConfirmed(.plain(text)) }
    }
}

extension Deliveries.AsyncIterator {
    /// The next messages, which have to come.
    mutating func take(_ count: Int) async throws -> [IncomingMessage] {
        var taken: [IncomingMessage] = []
        while taken.count < count, let message = try await next() { taken.append(message) }
        return taken
    }
}
