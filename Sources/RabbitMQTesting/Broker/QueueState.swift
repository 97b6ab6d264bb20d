internal import RabbitMQ

/// A channel, named by its connection and its number there.
struct ChannelKey: Hashable {
    var connection: Int
    var number: UInt16
}

/// A queue of the broker.
struct QueueState {
    struct Consumer {
        var channel: ChannelKey
        var tag: String
        var priority: Int
        var isExclusive: Bool
    }

    let name: String
    /// Tells it from another one that has the name later.
    let id: Int
    let durable: Bool
    let autoDelete: Bool
    let arguments: FieldTable
    let settings: QueueSettings
    /// The connection that alone may use it, and with which it goes.
    let owner: Int?
    var ready = ReadyMessages()
    /// How many are with consumers.
    var unsettledCount = 0
    /// Those with the highest priority first; among equals, who is served next.
    private(set) var consumers: [Consumer] = []
    /// Who alone is served, if that is one of them (`x-single-active-consumer`): it stays so as long as it consumes.
    private var active: Consumer?
    private var nextPosition: UInt64 = 1
    /// Since when nobody has used it, for `x-expires`; nil while it has consumers.
    var idleSince: Duration?

    init(_ declared: Request.DeclareQueue, _ settings: QueueSettings, id: Int, owner: Int?, now: Duration) {
        name = declared.name
        self.id = id
        durable = declared.durable
        autoDelete = declared.autoDelete
        arguments = declared.arguments
        self.settings = settings
        self.owner = owner
        idleSince = now
    }

    mutating func append(_ message: StoredMessage) {
        var message = message
        message.position = nextPosition
        nextPosition += 1
        message.priority = settings.priority(of: message.message)
        if !settings.isQuorum { message.deliveryCount = 0 }
        ready.insert(message)
    }

    /// Whether a message can come behind those that wait.
    func hasRoom(for message: StoredMessage) -> Bool {
        !settings.isFull(ready, adding: 1, bytes: message.message.body.count)
    }

    /// Whether more wait than may, so that the oldest go. A queue that refuses what is new keeps also what comes back to it.
    var isOverfull: Bool {
        settings.overflow == .dropHead && !ready.isEmpty && settings.isFull(ready, adding: 0, bytes: 0)
    }

    mutating func add(_ consumer: Consumer) {
        let index = consumers.firstIndex { $0.priority < consumer.priority } ?? consumers.count
        consumers.insert(consumer, at: index)
        if settings.hasSingleActiveConsumer, active == nil { active = consumer }
        idleSince = nil
    }

    mutating func removeConsumers(now: Duration, _ isMeant: (Consumer) -> Bool) {
        let count = consumers.count
        consumers.removeAll(where: isMeant)
        // The next one is the one with the highest priority.
        if let holder = active, isMeant(holder) { active = consumers.first }
        if consumers.isEmpty, count > 0 { idleSince = now }
    }

    /// The consumer that gets the next message, and goes behind those of its priority.
    mutating func takeTurn(_ canTake: (Consumer) -> Bool) -> Consumer? {
        if settings.hasSingleActiveConsumer { return active.flatMap { canTake($0) ? $0 : nil } }
        guard let index = consumers.firstIndex(where: canTake) else { return nil }
        let consumer = consumers.remove(at: index)
        let end = consumers[index...].firstIndex { $0.priority < consumer.priority } ?? consumers.count
        consumers.insert(consumer, at: end)
        return consumer
    }

    /// When something happens by itself.
    var deadline: Duration? {
        let end = idleSince.flatMap { since in settings.expires.map { since + $0 } }
        guard let expiry = ready.nextExpiry else { return end }
        return end.map { min($0, expiry) } ?? expiry
    }
}
