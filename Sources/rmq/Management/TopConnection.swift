#if Tool
/// What the management API says of how busy a channel is. Of a connection it counts bytes, and no messages.
struct TopChannel: ManagementRow {
    struct Owner: Codable {
        let name: String
    }

    let name: String
    let connection: ErlangObject<Owner>?
    let unacknowledged: Int?
    let consumers: Int?
    let rates: ErlangObject<TopQueue.Rates>?

    enum CodingKeys: String, CodingKey {
        case name
        case connection = "connection_details"
        case unacknowledged = "messages_unacknowledged"
        case consumers = "consumer_count"
        case rates = "message_stats"
    }

    static func place(inVirtualHost vhost: String) -> String { "vhosts/\(vhost)/channels" }

    static let columns = ["name", "connection_details.name", "messages_unacknowledged", "consumer_count"] + rateColumns

    private static let rateColumns = ["publish", "deliver_get", "ack"].map { "message_stats.\($0)_details.rate" }

    var line: String { name }
}

/// A connection of the screen, with what its channels do.
struct TopConnection: Encodable {
    /// Between which addresses it is.
    let connection: String
    /// The name that its client has given it.
    let name: String?
    let user: String?
    let state: String?
    let channels: Int
    /// Messages a second.
    private var publishedRate = 0.0
    private var deliveredRate = 0.0
    private var acknowledgedRate = 0.0
    private var unacknowledged = 0
    private var consumers = 0

    private init(_ listed: ListedConnection) {
        connection = listed.name
        name = listed.givenName
        user = listed.user
        state = listed.state
        channels = TopLine.sane(listed.channels)
    }

    /// The busiest one comes first, then the one that has most to settle.
    static func lines(_ connections: [ListedConnection], _ channels: [TopChannel]) -> [TopConnection] {
        var lines: [String: TopConnection] = [:]
        for connection in connections { lines[connection.name] = TopConnection(connection) }
        for channel in channels {
            // One whose connection was opened between both questions is in the next answer.
            if let name = channel.connection?.value?.name { lines[name]?.add(channel) }
        }
        return lines.values.sorted(by: isBefore)
    }

    private mutating func add(_ channel: TopChannel) {
        publishedRate += TopLine.sane(channel.rates?.value?.published?.rate)
        deliveredRate += TopLine.sane(channel.rates?.value?.delivered?.rate)
        acknowledgedRate += TopLine.sane(channel.rates?.value?.acknowledged?.rate)
        unacknowledged += TopLine.sane(channel.unacknowledged)
        consumers += TopLine.sane(channel.consumers)
    }

    private static func isBefore(_ one: TopConnection, _ other: TopConnection) -> Bool {
        let (busy, busier) = (one.publishedRate + one.deliveredRate, other.publishedRate + other.deliveredRate)
        if busy != busier { return busy > busier }
        if one.unacknowledged != other.unacknowledged { return one.unacknowledged > other.unacknowledged }
        return one.connection < other.connection
    }

    static let head = TopLine.row(["in/s", "out/s", "acked/s", "channels", "unacked", "consumers"], "connection")

    var text: String {
        let rates = [publishedRate, deliveredRate, acknowledgedRate].map { TopLine.text(of: $0) }
        let unusual = state == "running" ? nil : state
        let words: [String?] = [connection, name.map { "\"\($0)\"" }, user, unusual]
        let title = words.compactMap(\.self).joined(separator: ", ")
        return TopLine.row(rates + [channels, unacknowledged, consumers].map { "\($0)" }, title)
    }
}
#endif
