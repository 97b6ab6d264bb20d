internal import Dispatch
internal import Foundation
internal import Glibc

/// `openssl s_server` on loopback, on a port that the system chooses: a server of TLS that can be made to misbehave.
public final class TLSServer: Sendable {
    /// Where it listens.
    public let port: Int

    private let process: Process
    /// Its standard input: it ends when that does.
    private let input: Pipe

    private init(process: Process, input: Pipe, port: Int) {
        self.process = process
        self.input = input
        self.port = port
    }

    /// Starts a server, lends its port to `body`, and ends it.
    ///
    /// - Parameters:
    ///   - name: Of the broker's certificates, the one that the server shows; or the path of another, without extension.
    ///   - arguments: Further arguments of `s_server`.
    ///   - address: Where it listens.
    public static func run<R>(
        showing name: String = "server",
        _ arguments: [String] = [],
        on address: String = "127.0.0.1",
        _ body: (Int) async throws -> R
    ) async throws -> R {
        let path = name.hasPrefix("/") ? name : try TestBroker.certificate(name)
        let certificate = ["-cert", "\(path).pem", "-key", "\(path).key"]
        let server = try await start(["s_server", "-accept", "\(address):0"] + certificate + arguments)
        defer { server.stop() }
        return try await body(server.port)
    }

    @concurrent
    private static func start(_ arguments: [String]) async throws -> TLSServer {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "test.tls-server").async {
                continuation.resume(with: Result { try startBlocking(arguments) })
            }
        }
    }

    private static func startBlocking(_ arguments: [String]) throws -> TLSServer {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // `timeout` ends it also when the tests end before they can, and makes a process group of the two.
        process.arguments = ["timeout", "-s", "KILL", "300", "openssl"] + arguments
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // A server that never says where it listens is ended, and so the reading below.
        let deadline = DispatchWorkItem { kill(process) }
        DispatchQueue(label: "test.tls-server.deadline").asyncAfter(deadline: .now() + 10, execute: deadline)
        defer { deadline.cancel() }
        var text = ""
        while true {
            let chunk = output.fileHandleForReading.availableData
            guard !chunk.isEmpty else {
                kill(process)
                throw Subprocess.Failed(description: "openssl \(arguments.joined(separator: " ")) did not start")
            }
            text += String(decoding: chunk, as: UTF8.self)
            // `ACCEPT 127.0.0.1:39459`
            for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1)
            where line.hasPrefix("ACCEPT ") {
                guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else { continue }
                // What it writes later has somewhere to go. Not with a readability handler: Dispatch's sources crash the
                // process now and then when what they watch hangs up.
                let rest = output.fileHandleForReading
                Thread.detachNewThread { while !rest.availableData.isEmpty {} }
                return TLSServer(process: process, input: input, port: port)
            }
        }
    }

    private func stop() {
        Self.kill(process)
        try? input.fileHandleForWriting.close()
    }

    /// With SIGKILL: Dispatch's threads block the others, and what they start inherits that.
    private static func kill(_ process: Process) {
        _ = Glibc.kill(-process.processIdentifier, SIGKILL)
    }
}
