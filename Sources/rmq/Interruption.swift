#if Tool
internal import ArgumentParser
internal import Dispatch
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Signals that end a command, which so can take back what it has made.
enum Interruption {
    private final class Caught: Sendable {
        let number = Mutex<Int32?>(nil)
    }

    /// Runs `body`, and cancels it at the first of SIGINT, SIGTERM and SIGHUP. The second one ends the process at once.
    ///
    /// - Throws: What `body` throws; after a signal the exit code that shells give a command that it has ended.
    static func cancelling<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let work = Task { try await body() }
        let caught = Caught()
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGINT, SIGTERM, SIGHUP] {
            let before = signal(number, SIG_IGN)
            // Where nohup had it ignored, the end of the terminal is to change nothing.
            if number == SIGHUP, unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
                continue
            }
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                signal(number, SIG_DFL)
                caught.number.withLock { $0 = $0 ?? number }
                work.cancel()
            }
            source.resume()
            sources.append(source)
        }
        defer { for source in sources { source.cancel() } }
        do {
            return try await work.value
        } catch {
            guard let number = caught.number.withLock({ $0 }) else { throw error }
            // A queue that is left behind is worth telling, an interruption is not.
            if error is PerfError { throw error }
            throw ExitCode(128 + number)
        }
    }
}
#endif
