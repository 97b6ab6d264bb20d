import Testing

@testable import RabbitMQ

@Suite("how far connecting has come")
struct ConnectProgressTests {
    private static let steps: [(ConnectProgress.Step, String)] = [
        (.waiting, "connecting took longer than 2.0 seconds"), (.lookingUp(host: "a.example"), "the name a.example"),
        (.connecting(place: "b:5672"), "b:5672 did not answer"), (.encrypting(place: "c:5671"), "TLS with c:5671"),
        (.loggingIn, "the AMQP handshake"),
    ]

    @Test(arguments: steps)
    func `the deadline tells what was too slow`(step: ConnectProgress.Step, words: String) {
        let progress = ConnectProgress()
        progress.reach(.connecting(place: "before"))
        progress.reach(step)
        let error = progress.timedOut(after: .seconds(2))
        #expect(error.code == .timedOut)
        #expect(error.message.hasPrefix("connecting took longer than 2.0 seconds"))
        #expect(error.message.contains(words) && !error.message.contains("before"))
        if case .encrypting = step { #expect((error.underlying as? TLSFailure)?.reason == .timedOut) }
        if case .loggingIn = step { #expect(progress.isLoggingIn) } else { #expect(!progress.isLoggingIn) }
    }
}
