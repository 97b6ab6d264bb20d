#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// The HTTP API of RabbitMQ's management plugin, which knows what AMQP has no question for: which queues there are.
struct ManagementAPI: Sendable, CustomStringConvertible {
    private let isEncrypted: Bool
    private let host: String
    private let port: Int
    /// Where it is on that server, without a slash at the end.
    private let path: String
    private let user: String
    private let password: String
    private let ca: String?

    /// How long an answer may take.
    private static let limit = Duration.seconds(20)

    /// - Parameters:
    ///   - text: Its URL, which may hold a user and a password.
    ///   - source: What gives that.
    ///   - place: The broker, whose user and password are taken if the URL has none.
    ///   - isSaidApart: Whether the URL was not given for this broker, so that its user and password go to its own host only.
    ///   - ca: A file with the authorities to trust.
    /// - Throws: `ValidationError` for what can't be meant, which says nothing of the password.
    init(
        _ text: String,
        source: String,
        of place: ConnectionOptions.Place,
        isSaidApart: Bool = false,
        ca: String?
    ) throws {
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = url.host, !host.isEmpty
        else { throw ValidationError("\(source) is no URL such as http://localhost:15672.") }
        isEncrypted = scheme == "https"
        let name = Self.bare(host)
        self.host = name
        port = url.port ?? (isEncrypted ? 443 : 80)
        guard (1...65_535).contains(port) else { throw ValidationError("\(source) names a port that can't be.") }
        var path = url.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        self.path = path.hasSuffix("/api") ? String(path.dropLast(4)) : path
        self.ca = ca ?? place.ca
        if let user = url.user {
            (self.user, password) = (user, url.password ?? "")
            return
        }
        let broker = URLComponents(string: place.uri)
        guard !isSaidApart || broker?.user == nil || Self.isSame(name, Self.bare(broker?.host ?? "")) else {
            throw ValidationError(
                """
                \(source) names another host than \(place.source), whose password would go there. Name user and password \
                in it, or the right address with --management.
                """
            )
        }
        let isSafe = isEncrypted || Self.isLocal(name)
        guard isSafe || broker?.scheme?.lowercased() != "amqps" || broker?.user == nil else {
            throw ValidationError(
                "\(source): the password of the amqps URI would go there as it is. Use https, or name user and password in it."
            )
        }
        (user, password) = (broker?.user ?? "guest", broker?.password ?? "guest")
    }

    private static func bare(_ host: String) -> String {
        host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")).lowercased()
    }

    /// Whether two names are, for certain, of one host. A broker's that is empty is this one.
    private static func isSame(_ host: String, _ brokers: String) -> Bool {
        host == brokers || isLocal(host) && (brokers.isEmpty || isLocal(brokers))
    }

    private static func isLocal(_ host: String) -> Bool { ["localhost", "127.0.0.1", "::1"].contains(host) }

    /// Its URL, without user and password.
    var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(isEncrypted ? "https" : "http")://\(name):\(port)\(path)"
    }

    /// All of a kind that it lists.
    ///
    /// - Throws: `ToolError`; `CancellationError` at once if this task is cancelled.
    func rows<Row: ManagementRow>(in vhost: String) async throws -> [Row] {
        let place = Row.place(inVirtualHost: Self.encoded(vhost))
        let body = try await get("/api/\(place)?columns=\(Row.columns.joined(separator: ","))")
        do {
            return try JSONDecoder().decode([Row].self, from: Data(body))
        } catch {
            throw ToolError("\(self) does not answer as RabbitMQ's management plugin: \(error)")
        }
    }

    private func get(_ target: String) async throws -> [UInt8] {
        // To look a name up keeps to no limit of its own.
        let result = await BlockingWork.run(within: Self.limit + .seconds(1)) { Result { try ask(target) } }
        try Task.checkCancellation()
        let answer: HTTPAnswer
        do {
            guard let result else { throw ToolError("no answer within \(Self.limit)") }
            answer = try result.get()
        } catch {
            let known = error as? ToolError
            let usual = "Is the plugin on (rabbitmq-plugins enable rabbitmq_management)? Its port is mostly 15672."
            throw ToolError("\(self): \(known?.message ?? "\(error)").", cure: known?.cure ?? usual)
        }
        switch answer.status {
        case 200: return answer.body
        case 401, 403:
            throw ToolError(
                "\(self) refuses the user \(user).",
                cure: "The password may be wrong, or the tag monitoring missing: rabbitmqctl list_users shows all, "
                    + "set_user_tags sets them, in place of those that there are."
            )
        case 404:
            throw ToolError(
                "\(self) has no \(target.prefix { $0 != "?" }).",
                cure: "Is it the management plugin's address, and is there that virtual host: rabbitmqctl list_vhosts?"
            )
        default: throw ToolError("\(self) answers with status \(answer.status).")
        }
    }

    private func ask(_ target: String) throws -> HTTPAnswer {
        if isEncrypted {
            return try CurlHTTP(user: user, password: password, ca: ca, limit: Self.limit).get(description + target)
        }
        let login = Data("\(user):\(password)".utf8).base64EncodedString()
        return try PlainHTTP(host: host, port: port, limit: Self.limit).get(
            path + target,
            headers: ["Authorization: Basic \(login)", "Accept: application/json"]
        )
    }

    /// As it stands in a path.
    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let sign = Character(Unicode.Scalar(byte))
            return sign.isASCII && (sign.isLetter || sign.isNumber) || "-._~".contains(sign)
                ? String(sign) : String(format: "%%%02X", byte)
        }.joined()
    }
}
#endif
