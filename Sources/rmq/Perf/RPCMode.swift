#if Tool
internal import Histogram
internal import RabbitMQ

/// Calls a server that sends back what it gets, on the same connection, in one task or in several.
struct RPCMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let queue = session.queue.queue
            let server = try await queue.serveMessages(maxConcurrency: min(max(16, options.tasks), 65_535)) { request in
                Message(body: request.body, deliveryMode: .transient)
            }
            let client = try await session.connections[0].openRPCClient(routingKey: queue.name)
            let body = [UInt8](repeating: 0x78, count: options.size)
            let calls = TimedCalls(options: options, progress: progress)
            let call: @Sendable () async throws -> Void = {
                let reply = try await client.call(Message(body: body, deliveryMode: .transient))
                guard reply.body.count == body.count else { throw PerfError("A reply is not what was sent.") }
            }
            _ = try await calls.run(min(options.warmup, 1000), call)
            let meter = Meter()
            let latencies = try await calls.run(options.messages, until: options.deadline, call)
            let usage = meter.read()
            await client.close()
            await server.stop()
            return PerfResult(usage: usage, messages: Int(latencies.totalCount), latencies: latencies)
        }
    }
}
#endif
