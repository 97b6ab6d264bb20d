internal import Glibc
internal import Synchronization

/// How far connecting has come. The deadline and a cancellation strike on other threads, while the link's queue is blocked:
/// they have to say what was too slow, and to end a handshake with a peer that says nothing.
final class ConnectProgress: Sendable {
    enum Step: Sendable {
        case waiting
        case lookingUp(host: String)
        case connecting(place: String)
        case encrypting(place: String)
        case loggingIn
    }

    private struct State {
        var step = Step.waiting
        var isAbandoned = false
        /// A second descriptor of the socket. rabbitmq-c closes its own when it likes, and its number may be another
        /// socket's by the time that somebody ends this one.
        var descriptor: CInt?
    }

    private let state = Mutex(State())

    deinit { endHandshake() }

    func reach(_ step: Step) { state.withLock { $0.step = step } }

    func beginHandshake(with place: String, descriptor: CInt) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        state.withLock { state in
            state.step = .encrypting(place: place)
            guard copy >= 0 else { return }
            state.descriptor = copy
            if state.isAbandoned { _ = shutdown(copy, CInt(SHUT_RDWR)) }
        }
    }

    func endHandshake() {
        state.withLock { state in
            if let descriptor = state.descriptor { close(descriptor) }
            state.descriptor = nil
        }
    }

    /// Nobody waits for the connection any more.
    func abandon() {
        state.withLock { state in
            state.isAbandoned = true
            if let descriptor = state.descriptor { _ = shutdown(descriptor, CInt(SHUT_RDWR)) }
        }
    }

    var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

    func timedOut(after timeout: Duration) -> AMQPError {
        let prefix = "connecting took longer than \(timeout)"
        switch state.withLock({ $0.step }) {
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
