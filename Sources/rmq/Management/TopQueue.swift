#if Tool
/// What the management API says of how busy a queue is.
struct TopQueue: ManagementRow {
    struct Rate: Codable {
        let rate: Double?
    }

    struct Rates: Codable {
        let published: Rate?
        let delivered: Rate?
        let acknowledged: Rate?

        enum CodingKeys: String, CodingKey {
            case published = "publish_details"
            case delivered = "deliver_get_details"
            case acknowledged = "ack_details"
        }
    }

    let name: String
    let ready: Int?
    let unacknowledged: Int?
    let consumers: Int?
    let rates: ErlangObject<Rates>?

    enum CodingKeys: String, CodingKey {
        case name, consumers
        case ready = "messages_ready"
        case unacknowledged = "messages_unacknowledged"
        case rates = "message_stats"
    }

    static func place(inVirtualHost vhost: String) -> String { "queues/\(vhost)" }

    static let columns = [
        "name", "messages_ready", "messages_unacknowledged", "consumers", "message_stats.publish_details.rate",
        "message_stats.deliver_get_details.rate", "message_stats.ack_details.rate",
    ]

    var line: String { TopLine(self).text }
}

/// A queue of the screen, or all of them together.
struct TopLine: Encodable {
    var queue: String
    /// Messages a second.
    var publishedRate = 0.0
    var deliveredRate = 0.0
    var acknowledgedRate = 0.0
    var ready = 0
    var unacknowledged = 0
    var consumers = 0

    init(_ queue: TopQueue) {
        self.queue = queue.name
        publishedRate = Self.sane(queue.rates?.value?.published?.rate)
        deliveredRate = Self.sane(queue.rates?.value?.delivered?.rate)
        acknowledgedRate = Self.sane(queue.rates?.value?.acknowledged?.rate)
        ready = Self.sane(queue.ready)
        unacknowledged = Self.sane(queue.unacknowledged)
        consumers = Self.sane(queue.consumers)
    }

    /// What can be summed up, whatever was sent.
    static func sane(_ count: Int?) -> Int { max(0, min(count ?? 0, 1 << 40)) }

    static func sane(_ rate: Double?) -> Double { max(0, min(rate ?? 0, 1e12)) }

    init(allOf lines: [TopLine]) {
        queue = "all \(lines.count)"
        for line in lines {
            publishedRate += line.publishedRate
            deliveredRate += line.deliveredRate
            acknowledgedRate += line.acknowledgedRate
            ready += line.ready
            unacknowledged += line.unacknowledged
            consumers += line.consumers
        }
    }

    /// The busiest one comes first, then the longest.
    static func isBefore(_ one: TopLine, _ other: TopLine) -> Bool {
        let (busy, busier) = (one.publishedRate + one.deliveredRate, other.publishedRate + other.deliveredRate)
        if busy != busier { return busy > busier }
        return one.ready == other.ready ? one.queue < other.queue : one.ready > other.ready
    }

    static let head = TopLine.row(["in/s", "out/s", "acked/s", "ready", "unacked", "consumers"], "queue")

    var text: String {
        let rates = [publishedRate, deliveredRate, acknowledgedRate].map { Self.text(of: $0) }
        return Self.row(rates + [ready, unacknowledged, consumers].map { "\($0)" }, queue)
    }

    static func row(_ numbers: [String], _ name: String) -> String {
        let columns = numbers.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }.joined()
        return columns + "  " + Terminal.harmlessRow(name)
    }

    /// With one digit behind the point.
    static func text(of rate: Double) -> String {
        let tenths = Int(min(rate, 1e15) * 10 + 0.5)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
#endif
