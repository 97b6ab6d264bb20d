#if Tool
internal import RabbitMQ

/// Sends what is in a queue elsewhere. A message leaves its queue only when a broker has confirmed that it has it.
///
/// So a message that is under way when this ends, however it does, is in both places at the worst, and never in none.
struct Transfer {
    enum Kind: String, Encodable {
        case move, copy, replay
    }

    let kind: Kind
    let scan: QueueScan
    let forwarding: Forwarding
    let isDry: Bool
    let rate: Double?
    /// Whether a terminal is told how far it is.
    let isShown: Bool
    /// Where a message goes; throws `Route.Missing` if it can't be told.
    let route: (IncomingMessage) throws -> Route
    /// What of a message goes there.
    let content: (Message, Route) -> Message

    /// A message that waits to be confirmed.
    private struct Outgoing {
        let message: IncomingMessage
        let route: Route
        let receipt: PublishReceipt
    }

    /// Runs it.
    ///
    /// - Parameters:
    ///   - source: Where the queue is.
    ///   - destination: Where messages go; may be the same.
    func run(from source: Connection, to destination: Connection, stop: Stop) async throws -> TransferReport {
        var report = TransferReport(kind: kind, queue: scan.queue, isDry: isDry)
        var outlet = try await Outlet(destination)
        var pace = Pace(rate: isDry ? nil : rate)
        var places = Places(connection: destination)
        var live = LiveCount(isWanted: isShown)
        defer { live.clear() }
        let count: QueueScan.Count
        do {
            count = try await scan.run(on: source, stop: stop) { messages, reached in
                report.take(reached)
                live.show("\(reached.lookedAt) of \(reached.ready) looked at, \(reached.matched) matched")
                var left: [IncomingMessage] = []
                var outgoing: [Outgoing] = []
                do {
                    for message in messages {
                        try await pace.wait(unless: stop)
                        if stop.isRequested {
                            report.unreached += 1
                            left.append(message)
                            continue
                        }
                        do {
                            let route = try route(message)
                            try await places.check(route)
                            if isDry {
                                report.add(message, to: route)
                                left.append(message)
                                continue
                            }
                            let copy = forwarding.message(content(message.message, route), to: route)
                            if outlet.sendsAlone(copy), !outgoing.isEmpty {
                                let due = outgoing
                                // Before: where that fails, they are not to be settled once more below.
                                outgoing = []
                                let unsettled = try await settle(due, &report)
                                left += unsettled
                            }
                            let receipt = try await outlet.publish(copy, to: route)
                            outgoing.append(Outgoing(message: message, route: route, receipt: receipt))
                        } catch let missing as Route.Missing {
                            report.stays(because: missing.description)
                            left.append(message)
                        } catch let error as AMQPError where error.code == .invalidMessage {
                            // It came in a way in which it can't be sent. Those behind it are not to wait for it for ever.
                            report.stays(because: error.message)
                            left.append(message)
                        }
                    }
                } catch let failure as TransferFailure {
                    throw failure
                } catch {
                    // What the broker has, it has: those need not be sent again.
                    _ = try? await settle(outgoing, &report)
                    throw TransferFailure(report: report, error: error)
                }
                return left + (try await settle(outgoing, &report))
            }
        } catch {
            // What went before is told.
            guard report.sent > 0, !(error is TransferFailure) else { throw error }
            throw TransferFailure(report: report, error: error)
        }
        report.take(count)
        return report
    }

    /// Waits for the confirms, and acknowledges what was confirmed.
    ///
    /// - Returns: What is not settled.
    private func settle(_ outgoing: [Outgoing], _ report: inout TransferReport) async throws -> [IncomingMessage] {
        var left: [IncomingMessage] = []
        var failure: (any Error)?
        for item in outgoing {
            do {
                try await item.receipt.confirmed()
                if kind == .copy { left.append(item.message) } else { try item.message.ack() }
                report.add(item.message, to: item.route)
            } catch let error as AMQPError where error.code == .undeliverable || error.code == .nacked {
                let why = error.code == .nacked ? "the broker refused it" : "it reached no queue"
                report.stays(because: "\(item.route): \(why) (\(error.message))")
                left.append(item.message)
            } catch {
                left.append(item.message)
                failure = failure ?? error
            }
        }
        if let failure { throw TransferFailure(report: report, error: failure) }
        return left
    }
}

/// Looks once for each exchange and queue that messages are to go to: to publish to one that is missing ends the channel.
private struct Places {
    let connection: Connection
    private var known: [String: Route.Missing?] = [:]

    init(connection: Connection) { self.connection = connection }

    mutating func check(_ route: Route) async throws {
        let name = route.exchange.isEmpty ? "the queue \(route.routingKey)" : "the exchange \(route.exchange)"
        if known[name] == nil { known[name] = .some(try await look(for: route)) }
        if let missing = known[name].flatMap(\.self) { throw missing }
    }

    private func look(for route: Route) async throws -> Route.Missing? {
        let channel = try await connection.openChannel()
        do {
            if route.exchange.isEmpty {
                _ = try await channel.declareQueue(route.routingKey, passive: true)
            } else {
                _ = try await channel.declareExchange(route.exchange, passive: true)
            }
            await channel.close()
            return nil
        } catch AMQPError.Code.notFound {
            return Route.Missing(
                description:
                    "\(route.exchange.isEmpty ? route.description : "the exchange \(route.exchange)") does not exist"
            )
        } catch let error as AMQPError where error.code == .resourceLocked || error.code == .accessRefused {
            // Somebody has it for itself, or this user may not look; to publish to it may be allowed.
            return nil
        }
    }
}
#endif
