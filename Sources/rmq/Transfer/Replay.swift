#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Sends dead-lettered messages back.
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        "Sends what is in a dead-letter queue back to where it came from.",
        """
        Each message goes to the queue it died in, as its x-death header says, and to no other; with --back-to exchange \
        to the exchange it was published to, by its old routing key, and so to all queues that are bound there; with \
        --exchange to that one. It goes without the record of its deaths, as if published anew, and without its CC \
        where it goes to one queue. A message that a RetryPolicy of this library has parked says in its x-parked \
        headers where it failed: it goes there as it is, and its attempts begin anew. To an exchange it goes as it was \
        before it was parked, without those headers.

        What is ready at the beginning is looked at once: what dies again meanwhile waits for the next time. A message \
        leaves the dead-letter queue when the broker has confirmed that it is in the other: whenever this is killed, \
        nothing is lost, and what was under way may be in both. What can't be sent, or does not match, goes back to \
        its place. A quorum queue may put it behind the others, and before RabbitMQ 4.3 counts that towards its \
        delivery limit. Messages are taken by a consumer, except from a queue that would be deleted with it.
        """,
        examples: "rmq replay orders.dead --dry-run",
        "rmq replay orders.parked",
        "rmq replay orders.dead --reason rejected --older-than 10m --limit 100 --rate 20",
        "rmq replay orders.dead --exchange orders --header tenant=acme"
    )

    enum Place: String, CaseIterable, ExpressibleByArgument {
        case queue, exchange
    }

    enum Origin: String, CaseIterable, ExpressibleByArgument {
        case last, first
    }

    @Argument(help: "The dead-letter queue.")
    var queue: String

    @Option(help: "Where to: the queue it died in, or the exchange it was published to.")
    var backTo: Place = .queue

    @Option(help: "Which death counts, if it died more than once.")
    var origin: Origin = .last

    @Option(help: "The exchange that gets all of them instead.")
    var exchange: String?

    @Option(help: "The routing key there; the old one by default.")
    var routingKey: String?

    @Flag(help: "Send on the record of its deaths.")
    var keepDeaths = false

    @OptionGroup var options: TransferOptions

    func validate() throws {
        guard routingKey == nil || exchange != nil else {
            throw ValidationError("--routing-key is for an --exchange; each message has its own otherwise.")
        }
        guard exchange == nil || backTo == .queue else {
            throw ValidationError("--back-to exchange and --exchange both say where to: give one of them.")
        }
    }

    func run() async throws {
        let (queue, backTo, origin, exchange, routingKey) = (queue, backTo, origin, exchange, routingKey)
        func lastDeath(of message: Message) -> Death? {
            // It may have died here too, and come back.
            let deaths = message.deaths.filter { $0.queue != queue }
            return origin == .last ? deaths.first : deaths.last
        }
        // A message that was parked has been published to where it is, and the broker knows of no death.
        func parking(of message: Message) -> ParkedMessage? { lastDeath(of: message) == nil ? message.parked : nil }

        try await options.run(
            .replay,
            from: queue,
            keepsDeaths: keepDeaths,
            content: { message, route in
                // Only where it failed is it known what was put aside when it was parked: its CC, expiration and user.
                guard let parked = parking(of: message), route != .queue(parked.queue) else { return message }
                return parked.original
            },
            route: { message in
                let (death, parked) = (lastDeath(of: message.message), parking(of: message.message))
                if let exchange {
                    let key = routingKey ?? death?.routingKeys.first ?? parked?.routingKey ?? message.routingKey
                    return Route(exchange: exchange, routingKey: key)
                }
                if let parked {
                    guard backTo == .exchange else { return .queue(parked.queue) }
                    return Route(exchange: parked.exchange, routingKey: parked.routingKey)
                }
                guard let death else { throw Route.Missing(description: "no x-death header says where it came from") }
                guard backTo == .exchange else { return .queue(death.queue) }
                return Route(exchange: death.exchange, routingKey: death.routingKeys.first ?? message.routingKey)
            }
        )
    }
}
#endif
