#if Tool
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import RabbitMQ

/// Where a command connects to.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the broker is: amqp://USER@HOST:PORT/VHOST, or amqps://.",
            discussion: """
                By default the variable RABBITMQ_URI, else the profile 'default' where there is one, else \
                amqp://guest:guest@localhost:5672. Other users see a command's arguments: keep passwords out of them.
                """
        )
    )
    var uri: String?

    @Option(help: "Which section of the profile file to use: ~/.config/rmq/profiles, or what RMQ_PROFILES names.")
    var profile: String?

    @Option(help: "The virtual host, in place of the URI's.")
    var vhost: String?

    @Option(help: "A file with the certificate authorities to trust, for amqps.")
    var ca: String?

    mutating func validate() throws { _ = try configuration() }

    /// Where to connect to.
    ///
    /// - Throws: `ValidationError` for what can't be meant, which says nothing of the password.
    func configuration(name: String = "rmq") throws -> ConnectionConfiguration {
        try Self.configuration(uri: uri, profile: profile, vhost: vhost, ca: ca, name: name)
    }

    static func configuration(
        uri: String?,
        profile: String?,
        vhost: String?,
        ca: String?,
        prefix: String = "--",
        name: String
    ) throws -> ConnectionConfiguration {
        guard uri == nil || profile == nil else {
            throw ValidationError("\(prefix)uri and \(prefix)profile both say where the broker is: give one of them.")
        }
        let place = try find(uri: uri, profile: profile, prefix: prefix)
        var configuration: ConnectionConfiguration
        do {
            configuration = try ConnectionConfiguration(uri: place.uri)
        } catch {
            throw ValidationError("\(place.source): \(error.message)")
        }
        // Who looks at something, or moves it, wants to know that the connection was lost, and not wait for the next.
        configuration.recovery = .none
        configuration.logger.logLevel = .critical
        if configuration.connectionName == nil { configuration.connectionName = name }
        if let vhost { configuration.virtualHost = vhost }
        if let file = ca ?? place.ca {
            guard configuration.tls != nil else {
                throw ValidationError("\(prefix)ca is for a URI that begins with amqps://.")
            }
            guard FileManager.default.isReadableFile(atPath: file) else {
                throw ValidationError("\(prefix)ca: \(file) can't be read.")
            }
            configuration.tls?.trustRoots = [.file(file)]
        }
        return configuration
    }

    /// Where the broker is.
    struct Place {
        /// May hold a password.
        var uri: String
        /// What says so.
        var source: String
        /// The authorities that the profile names.
        var ca: String?
        /// Where the management API is, as the profile says; may hold a password.
        var management: String?
    }

    static func find(uri: String?, profile: String?, prefix: String = "--") throws -> Place {
        if let uri { return Place(uri: uri, source: "\(prefix)uri") }
        if let profile {
            return Place(try Profiles.read().section(profile), named: profile)
        }
        if let uri = ProcessInfo.processInfo.environment["RABBITMQ_URI"], !uri.isEmpty {
            return Place(uri: uri, source: "RABBITMQ_URI")
        }
        if Profiles.exist, let found = try Profiles.read().sections["default"] {
            return Place(found, named: "default")
        }
        return Place(uri: "amqp://guest:guest@localhost:5672", source: "\(prefix)uri")
    }
}

extension ConnectionOptions.Place {
    fileprivate init(_ section: Profiles.Section, named name: String) {
        self.init(
            uri: section.uri,
            source: "the profile \(name)",
            ca: section.ca,
            management: section.management
        )
    }
}

extension Connection {
    /// Connects, lends the connection to `body`, and closes it, also if this task was cancelled: what was settled then
    /// still reaches the broker.
    static func lend<R: Sendable>(
        _ configuration: ConnectionConfiguration,
        _ body: (Connection) async throws -> R
    ) async throws -> R {
        let connection = try await connect(configuration)
        let result: Result<R, any Error>
        do {
            result = .success(try await body(connection))
        } catch {
            result = .failure(error)
        }
        await Task { await connection.close() }.value
        return try result.get()
    }
}
#endif
