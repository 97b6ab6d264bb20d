#if Tool
internal import RabbitMQ
internal import Synchronization

/// Consumes what it has put into the queue before, with acknowledgements or without, in a loop or by callbacks.
struct ConsumeMode {
    let options: PerfOptions
    let progress: Progress
    let acknowledges: Bool
    /// Whether it is called back for each message.
    var handles = false

    /// When the measured part began and ended, as the consumers see it.
    private final class Span: Sendable {
        private struct State {
            var meter: Meter?
            var deadline: ContinuousClock.Instant?
            var usage: Usage?
            /// How many messages the measured part had.
            var messages = 0
        }

        private let state = Mutex(State())
        let count = Atomic<Int>(0)

        func begin(_ options: PerfOptions) {
            state.withLock { ($0.meter, $0.deadline) = (Meter(), options.deadline) }
        }

        /// Whether the time for the measured part is over.
        var isOver: Bool {
            guard let deadline = state.withLock({ $0.deadline }) else { return false }
            return ContinuousClock.now >= deadline
        }

        /// Ends the measured part, unless another consumer has done so.
        func end(messages: Int) {
            state.withLock { state in
                guard state.usage == nil else { return }
                state.usage = state.meter?.read()
                state.messages = max(0, messages)
            }
        }

        /// What it took, and how many messages it had; nil if it has not ended.
        var result: (usage: Usage, messages: Int)? {
            state.withLock { state in state.usage.map { (usage: $0, messages: state.messages) } }
        }
    }

    func run() async throws -> PerfResult {
        try await PerfSession.use(
            options,
            progress,
            connections: options.connections,
            channels: options.channels,
            consumesEverywhere: true
        ) { try await run($0) }
    }

    private func run(_ session: PerfSession) async throws -> PerfResult {
        let channels = session.channels
        try await session.queue.fill(
            with: options.messages + options.warmup,
            options: options,
            progress,
            on: channels[0]
        )
        for channel in channels where acknowledges {
            try await channel.setQos(prefetchCount: options.prefetch)
            progress.giveSign()
        }
        let span = Span()
        let work = Work(microseconds: options.work)
        if options.warmup == 0 { span.begin(options) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<options.consumers {
                let queue = try channels[index % channels.count].queue(session.queue.queue.name)
                group.addTask {
                    if handles {
                        try await handle(from: queue, span, work)
                    } else {
                        try await consume(from: queue, span, work)
                    }
                }
            }
            // The first to see the last message, or the end of the time, ends it for all.
            try await group.next()
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        guard let result = span.result else { throw CancellationError() }
        return PerfResult(usage: result.usage, messages: result.messages, work: work)
    }

    /// As `consume`, where as many messages are handled at a time as there are tasks.
    private func handle(from queue: Queue, _ span: Span, _ work: Work) async throws {
        let (first, last, stride) = (options.warmup, options.warmup + options.messages, options.stride)
        let (settings, progress, readsHeaders) = (options, progress, options.readHeaders)
        let (ends, end) = AsyncThrowingStream<Void, any Error>.makeStream()
        let consumer = try await queue.consume(
            maxConcurrency: options.tasks,
            // By the broker: when this task cancels it, nobody waits for the end any more.
            onCancel: { end.finish(throwing: PerfError("The broker has cancelled a consumer.")) },
            onError: { error in end.finish(throwing: error) },
            callback: { message in
                work.run()
                if readsHeaders, message.header("x-number") == nil {
                    end.finish(throwing: PerfError("A message came without headers."))
                }
                try message.ack()
                let count = span.count.add(1, ordering: .relaxed).newValue
                if count == first { span.begin(settings) }
                if count != last {
                    guard count & (stride - 1) == 0 else { return }
                    progress.add(stride)
                    guard count < last, span.isOver else { return }
                }
                span.end(messages: count - first)
                end.finish()
            }
        )
        for try await _ in ends {}
        try await consumer.cancel()
    }

    private func consume(from queue: Queue, _ span: Span, _ work: Work) async throws {
        let last = options.warmup + options.messages
        let (first, stride) = (options.warmup, options.stride)
        // An option costs more to look at than a message.
        let (acknowledges, readsHeaders) = (acknowledges, options.readHeaders)
        for try await message in try await queue.consume(ConsumerOptions(noAck: !acknowledges)) {
            work.run()
            if readsHeaders, message.header("x-number") == nil {
                throw PerfError("A message came without headers.")
            }
            if acknowledges { try message.ack() }
            let count = span.count.add(1, ordering: .relaxed).newValue
            if count == first { span.begin(options) }
            if count == last { return span.end(messages: count - first) }
            guard count & (stride - 1) == 0 else { continue }
            progress.add(stride)
            if span.isOver { return span.end(messages: count - first) }
        }
    }
}
#endif
