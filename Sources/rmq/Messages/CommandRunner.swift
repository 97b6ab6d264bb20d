#if Tool
internal import Dispatch
internal import Foundation
internal import RabbitMQ
internal import Synchronization

/// Runs a command for each request.
struct CommandRunner: Sendable {
    let command: [String]
    let limit: Duration

    /// The most that a command may write, in bytes: what RabbitMQ took in one message before it had a lower default.
    static let mostOutput = 128 * 1024 * 1024

    /// - Returns: What it wrote.
    /// - Throws: `RPCFailure` if it fails, with what it complained, or if it writes too much; also if what it has
    ///   started still holds its output open when the time is over.
    func run(input: [UInt8], variables: [String: String]) async throws -> [UInt8] {
        try await withCheckedThrowingContinuation { continuation in
            // A thread each: it blocks, and there are as many as requests at a time.
            Thread.detachNewThread {
                continuation.resume(with: Result { try runBlocking(input, variables) })
            }
        }
    }

    private func runBlocking(_ input: [UInt8], _ variables: [String: String]) throws -> [UInt8] {
        // Threads of Dispatch, and those that they make, block most signals; the command would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        var environment = ProcessInfo.processInfo.environment
        // They hold passwords, and whoever can send a request can have a command say what it knows.
        for name in ["RABBITMQ_URI", "RABBITMQ_MANAGEMENT_URI"] { environment[name] = nil }
        process.environment = environment.merging(variables) { $1 }
        let (typed, written, complained) = (Pipe(), Pipe(), Pipe())
        process.standardInput = typed
        process.standardOutput = written
        process.standardError = complained
        do {
            try process.run()
        } catch {
            throw RPCFailure(.failed, "the command can't be run")
        }
        let inlet = typed.fileHandleForWriting
        Thread.detachNewThread { Self.feed(input, to: inlet) }
        // Behind both signals, which don't reach what has left the group: that may hold the output open for ever.
        let end = ContinuousClock.now + limit + .seconds(2)
        let errors = Reading(complained.fileHandleForReading, until: end)
        // All of its process group, which Foundation has made: what it has started would keep its output open.
        let group = -process.processIdentifier
        var killers: [DispatchWorkItem] = []
        for (number, delay) in [(SIGTERM, limit), (SIGKILL, limit + .seconds(1))] {
            let killer = DispatchWorkItem { _ = kill(group, number) }
            let deadline = DispatchTime.now() + .milliseconds(Int(delay / .milliseconds(1)))
            DispatchQueue.global().asyncAfter(deadline: deadline, execute: killer)
            killers.append(killer)
        }
        let result = Result { try take(from: written.fileHandleForReading, until: end) }
        if case .failure = result { _ = kill(group, SIGKILL) }
        let status = Self.status(of: process)
        for killer in killers { killer.cancel() }
        let output = try result.get()
        guard status == 0 else {
            let text = String(decoding: errors.value, as: UTF8.self)
            throw RPCFailure(.failed, text.isEmpty ? "the command ended with \(status)" : text)
        }
        return output
    }

    /// Waits for the end of a command: its exit code, or the number of the signal that has ended it.
    private static func status(of process: Process) -> Int32 {
        // Foundation waits for the end of a socket too, which background processes of the command inherit.
        var info = siginfo_t()
        while waitid(P_PID, id_t(process.processIdentifier), &info, WEXITED | WNOWAIT) != 0 {
            if errno == EINTR { continue }
            // Foundation was here first.
            process.waitUntilExit()
            return process.terminationStatus
        }
        return info._sifields._sigchld.si_status
    }

    /// Reads to the end of what the command writes.
    private func take(from handle: FileHandle, until end: ContinuousClock.Instant) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let ending = Self.readChunks(from: handle, until: end) { chunk in
            guard bytes.count + chunk.count <= Self.mostOutput else { return false }
            bytes += chunk
            return true
        }
        switch ending {
        case .whole: return bytes
        case .enough: throw RPCFailure(.failed, "the command wrote more than \(Self.mostOutput >> 20) MiB")
        case .late: throw RPCFailure(.failed, "the command's output was still open after \(limit)")
        }
    }

    /// Why no more is read: it was all, or as much as is wanted, or the time is over.
    private enum Ending {
        case whole, enough, late
    }

    /// Reads until the end, until `body` wants no more, or until the time is over.
    private static func readChunks(
        from handle: FileHandle,
        until end: ContinuousClock.Instant,
        _ body: (ArraySlice<UInt8>) -> Bool
    ) -> Ending {
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let rest: Duration = end - .now
            guard rest > .zero else { return .late }
            var wish = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wish, 1, Int32(clamping: Int(rest / .milliseconds(1)) + 1)) > 0 else { continue }
            let count = read(handle.fileDescriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return .whole }
            guard body(chunk[..<count]) else { return .enough }
        }
    }

    private static func feed(_ input: [UInt8], to handle: FileHandle) {
        try? Terminal.write(input, to: handle.fileDescriptor)
        try? handle.close()
    }

    /// The beginning of what comes out of a pipe, which is read to its end beside other things.
    private final class Reading: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        private let isDone = DispatchSemaphore(value: 0)

        init(_ handle: FileHandle, until end: ContinuousClock.Instant) {
            Thread.detachNewThread { [self] in
                _ = CommandRunner.readChunks(from: handle, until: end) { chunk in
                    bytes.withLock { bytes in
                        let room = 1000 - bytes.count
                        bytes += chunk.prefix(room)
                    }
                    return true
                }
                isDone.signal()
            }
        }

        /// What has come of a command that has ended. What it has started may go on, and hold this open: the end is
        /// waited for no longer than reading what is there may take.
        var value: [UInt8] {
            _ = isDone.wait(timeout: .now() + .seconds(1))
            return bytes.withLock { $0 }
        }
    }
}
#endif
