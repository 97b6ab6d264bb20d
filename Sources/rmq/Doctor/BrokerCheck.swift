#if Tool
internal import Foundation
internal import RabbitMQ

/// Tries, on an open connection, what applications do, and leaves nothing behind.
struct BrokerCheck {
    let connection: Connection
    /// What the names that are tried begin with.
    let prefix: String
    let limit: Duration

    private let name: String

    init(connection: Connection, prefix: String, limit: Duration) {
        self.connection = connection
        self.prefix = prefix
        self.limit = limit
        // Nobody has it: what is asked of it does nothing.
        name = "\(prefix)rmq.doctor.\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    func run(_ examination: inout Examination) async {
        agreed(&examination)
        guard await opensChannel(&examination) else { return }
        await configure(&examination)
        await write(&examination)
        await read(&examination)
        if await roundTrip(&examination) { await clock(&examination) }
        versions(&examination)
    }

    private func agreed(_ examination: inout Examination) {
        let seconds = Int(connection.heartbeat / .seconds(1))
        let found =
            "heartbeat \(seconds == 0 ? "none" : "\(seconds) s"), frames of \(connection.frameMax) bytes, "
            + "\(connection.channelMax) channels"
        guard seconds > 0, seconds <= 300 else {
            return examination.add(
                "agreed",
                .warning,
                found,
                cause: "a connection that dies in silence is noticed late, or never",
                cure: "Have a heartbeat of some 60 seconds: heartbeat=60 in the URI, and in the broker's settings."
            )
        }
        examination.add("agreed", found)
    }

    private func opensChannel(_ examination: inout Examination) async -> Bool {
        let start = ContinuousClock.now
        do {
            let channel = try await connection.openChannel()
            await channel.close()
            examination.add("channel", took: ContinuousClock.now - start, "opened and closed")
            return true
        } catch {
            examination.add(
                "channel",
                .failed,
                took: ContinuousClock.now - start,
                "\(error)",
                cause: "as many channels as are allowed are open, or the broker ends the connection",
                cure: "rabbitmqctl list_user_limits, and channel_max in the broker's settings."
            )
            return false
        }
    }

    // MARK: Permissions

    /// Asks for something that needs a permission and does nothing, as nothing has that name.
    private func permission(
        _ step: String,
        _ examination: inout Examination,
        _ ask: (Channel) async throws -> Void
    ) async {
        let start = ContinuousClock.now
        do {
            let channel = try await connection.openChannel()
            do {
                try await ask(channel)
                await channel.close()
            } catch AMQPError.Code.notFound {
                // It was looked for: so it is allowed.
            }
            examination.add(step, took: ContinuousClock.now - start, "allowed for names such as \(name)")
        } catch let error as AMQPError where error.code == .accessRefused {
            let word = step.split(separator: " ").first ?? ""
            examination.add(
                step,
                .failed,
                took: ContinuousClock.now - start,
                error.message,
                cause: "the user's permission to \(word) does not cover such names",
                cure:
                    "rabbitmqctl list_user_permissions USER shows them; if names begin otherwise, say so with --prefix."
            )
        } catch {
            examination.add(
                step,
                .failed,
                took: ContinuousClock.now - start,
                "\(error)",
                cause: "the broker answers otherwise than expected"
            )
        }
    }

    private func configure(_ examination: inout Examination) async {
        await permission("configure permission", &examination) { channel in
            try await channel.queue(name).delete(ifUnused: false, ifEmpty: false)
        }
    }

    private func write(_ examination: inout Examination) async {
        await permission("write permission", &examination) { channel in
            do {
                try await channel.queue(name).bind(to: channel.exchange(name), routingKey: "")
            } catch let error as AMQPError where error.code == .accessRefused && error.message.contains("exchange") {
                // That comes next.
            }
        }
    }

    private func read(_ examination: inout Examination) async {
        await permission("read permission", &examination) { channel in _ = try await channel.queue(name).get() }
    }

    // MARK: A message

