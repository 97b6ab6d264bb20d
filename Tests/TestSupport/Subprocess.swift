internal import Dispatch
internal import Foundation

/// Runs other programs.
public enum Subprocess {
    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    /// Runs a program to its end, off the threads that tests run on.
    ///
    /// - Returns: What it wrote to its standard output.
    /// - Throws: ``Failed``, with what it wrote to its standard error, if it doesn't exit with 0.
    @concurrent
    public static func run(_ program: String, _ arguments: [String], input: String = "") async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "test.subprocess").async {
                continuation.resume(with: Result { try runBlocking(program, arguments, input: input) })
            }
        }
    }

    /// Runs an executable of this package to its end.
    public static func probe(_ name: String, _ arguments: String...) async throws -> String {
        try await run(try path(of: name), arguments)
    }

    /// Runs an executable of this package to its end, by a shell that sets limits before.
    public static func limited(_ limits: String, _ name: String, _ arguments: String...) async throws -> String {
        try await run("/usr/bin/env", ["bash", "-c", limits + #"; exec "$0" "$@""#, try path(of: name)] + arguments)
    }

    private static func path(of name: String) throws -> String {
        let products = Bundle.main.executableURL?.deletingLastPathComponent() ?? URL(filePath: ".")
        let probe = products.appending(path: name).path
        guard FileManager.default.isExecutableFile(atPath: probe) else {
            throw Failed(description: "\(name) was not built")
        }
        return probe
    }

    /// Runs a script with the Python that has pika, which `scripts/test.sh` names; its first argument is the broker's URI.
    public static func python(_ script: String, _ arguments: String...) async throws -> String {
        try await run(TestBroker.variable("RABBITMQ_TEST_PYTHON"), ["-c", script, TestBroker.uri] + arguments)
    }

    /// Runs `rabbitmqctl` for the test broker.
    @discardableResult
    public static func rabbitmqctl(_ arguments: String...) async throws -> String {
        try await run(TestBroker.variable("RABBITMQ_TEST_CTL"), arguments)
    }

    private static func runBlocking(_ program: String, _ arguments: [String], input: String) throws -> String {
        let child = try ChildProcess(program, arguments)
        try child.input.write(contentsOf: Data(input.utf8))
        try child.input.close()
        // Both at once: a program that fills one waits until it is read, while the other has not ended.
        let (errors, isRead) = (Collected<Data>(), DispatchSemaphore(value: 0))
        Thread.detachNewThread {
            if let data = try? child.errors.readToEnd() { errors.add(data) }
            isRead.signal()
        }
        let output = try child.output.readToEnd() ?? Data()
        isRead.wait()
        let error = errors.all.first ?? Data()
        let status = child.wait()
        guard status == 0 else {
            throw Failed(description: "\(program) \(status): \(String(decoding: error, as: UTF8.self))")
        }
        return String(decoding: output, as: UTF8.self)
    }
}
