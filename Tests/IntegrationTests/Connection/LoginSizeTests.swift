import RabbitMQ
import TestSupport
import Testing

/// What is told before frame sizes are agreed on, and about them: brokers differ.
@Suite("Large credentials and small frames", .timeLimit(.minutes(2)))
struct LoginSizeTests {
    /// Whether the broker is RabbitMQ 4.1 or later.
    private static var isLater: Bool {
        get async throws {
            let version = try await TestBroker.withConnection { $0.serverProperties["version"]?.stringValue } ?? ""
            let numbers = version.split(separator: ".").compactMap { Int($0) }
            return numbers.count > 1 && (numbers[0], numbers[1]) >= (4, 1)
        }
    }

    @Test(
        "a password of any size is sent, and if the broker hangs up on it, the error says why",
        arguments: [3, 5, 9, 60]
    )
    func password(kilobytes: Int) async throws {
        let isLater = try await Self.isLater
        var configuration = try TestBroker.configuration
        configuration.credentials = .plain(
            username: "guest",
            password: String(repeating: "x", count: kilobytes * 1024)
        )
        let error = try await thrownError(within: .seconds(40)) { [configuration] in
            try await Connection.connect(configuration)
        }
        // It takes the frame, and refuses the password; later ones take as much as their setting says.
        if error.replyCode == .accessRefused {
            #expect(error.code == .authenticationFailed)
            #expect(kilobytes * 1024 < (isLater ? .max : 4096))
            return
        }
        #expect(kilobytes * 1024 > (isLater ? 8000 : 4000), "\(error)")
        #expect(error.code == (isLater ? .connectionLost : .authenticationFailed), "\(error)")
        #expect(error.message.contains(isLater ? "takes 8192 bytes, unless" : "takes 4096 bytes"), "\(error)")
    }

    @Test("a small frameMax is taken by earlier brokers, and not asked for from later ones")
    func smallFrames() async throws {
        var configuration = try TestBroker.configuration
        configuration.frameMax = 4096
        guard try await Self.isLater else {
            try await Connection.withConnection(configuration) { #expect($0.frameMax == 4096) }
            return
        }
        let error = try await thrownError { [configuration] in try await Connection.connect(configuration) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("8192 are the least"), "\(error)")
        #expect(!error.isRetryable)
        configuration.frameMax = 8192
        try await Connection.withConnection(configuration) { #expect($0.frameMax == 8192) }
    }
}
