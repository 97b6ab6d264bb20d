#if Tool
internal import Dispatch
internal import Foundation
internal import RabbitMQ

/// Runs a command for each request.
struct CommandRunner: Sendable {
    let command: [String]
    let limit: Duration

    /// The most that a command may write, in bytes: what RabbitMQ took in one message before it had a lower default.
    static let mostOutput = 128 * 1024 * 1024

    /// - Returns: What it wrote.
    /// - Throws: `RPCFailure` if it fails, with what it complained, or if it writes too much.
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
        let errors = Reading(complained.fileHandleForReading)
        // All of its process group, which Foundation has made: what it has started would keep its output open.
        let group = -process.processIdentifier
        var killers: [DispatchWorkItem] = []
        for (number, delay) in [(SIGTERM, limit), (SIGKILL, limit + .seconds(1))] {
            let killer = DispatchWorkItem { _ = kill(group, number) }
            let deadline = DispatchTime.now() + .milliseconds(Int(delay / .milliseconds(1)))
            DispatchQueue.global().asyncAfter(deadline: deadline, execute: killer)
            killers.append(killer)
        }
        let output = Self.take(atMost: Self.mostOutput, from: written.fileHandleForReading)
        if output == nil { _ = kill(group, SIGKILL) }
        process.waitUntilExit()
        for killer in killers { killer.cancel() }
        guard let output else {
            throw RPCFailure(.failed, "the command wrote more than \(Self.mostOutput >> 20) MiB")
        }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let text = String(decoding: errors.value, as: UTF8.self)
            throw RPCFailure(.failed, text.isEmpty ? "the command ended with \(process.terminationStatus)" : text)
        }
        return output
    }

    /// Reads to the end.
    ///
    /// - Returns: What came; nil as soon as there is more than `limit`.
    private static func take(atMost limit: Int, from handle: FileHandle) -> [UInt8]? {
        var bytes: [UInt8] = []
        let isWhole = readChunks(from: handle) { chunk in
            guard bytes.count + chunk.count <= limit else { return false }
            bytes += chunk
            return true
        }
        return isWhole ? bytes : nil
    }

    /// Reads until the end, or until `body` wants no more.
    ///
    /// - Returns: Whether `body` took everything.
    private static func readChunks(from handle: FileHandle, _ body: (ArraySlice<UInt8>) -> Bool) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(handle.fileDescriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return true }
            guard body(chunk[..<count]) else { return false }
        }
    }

    private static func feed(_ input: [UInt8], to handle: FileHandle) {
        try? Terminal.write(input, to: handle.fileDescriptor)
        try? handle.close()
    }

    /// The beginning of what comes out of a pipe, which is read to its end beside other things.
    // Unchecked: the bytes are written before the semaphore is signalled, and read behind it.
    private final class Reading: @unchecked Sendable {
        private var bytes: [UInt8] = []
        private let isDone = DispatchSemaphore(value: 0)

        init(_ handle: FileHandle) {
            Thread.detachNewThread { [self] in
                _ = CommandRunner.readChunks(from: handle) { chunk in
                    let room = 1000 - bytes.count
                    bytes += chunk.prefix(room)
                    return true
                }
                isDone.signal()
            }
        }

        var value: [UInt8] {
            isDone.wait()
            return bytes
        }
    }
}
#endif
