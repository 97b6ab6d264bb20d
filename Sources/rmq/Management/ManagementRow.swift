#if Tool
internal import Foundation
internal import RabbitMQ

/// Something that the management API lists.
protocol ManagementRow: Codable, Sendable {
    /// Where the list is, below `/api/`.
    static func place(inVirtualHost vhost: String) -> String

    /// Which of what is known is asked for.
    static var columns: [String] { get }

    /// What rows are sorted by.
    var name: String { get }

    /// What is written of it, but for JSON: columns.
    var line: String { get }

    /// What stands in them, for people.
    static var heading: String { get }
}

extension ManagementRow {
    /// Of what is shown in another way.
    static var heading: String { columns.joined(separator: ", ") }

    /// As one line of JSON, with names as the API has them: keys of arguments are not turned.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Terminal.harmlessJSON(try encoder.encode(self))
    }
}

/// An object: in Erlang an empty one is an empty list, as which it may come.
struct ErlangObject<Value: Codable & Sendable>: Codable, Sendable {
    /// Nil if it came as something else.
    let value: Value?

    init(from decoder: any Decoder) throws { value = try? Value(from: decoder) }

    func encode(to encoder: any Encoder) throws {
        if let value { try value.encode(to: encoder) } else { try [String: String]().encode(to: encoder) }
    }
}

/// A number, or a sign that it is not known.
private func text(_ number: Int?) -> String { number.map { "\($0)" } ?? "-" }

struct ListedQueue: ManagementRow {
    let name: String
    let type: String?
    let state: String?
    let ready: Int?
    let unacknowledged: Int?
    let consumers: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, type, state, consumers
        case ready = "messages_ready"
        case unacknowledged = "messages_unacknowledged"
    }

    static func place(inVirtualHost vhost: String) -> String { "queues/\(vhost)" }

    static let columns = CodingKeys.allCases.map(\.rawValue)

    static let heading = "ready, unacknowledged, consumers, type, state, name"

    var line: String {
        "\(text(ready))\t\(text(unacknowledged))\t\(text(consumers))\t\(type ?? "-")\t\(state ?? "-")\t\(name)"
    }
}

struct ListedExchange: ManagementRow {
    let name: String
    let type: String?
    let durable: Bool?
    let autoDelete: Bool?
    let isInternal: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, type, durable
        case autoDelete = "auto_delete"
        case isInternal = "internal"
    }

    static func place(inVirtualHost vhost: String) -> String { "exchanges/\(vhost)" }

    static let columns = CodingKeys.allCases.map(\.rawValue)

    static let heading = "type, durable and so on, name"

    var line: String {
        let flags = [(durable, "durable"), (autoDelete, "auto-delete"), (isInternal, "internal")]
        let known = flags.filter { $0.0 == true }.map(\.1).joined(separator: ",")
        return "\(type ?? "-")\t\(known.isEmpty ? "-" : known)\t\(name.isEmpty ? "(default)" : name)"
    }
}

struct ListedBinding: ManagementRow {
    let source: String
    let destination: String
    let kind: String
    let routingKey: String
    let arguments: ErlangObject<FieldTable>?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case source, destination, arguments
        case kind = "destination_type"
        case routingKey = "routing_key"
    }

    static func place(inVirtualHost vhost: String) -> String { "bindings/\(vhost)" }

    static let columns = CodingKeys.allCases.map(\.rawValue)

    var name: String { "\(source)\t\(kind)\t\(destination)\t\(routingKey)" }

    static let heading = "source, what is bound, its name, routing key, arguments"

    var line: String {
        let known = (arguments?.value ?? [:]).sorted { $0.key < $1.key }.map { "\t\($0.key)=\($0.value.text)" }.joined()
        return "\(source.isEmpty ? "(default)" : source)\t\(kind)\t\(destination)\t\(routingKey)\(known)"
    }
}

struct ListedConnection: ManagementRow {
    let name: String
    let user: String?
    let state: String?
    let channels: Int?
    let isEncrypted: Bool?
    /// The name that its client has given it.
    let givenName: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, user, state, channels
        case isEncrypted = "ssl"
        case givenName = "user_provided_name"
    }

    static func place(inVirtualHost vhost: String) -> String { "vhosts/\(vhost)/connections" }

    static let columns = CodingKeys.allCases.map(\.rawValue)

    static let heading = "state, channels, TLS, user, name, the name that its client gave"

    var line: String {
        let security = isEncrypted == true ? "TLS" : "-"
        return "\(state ?? "-")\t\(text(channels))\t\(security)\t\(user ?? "-")\t\(name)\t\(givenName ?? "-")"
    }
}
#endif
