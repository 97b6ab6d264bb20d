#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// Where the management API is.
struct ManagementOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The management API, which knows what there is: http://localhost:15672, or https://.",
            discussion: """
                By default what the profile says ('management = ...'), or the variable RABBITMQ_MANAGEMENT_URI. User and \
                password are the broker's, unless it names others: http://USER:PASSWORD@HOST:PORT; to the variable's \
                address the broker's go only if that is on the same host. https takes the program curl.
                """,
            valueName: "url"
        )
    )
    var management: String?

    /// The API of a broker.
    ///
    /// - Throws: `ValidationError` if nothing says where it is.
    func api(of connection: ConnectionOptions) throws -> ManagementAPI {
        let place = try ConnectionOptions.find(uri: connection.uri, profile: connection.profile)
        let variable = ProcessInfo.processInfo.environment["RABBITMQ_MANAGEMENT_URI"].flatMap { $0.isEmpty ? nil : $0 }
        if let management {
            return try ManagementAPI(management, source: "--management", of: place, ca: connection.ca)
        }
        if let known = place.management {
            return try ManagementAPI(known, source: place.source, of: place, ca: connection.ca)
        }
        // The variable is no word on the broker of a profile that is asked for.
        guard let variable, connection.profile == nil else {
            throw ValidationError(
                "AMQP has no way to ask which there are: the management API has. Say where it is: --management "
                    + "http://HOST:15672, or a line 'management = ...' in the profile."
            )
        }
        return try ManagementAPI(
            variable,
            source: "RABBITMQ_MANAGEMENT_URI",
            of: place,
            // It was set for another broker, perhaps: also than that of RABBITMQ_URI, or of the profile 'default'.
            isSaidApart: true,
            ca: connection.ca
        )
    }

    /// Writes a line of each of a kind that there is, and says who told.
    func list<Row: ManagementRow>(_ kind: Row.Type, of connection: ConnectionOptions, json: Bool) async throws {
        let api = try self.api(of: connection)
        let vhost = try connection.configuration().virtualHost
        let rows: [Row] = try await Interruption.cancelling { try await api.rows(in: vhost) }
        Terminal.complain("as the management API at \(api) says")
        if Terminal.isScreen, !json { Terminal.complain("(\(Row.heading))") }
        for row in rows.sorted(by: { $0.name < $1.name }) {
            try Terminal.say(json ? row.json() : Terminal.harmlessRow(row.line))
        }
    }
}
#endif