    /// - Returns: Whether the broker takes messages.
    private func roundTrip(_ examination: inout Examination) async -> Bool {
        let start = ContinuousClock.now
        do {
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let began = ContinuousClock.now
            // Nothing has that name, so that it reaches nobody.
            try await channel.defaultExchange.publishConfirmed(
                Message("rmq doctor", deliveryMode: .transient),
                routingKey: name,
                mandatory: false,
                timeout: limit
            )
            let took = ContinuousClock.now - began
            examination.add("confirm round trip", took: took, "published to nobody, and confirmed")
            examination.add("alarms", "the broker takes messages")
            await channel.close()
            return true
        } catch let error as AMQPError {
            let took = ContinuousClock.now - start
            if let reason = connection.blockedReason {
                examination.add("confirm round trip", .skipped, took: took, "the broker takes no messages")
                examination.add(
                    "alarms",
                    .failed,
                    "the broker blocks publishers: \(reason)",
                    cause: reason.contains("disk")
                        ? "the broker's disk is nearly full" : "the broker's memory is nearly full",
                    cure: "rabbitmqctl status shows alarm, memory and disk: have queues consumed, or give it more."
                )
            } else if error.code == .accessRefused {
                examination.add(
                    "confirm round trip",
                    .warning,
                    took: took,
                    error.message,
                    cause: "the user may not publish to the default exchange, by which this is measured",
                    cure: "Nothing is wrong if applications publish to exchanges of their own."
                )
                return true
            } else {
                examination.add(
                    "confirm round trip",
                    .failed,
                    took: took,
                    "\(error)",
                    cause: "the broker takes messages, and does not confirm them",
                    cure:
                        "The broker's log, and rabbitmqctl list_queues with messages and memory, tell what keeps it busy."
                )
            }
        } catch {
            examination.add("confirm round trip", .failed, "\(error)")
        }
        return false
    }

    /// The broker writes into a message that expires when it did so.
    private func clock(_ examination: inout Examination) async {
        do {
            let channel = try await connection.openChannel()
            let dead = try await channel.declareQueue(
                "\(name).dead",
                durable: false,
                exclusive: true,
                arguments: QueueArguments(type: .classic)
            )
            let queue = try await channel.declareQueue(
                name,
                durable: false,
                exclusive: true,
                arguments: QueueArguments(
                    type: .classic,
                    messageTTL: .zero,
                    deadLetterExchange: "",
                    deadLetterRoutingKey: dead.name
                )
            )
            let before = Date().timeIntervalSince1970.rounded(.down)
            try await queue.publish(Message("rmq doctor"))
            var message: IncomingMessage?
            let end = ContinuousClock.now + .seconds(2)
            while message == nil, .now < end { message = try await dead.get(noAck: true) }
            let after = Date().timeIntervalSince1970
            await channel.close()
            guard let time = message?.message.deaths.first?.time?.timeIntervalSince1970 else {
                return examination.add("clock", .skipped, "the broker did not tell its time")
            }
            let difference = ClockDifference(broker: time, between: before, and: after)
            guard let found = difference.text else {
                return examination.add("clock", "as the broker's, to a second or two")
            }
            examination.add(
                "clock",
                .warning,
                "the broker's is \(found)",
                cause: "one of the two clocks is wrong",
                cure: "Have both machines set by NTP: timedatectl."
            )
        } catch {
            examination.add("clock", .skipped, "to know the broker's time takes queues, which this user may not have")
        }
    }

    private func versions(_ examination: inout Examination) {
        let properties = connection.serverProperties
        func text(_ name: String) -> String? { properties[name]?.stringValue }
        examination.versions["broker"] = text("version")
        let (product, version) = (text("product") ?? "a broker", text("version") ?? "of no version")
        let found = ["\(product) \(version)", text("platform"), text("cluster_name").map { "cluster \($0)" }]
        let line = Terminal.harmless(found.compactMap(\.self).joined(separator: ", "))
        // Other brokers have versions, and mistakes, of their own.
        guard product.contains("RabbitMQ"), LibraryVersion(broker: version) != nil else {
            return examination.add("versions", line)
        }
        if BrokerAdvisory.isOutOfSupport(version: version) {
            examination.add(
                "versions",
                .warning,
                line,
                cause: "an older series, for which only those with a licence get corrections",
                cure: "https://www.rabbitmq.com/release-information says which are supported."
            )
        } else {
            examination.add("versions", line)
        }
        advisories(of: version, &examination)
    }

    private func advisories(of version: String, _ examination: inout Examination) {
        let matter = BrokerAdvisory.mattering(version: version)
        let names = matter.flatMap(\.names)
        guard !names.isEmpty else {
            return examination.add("advisories", "none of this version, up to \(BrokerAdvisory.judgedUntil)")
        }
        examination.add(
            "advisories",
            .warning,
            "the broker's version has \(names.joined(separator: ", "))",
            cause: matter.map { "\($0.names.joined(separator: " ")): \($0.what)" }.joined(separator: "; "),
            cure:
                "Update the broker, unless these are of plugins that are off. A distribution may have mended them in "
                + "the same version: its changelog tells. https://www.rabbitmq.com/security has later ones.",
            advisories: names
        )
    }
}
#endif
