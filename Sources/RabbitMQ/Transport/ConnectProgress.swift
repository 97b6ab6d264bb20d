internal import Synchronization

/// How far connecting has come: the deadline strikes on another thread, and has to say what was too slow.
final class ConnectProgress: Sendable {
    enum Step: Sendable {
        case waiting
        case lookingUp(host: String)
        case connecting(place: String)
        case encrypting(place: String)
        case loggingIn
    }

    private let step = Mutex(Step.waiting)

    func reach(_ next: Step) { step.withLock { $0 = next } }

    /// Whether there is a connection, over which the link logs in.
    var isLoggingIn: Bool { step.withLock { if case .loggingIn = $0 { true } else { false } } }

    func timedOut(after timeout: Duration) -> AMQPError {
        let prefix = "connecting took longer than \(timeout)"
        switch step.withLock({ $0 }) {
        case .waiting: return AMQPError(.timedOut, prefix)
        case .lookingUp(let host): return AMQPError(.timedOut, "\(prefix): the name \(host) was not found out in time")
        case .connecting(let place): return AMQPError(.timedOut, "\(prefix): \(place) did not answer")
        case .encrypting(let place):
            let failure = TLSFailure.timeout
            return AMQPError(.timedOut, "\(prefix): TLS with \(place): \(failure.message)", underlying: failure)
        case .loggingIn: return AMQPError(.timedOut, "\(prefix): the peer did not finish the AMQP handshake")
        }
    }
}
