internal import Dispatch
internal import Foundation
internal import Glibc
public import Testing

/// The command-line tool `rmq`, or another executable of this package, run as a process.
public final class ToolProcess: @unchecked Sendable {
    // Unchecked: `Process` is only told to signal and to wait once it runs, which it locks for.
    private let process = Process()
    private let output = Pipe()
    private let error = Pipe()

    /// How it ended.
    public struct Outcome: Sendable, CustomStringConvertible {
        /// Its exit status; of a signal that ended it, the signal's number.
        public let status: Int32
        /// Whether it ended by itself, not by a signal.
        public let hasExited: Bool
        public let output: String
        public let error: String

        public var description: String { "\(hasExited ? "exit" : "signal") \(status): \(output) \(error)" }
    }

    /// The tool was not built.
    public struct NotBuilt: Error {}

    /// Starts the tool that was built beside the tests, or another product.
    ///
    /// - Parameters:
    ///   - arguments: What would be typed behind its name.
    ///   - product: Which one.
    ///   - environment: Variables beside those of the tests; an empty one counts as not set.
    ///   - input: Its standard input; none if nil.
    public init(
        _ arguments: [String],
        product: String = "rmq",
        environment: [String: String] = [:],
        input: String? = nil
    ) throws {
        let products = Bundle.main.executableURL?.deletingLastPathComponent() ?? URL(filePath: ".")
        let tool = products.appending(path: product)
        guard FileManager.default.isExecutableFile(atPath: tool.path) else { throw NotBuilt() }
        process.executableURL = tool
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let typed = input.map { _ in Pipe() }
        process.standardInput = typed ?? FileHandle.nullDevice as Any
        process.standardOutput = output
        process.standardError = error
        try process.run()
        guard let typed, let input else { return }
        DispatchQueue(label: "test.tool.input").async {
            try? typed.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try? typed.fileHandleForWriting.close()
        }
    }

    /// Runs the tool to its end.
    public static func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        input: String? = nil
    ) async throws -> Outcome {
        try await ToolProcess(arguments, environment: environment, input: input).outcome()
    }

    /// One that a test has given up would go on for ever.
    deinit { if process.isRunning { kill() } }

    /// Ends it as a machine does whose power fails.
    public func kill() { Glibc.kill(process.processIdentifier, SIGKILL) }

    /// Sends SIGINT, as Ctrl-C does.
    public func interrupt() { process.interrupt() }

    /// Sends SIGTERM.
    public func terminate() { process.terminate() }

    /// Waits for the end, off the threads that tests run on. If nobody waits for that any more, it is the process's end.
    @concurrent
    public func outcome() async -> Outcome {
        await withTaskCancellationHandler {
            await untilEnd()
        } onCancel: {
            if process.isRunning { kill() }
        }
    }

    private func untilEnd() async -> Outcome {
        // Both at a time: the tool would wait for a reader of the other one.
        async let written = Self.readAll(output)
        async let complained = Self.readAll(error)
        let (output, error) = await (written, complained)
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus,
            hasExited: process.terminationReason == .exit,
            output: output,
            error: error
        )
    }

    private static func readAll(_ pipe: Pipe) async -> String {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "test.tool").async {
                let bytes = (try? pipe.fileHandleForReading.readToEnd()).flatMap { $0 } ?? Data()
                continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
            }
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Leaves the test out where the tool was built without the package's trait, and so is none.
    public static var needsTool: Self {
        #if Tool
        .enabled("needs --traits Tool") { true }
        #else
        .enabled("needs --traits Tool") { false }
        #endif
    }
}
