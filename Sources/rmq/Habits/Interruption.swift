#if Tool
internal import ArgumentParser
internal import Dispatch
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Whether somebody wants a command to end, which it does where nothing is left half done.
final class Stop: Sendable {
    private let number = Mutex<Int32?>(nil)

    /// Whether a signal has come.
    var isRequested: Bool { number.withLock { $0 != nil } }

    /// What shells call the end by that signal; nil if none has come.
    var exitCode: ExitCode? { number.withLock { $0 }.map { ExitCode(128 + $0) } }

    fileprivate func request(_ number: Int32) { self.number.withLock { $0 = $0 ?? number } }
}

/// Signals that end a command, which so can take back what it has made.
enum Interruption {
    /// Runs `body`, and cancels it at the first of SIGINT, SIGTERM and SIGHUP. The second one ends the process at once.
    ///
    /// - Throws: What `body` throws; after a signal the exit code that shells give a command that it has ended.
    static func cancelling<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let stop = Stop()
        let (hold, begin) = AsyncStream<Never>.makeStream()
        let work = Task {
            for await _ in hold {}
            return try await body()
        }
        let signals = Signals(stop) { work.cancel() }
        begin.finish()
        defer { signals.end() }
        do {
            return try await work.value
        } catch {
            guard let code = stop.exitCode else { throw error }
            // A queue that is left behind is worth telling, an interruption is not.
            if error is PerfError || error is ToolError { throw error }
            throw code
        }
    }

    /// Runs `body`, and tells it of the first of SIGINT, SIGTERM and SIGHUP. The second one ends the process at once.
    ///
    /// - Throws: What `body` throws.
    static func stopping<R: Sendable>(_ body: (Stop) async throws -> R) async throws -> R {
        let stop = Stop()
        let signals = Signals(stop) {}
        defer { signals.end() }
        return try await body(stop)
    }

    /// Whether a signal's default was replaced by nothing, as nohup does for the end of a terminal.
    private static func isIgnored(_ handler: sighandler_t?) -> Bool {
        unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private struct Signals {
        private var sources: [any DispatchSourceSignal] = []

        init(_ stop: Stop, _ onFirst: @escaping @Sendable () -> Void) {
            let registered = DispatchSemaphore(value: 0)
            for number in [SIGINT, SIGTERM, SIGHUP] {
                let before = signal(number, SIG_DFL)
                if number == SIGHUP, Interruption.isIgnored(before) {
                    signal(number, SIG_IGN)
                    continue
                }
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setRegistrationHandler { registered.signal() }
                source.setEventHandler {
                    signal(number, SIG_DFL)
                    stop.request(number)
                    onFirst()
                }
                source.resume()
                sources.append(source)
                // The source has put a handler of its own in place by then. A signal that was ignored until then would be lost.
                registered.wait()
            }
        }

        func end() { for source in sources { source.cancel() } }
    }
}
#endif
