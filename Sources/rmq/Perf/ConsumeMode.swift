#if Tool
internal import RabbitMQ
internal import Synchronization

/// Consumes what it has put into the queue before, with acknowledgements or without.
struct ConsumeMode {
    let options: PerfOptions
    let progress: Progress
    let acknowledges: Bool

    /// When the measured part began and ended, as the consumers see it.
    private final class Span: Sendable {
        let meter = Mutex<Meter?>(nil)
        let usage = Mutex<Usage?>(nil)
        let count = Atomic<Int>(0)
    }

    func run() async throws -> PerfResult {
        try await PerfSession.use(
            options,
            connections: options.connections,
            channels: options.channels,
            consumesEverywhere: true
        ) { try await run($0) }
    }

    private func run(_ session: PerfSession) async throws -> PerfResult {
        let channels = session.channels
        try await session.queue.fill(with: options.messages + options.warmup, options: options, on: channels[0])
        for channel in channels where acknowledges { try await channel.setQos(prefetchCount: options.prefetch) }
        let span = Span()
        let work = Work(microseconds: options.work)
        if options.warmup == 0 { span.meter.withLock { $0 = Meter() } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<options.consumers {
                let queue = try channels[index % channels.count].queue(session.queue.queue.name)
                group.addTask { try await consume(from: queue, span, work) }
            }
            // The first to see the last message ends it for all.
            try await group.next()
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        guard let usage = span.usage.withLock({ $0 }) else { throw CancellationError() }
        return PerfResult(usage: usage, work: work)
    }

    private func consume(from queue: Queue, _ span: Span, _ work: Work) async throws {
        let last = options.warmup + options.messages
        let first = options.warmup
        // An option costs more to look at than a message.
        let (acknowledges, readsHeaders) = (acknowledges, options.readHeaders)
        for try await message in try await queue.consume(ConsumerOptions(noAck: !acknowledges)) {
            work.run()
            if readsHeaders, message.headers?["x-number"] == nil {
                throw PerfError("A message came without headers.")
            }
            if acknowledges { try message.ack() }
            let count = span.count.add(1, ordering: .relaxed).newValue
            if count == first { span.meter.withLock { $0 = Meter() } }
            if count == last {
                let meter = span.meter.withLock { $0 }
                span.usage.withLock { $0 = meter?.read() }
                return
            }
            if count % 1000 == 0 { progress.add(1000) }
        }
    }
}
#endif
