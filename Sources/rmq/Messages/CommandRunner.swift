#if Tool
internal import Dispatch
internal import Foundation
internal import RabbitMQ

/// Runs a command for each request.
struct CommandRunner: Sendable {
    let command: [String]
    let limit: Duration

    /// - Returns: What it wrote.
    /// - Throws: `RPCFailure` if it fails, with what it complained.
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
        process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
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
        let output = (try? written.fileHandleForReading.readToEnd()) ?? Data()
        process.waitUntilExit()
        for killer in killers { killer.cancel() }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let text = String(decoding: errors.value.prefix(1000), as: UTF8.self)
            throw RPCFailure(.failed, text.isEmpty ? "the command ended with \(process.terminationStatus)" : text)
        }
        return Array(output)
    }

    private static func feed(_ input: [UInt8], to handle: FileHandle) {
        try? Terminal.write(input, to: handle.fileDescriptor)
        try? handle.close()
    }

    /// What comes out of a pipe, read beside other things.
    // Unchecked: the data is written before the semaphore is signalled, and read behind it.
    private final class Reading: @unchecked Sendable {
        private var data = Data()
        private let isDone = DispatchSemaphore(value: 0)

        init(_ handle: FileHandle) {
            Thread.detachNewThread { [self] in
                data = (try? handle.readToEnd()) ?? Data()
                isDone.signal()
            }
        }

        var value: Data {
            isDone.wait()
            return data
        }
    }
}
#endif
