internal import Dispatch
internal import Foundation
internal import Glibc

/// `openssl s_server` on loopback, on a port that the system chooses: a server of TLS that can be made to misbehave.
public final class TLSServer: Sendable {
    /// Where it listens.
    public let port: Int

    /// It ends when its standard input does.
    private let process: ChildProcess

    private init(process: ChildProcess, port: Int) {
        self.process = process
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
        // `timeout` ends it also when the tests end before they can, and makes a process group of the two.
        let quiet = ["-c", #"exec "$0" "$@" 2>/dev/null"#, "timeout", "-s", "KILL", "300", "openssl"]
        let process = try ChildProcess("/bin/sh", quiet + arguments)
        // A server that never says where it listens is ended, and so the reading below.
        let deadline = DispatchWorkItem { kill(process) }
        DispatchQueue(label: "test.tls-server.deadline").asyncAfter(deadline: .now() + 10, execute: deadline)
        defer { deadline.cancel() }
        var text = ""
        while true {
            let chunk = process.output.availableData
            guard !chunk.isEmpty else {
                kill(process)
                _ = process.wait()
                throw Subprocess.Failed(description: "openssl \(arguments.joined(separator: " ")) did not start")
            }
            text += String(decoding: chunk, as: UTF8.self)
            // `ACCEPT 127.0.0.1:39459`
            for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1)
            where line.hasPrefix("ACCEPT ") {
                guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else { continue }
                // What it writes later has somewhere to go. Not with a readability handler: Dispatch's sources crash the
                // process now and then when what they watch hangs up.
                Thread.detachNewThread {
                    while !process.output.availableData.isEmpty {}
                    _ = process.wait()
                }
                return TLSServer(process: process, port: port)
            }
        }
    }

    private func stop() {
        Self.kill(process)
        try? process.input.close()
    }

    private static func kill(_ process: ChildProcess) {
        _ = Glibc.kill(-process.id, SIGKILL)
    }
}
